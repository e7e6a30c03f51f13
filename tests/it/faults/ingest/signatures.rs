//! Tokens and signatures that are none (I13, I14). Clocks and rotation stand in `time`.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::World;

use super::door::{COMMAND, Door, FORM, JSON, OUTGOING, WEBHOOK};
use super::raw::{post, request};

/// An event that would be taken if it were signed.
const EVENT: &[u8] =
    br#"{"event":"session_ended","id":"CANARY","room":{"sid":"CANARY","room_id":"CANARY"}}"#;

fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64
}

/// Claims as plugNmeet writes them.
fn claims(world: &World, body: &[u8]) -> Value {
    json!({
        "iss": world.conference.options().api_key,
        "exp": now() + 300, "nbf": now(), "iat": now(),
        "sha256": STANDARD.encode(Sha256::digest(body)),
    })
}

/// A token by HMAC with SHA-256, whatever its header says.
fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let tag = mac.chain_update(signed.as_bytes()).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

/// plugNmeet's own request with this body.
pub fn signed(world: &World, content_type: &str, body: &[u8]) -> Vec<u8> {
    let secret = &world.conference.options().api_secret;
    let token = token(&hs256(), &claims(world, body), secret);
    let headers = format!(
        "Content-Type: {content_type}\r\nAuthorization: {token}\r\nHash-Token: {token}\r\n"
    );
    request("POST", WEBHOOK, &headers, body)
}

fn webhook(headers: &str) -> Vec<u8> {
    let headers = format!("Content-Type: {JSON}\r\n{headers}");
    request("POST", WEBHOOK, &headers, EVENT)
}

#[tokio::test]
async fn i13_bad_tokens_and_signatures_are_401_and_nothing_more() {
    let door = Door::open().await;
    let world = &door.world;
    let secret = world.conference.options().api_secret.clone();
    let good = token(&hs256(), &claims(world, EVENT), &secret);
    let (signing, tag) = good.rsplit_once('.').unwrap();
    let alg = |alg: &str| {
        token(
            &json!({"alg": alg, "typ": "JWT"}),
            &claims(world, EVENT),
            &secret,
        )
    };
    let mut shapes = Vec::new();
    for (what, token) in [
        ("empty", String::new()),
        ("a scheme alone", "Bearer ".to_owned()),
        ("no token", "CANARY".to_owned()),
        ("no base64", format!("{signing}.!!!!")),
        ("no tag", format!("{signing}.")),
        ("no tag, no dot", signing.to_owned()),
        ("a short tag", format!("{signing}.{}", &tag[..20])),
        ("a longer tag", format!("{good}AAAA")),
        ("a tag in hex", format!("{signing}.{}", hex::encode(tag))),
        (
            "another secret",
            token(&hs256(), &claims(world, EVENT), "another secret"),
        ),
        (
            "an empty secret",
            token(&hs256(), &claims(world, EVENT), ""),
        ),
        ("alg none", alg("none")),
        (
            "alg none, no tag",
            alg("none").rsplit_once('.').unwrap().0.to_owned() + ".",
        ),
        ("RS256 signed by HMAC", alg("RS256")),
        ("HS512 by name", alg("HS512")),
        ("a future algorithm", alg("CANARY")),
        (
            "a list of 1000",
            vec![good.as_str(); 1000].join(",")[..30_000].to_owned(),
        ),
        ("a list of bad ones", "CANARY, ".repeat(1000)),
        ("another scheme", format!("Basic {good}")),
    ] {
        for name in ["Authorization", "Hash-Token"] {
            let answer = door.refuses(what, webhook(&format!("{name}: {token}\r\n")), 401);
            shapes.push(answer.await.shape());
        }
    }
    shapes.push(door.refuses("none", webhook(""), 401).await.shape());
    let crowd: String = (0..80).map(|_| "Hash-Token: CANARY\r\n").collect();
    shapes.push(
        door.refuses("80 of them", webhook(&crowd), 401)
            .await
            .shape(),
    );
    let is_same = shapes.iter().all(|shape| *shape == shapes[0]);
    assert!(is_same, "every refusal looks alike: {shapes:?}");
    let good = world.outgoing_token.clone();
    for (what, bad) in [
        ("empty", String::new()),
        ("wrong", "CANARY".to_owned()),
        ("its beginning", good[..20].to_owned()),
        ("longer", format!("{good}x")),
        ("in capitals", good.to_uppercase()),
        ("that of the command", world.command_token.clone()),
        ("with a NUL", format!("{good}\0")),
        ("a list", format!("{good},{good}")),
        ("500 000 long", "x".repeat(500_000)),
    ] {
        let body = door.form(&[("token", &bad)]);
        door.refuses(what, post(OUTGOING, FORM, body), 401).await;
        if what != "that of the command" {
            let body = door.form(&[("token", &bad)]);
            door.refuses(what, post(COMMAND, FORM, body), 401).await;
        }
    }
    let body = door.form(&[]);
    let headers = format!("Content-Type: {FORM}\r\nAuthorization: Token {good}\r\n");
    let elsewhere = request(
        "POST",
        OUTGOING,
        &headers,
        body.replacen("token=", "tok=", 1),
    );
    door.refuses("in a header alone", elsewhere, 401).await;
    door.ends().await;
}

#[tokio::test]
async fn i14_signature_counts_for_this_body_issuer_and_time_alone_and_one_good_header_is_enough() {
    let door = Door::open().await;
    let world = &door.world;
    let secret = world.conference.options().api_secret.clone();
    let with = |change: Value| {
        let mut claims = claims(world, EVENT);
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        token(&hs256(), &claims, &secret)
    };
    let other_body = STANDARD.encode(Sha256::digest(b"{}"));
    for (what, change, reason) in [
        (
            "another body",
            json!({ "sha256": other_body }),
            "bad_signature",
        ),
        ("no body", json!({ "sha256": null }), "bad_signature"),
        (
            "the body's hash in hex",
            json!({ "sha256": hex::encode(Sha256::digest(EVENT)) }),
            "bad_signature",
        ),
        (
            "another issuer",
            json!({ "iss": "CANARY" }),
            "bad_signature",
        ),
        (
            "several issuers",
            json!({ "iss": ["CANARY", world.conference.options().api_key] }),
            "bad_signature",
        ),
        ("no end", json!({ "exp": null }), "bad_signature"),
        (
            "an end that is a text",
            json!({ "exp": "CANARY" }),
            "bad_signature",
        ),
        (
            "an end beyond all numbers",
            json!({ "exp": 1e300 }),
            "bad_signature",
        ),
        (
            "expired, as a late repetition is",
            json!({ "exp": now() - 90 }),
            "stale",
        ),
        ("an end before all times", json!({ "exp": 0 }), "stale"),
        ("not valid yet", json!({ "nbf": now() + 240 }), "stale"),
        ("signed in the future", json!({ "iat": i64::MAX }), "stale"),
    ] {
        let metric = |text: &str| {
            let name = format!(
                "meetrelay_webhooks_rejected_total{{reason=\"{reason}\",source=\"plugnmeet\"}} "
            );
            let line = text.lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap_or_else(|| panic!("{name}"))
                .parse::<u64>()
                .unwrap()
        };
        let before = metric(&world.relay.metrics().await);
        let bad = with(change);
        let both = webhook(&format!("Authorization: {bad}\r\nHash-Token: {bad}\r\n"));
        door.refuses(what, both, 401).await;
        let after = metric(&world.relay.metrics().await);
        assert_eq!(after, before + 1, "{what} is counted as {reason}");
    }
    door.took_nothing().await;
    // A proxy may put something of its own into one of the two.
    let good = with(json!({}));
    for headers in [
        format!("Authorization: Bearer proxy\r\nHash-Token: {good}\r\n"),
        format!("Authorization: {good}\r\nHash-Token: CANARY\r\n"),
        format!("Authorization: bearer {good}\r\n"),
        format!("Hash-Token: {good}\r\n"),
    ] {
        let answer = door.say(webhook(&headers)).await;
        assert_eq!(answer.status, 200, "{headers}: {}", answer.text);
    }
    door.world.finish().await;
}
