//! Malformed bodies for the tests of every decoder: unusual JSON, damaged recordings and random bytes. Many of them
//! contain [`CANARY`], so that a test catches an error text that repeats the input. The environment variable
//! `PROPTEST_CASES` sets how many bodies a test tries.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Part of the input that no error text may repeat.
pub(crate) const CANARY: &str = "CANARY";

const ODD: [&str; 26] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.5",
    "01",
    "1e400",
    "-1e400",
    "1e-400",
    "0.1e1",
    "NaN",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775809",
    "\"\"",
    "\"0\"",
    "\"CANARY\"",
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\u0000CANARY""#,
    "\"\0\"",
    "\"\u{202e}CANARY\"",
    r#""\x""#,
    "\"",
];

/// Random bytes, fewer than 400.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..400)
}

/// Mostly objects, with these keys and others. Some of the texts are not valid JSON.
pub(crate) fn json(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        8 => select(ODD.as_slice()).prop_map(str::to_owned),
        4 => any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        1 => (1..3000_usize).prop_map(|digits| "9".repeat(digits)),
        1 => (1..10_000_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
        1 => (1..10_000_usize).prop_map(|depth| "{\"a\":".repeat(depth)),
    ];
    scalar.prop_recursive(4, 32, 8, move |inner| {
        let key = prop_oneof![
            8 => select(keys).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        let member = (key, inner.clone())
            .prop_map(|(key, value)| format!("{}:{value}", serde_json::Value::from(key)));
        prop_oneof![
            1 => vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            6 => vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
    Nest(Index, usize),
}

/// One of `originals` with 1 to 3 damages.
pub(crate) fn damaged(originals: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damage = prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        2 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        2 => (any::<Index>(), vec(any::<u8>(), 1..8)).prop_map(|(at, more)| Damage::Insert(at, more)),
        1 => (any::<Index>(), 1..10_000_usize).prop_map(|(at, depth)| Damage::Nest(at, depth)),
    ];
    (select(originals), vec(damage, 1..4)).prop_map(|(mut body, damages)| {
        for damage in damages {
            apply(&mut body, damage);
        }
        body
    })
}

fn apply(body: &mut Vec<u8>, damage: Damage) {
    // The position behind the last byte is possible too.
    let position = |body: &Vec<u8>, at: Index| at.index(body.len() + 1);
    match damage {
        Damage::Flip(at, bit) => {
            let at = position(body, at);
            if let Some(byte) = body.get_mut(at) {
                *byte ^= bit;
            }
        }
        Damage::Cut(at) => body.truncate(position(body, at)),
        Damage::Repeat(from, to) => {
            let (from, to) = (position(body, from), position(body, to));
            body.extend_from_within(from.min(to)..from.max(to));
        }
        Damage::Insert(at, more) => {
            let at = position(body, at);
            body.splice(at..at, more);
        }
        Damage::Nest(at, depth) => {
            let at = position(body, at);
            body.splice(at..at, std::iter::repeat_n(b'[', depth));
        }
    }
}

/// Checks a text that is meant for people or the log: it is short, on one line, and does not repeat the input.
pub(crate) fn assert_harmless(text: &str) {
    assert!(text.chars().count() < 1000, "{} characters", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(!text.contains(CANARY), "{text}");
}
