#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod any;

use proptest::prelude::*;

use super::{BadFields, Fields, KEYS_MAX, clean_name};
use crate::domain::ChannelId;

const KNOWN: [&str; 3] = ["text", "token", "channel_id"];

fn form(body: &str) -> Result<Fields, BadFields> {
    Fields::from_form(body.as_bytes(), &KNOWN)
}

fn json(body: &str) -> Result<Fields, BadFields> {
    Fields::from_json(body.as_bytes(), &KNOWN)
}

#[test]
fn form_values_are_decoded_strictly() {
    let fields = form("text=meet+now%3A+R%26D+%E2%98%95%0A&token=&x=y&&channel_id").unwrap();
    assert_eq!(fields.text("text"), "meet now: R&D ☕\n");
    assert_eq!(fields.text("token"), "");
    for bad in [
        "text=%", "text=%4", "text=%zz", "text=%ff", "%ff=x", "text=%c3", "text=%+1",
    ] {
        assert_eq!(form(bad).err(), Some(BadFields::Form), "{bad}");
    }
    assert_eq!(
        Fields::from_form(b"text=\xff", &KNOWN).err(),
        Some(BadFields::Form)
    );
}

#[test]
fn first_of_repeated_keys_wins() {
    assert_eq!(form("text=a&text=b").unwrap().text("text"), "a");
    let fields = json(r#"{"text":"a","text":"b"}"#).unwrap();
    assert_eq!(fields.text("text"), "a");
}

#[test]
fn number_of_keys_is_bounded() {
    let many = "a=b&".repeat(KEYS_MAX + 1);
    assert_eq!(form(&many).err(), Some(BadFields::TooMany));
    assert!(form(&"a=b&".repeat(KEYS_MAX)).is_ok());
    let many = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(KEYS_MAX));
    assert_eq!(json(&many).err(), Some(BadFields::TooMany));
}

#[test]
fn json_of_the_wrong_shape_is_refused_by_field_and_never_by_value() {
    for bad in [
        "",
        "[]",
        "\"text\"",
        "{",
        "{} {}",
        r#"{"text":1e400}"#,
        r#"{"text":"\ud800"}"#,
        r#"{"text":"a" "b"}"#,
        &format!("{{\"text\":{}", "[".repeat(10_000)),
        &format!("{{\"other\":{}", "[".repeat(10_000)),
    ] {
        assert_eq!(json(bad).err(), Some(BadFields::Json), "{bad}");
    }
    for bad in [
        r#"{"text":["canary"]}"#,
        r#"{"text":{"a":"canary"}}"#,
        r#"{"text":true}"#,
    ] {
        let error = json(bad).err().unwrap();
        assert_eq!(error, BadFields::NoText("text"));
        assert!(!error.to_string().contains("canary"));
    }
}

#[test]
fn json_numbers_and_nulls_are_taken_as_text_and_absence() {
    let fields = json(r#"{"text":null,"channel_id":12,"other":[{"deep":[1]}]}"#).unwrap();
    assert_eq!(fields.text("text"), "");
    assert_eq!(fields.id::<ChannelId>("channel_id").unwrap().as_str(), "12");
}

#[test]
fn nul_in_a_text_passes_and_in_an_identifier_does_not() {
    let fields = json(r#"{"text":"a\u0000b","channel_id":"a\u0000b"}"#).unwrap();
    assert_eq!(fields.text("text"), "a\0b");
    assert_eq!(fields.name("text", 10), "ab");
    assert_eq!(
        fields.id::<ChannelId>("channel_id").err(),
        Some(BadFields::BadId("channel_id"))
    );
}

proptest! {
    #[test]
    fn every_text_survives_the_way_through_a_form(text in any::<String>()) {
        let body: String = form_urlencoded::Serializer::new(String::new()).append_pair("text", &text).finish();
        let fields = form(&body).unwrap();
        prop_assert_eq!(fields.text("text"), text);
    }
}

#[test]
fn name_has_no_character_that_is_not_seen() {
    assert_eq!(clean_name(" A\u{0}n\u{202E}a\u{200B}\u{FEFF} ", 100), "Ana");
    for empty in ["\u{200B}", "\u{3164}\u{2066}", "\u{202E} \u{7}"] {
        assert_eq!(clean_name(empty, 100), "", "{empty:?}");
    }
    assert_eq!(clean_name("می\u{200C}خواهم", 100), "می\u{200C}خواهم");
}

#[test]
fn s2_name_of_which_nothing_is_seen_is_none() {
    let marks = "\u{301}".repeat(100) + "Ana";
    for unseen in [
        "\u{200B}\u{2060}\u{FEFF}",
        "\u{115F}\u{1160}\u{3164}\u{FFA0}",
        "\u{2800} \u{2800}",
        "\u{301}\u{20DD}\u{FE0F}",
        "\u{200D}\u{AD}\u{E0041}",
        "\u{3000}\u{A0}\u{1D159}\u{FFFC}",
        marks.as_str(),
    ] {
        assert_eq!(clean_name(unseen, 100), "", "{unseen:?}");
    }
    for seen in ["e\u{301}", "🙂", "李", "…", "\u{20DD}a", "?"] {
        assert_eq!(clean_name(seen, 100), seen);
    }
}
