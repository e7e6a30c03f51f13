#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod any;

use http::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

use super::{Tokens, WebhookKey};
use crate::domain::Timestamp;
use crate::ingress::observe::Rejected;
use crate::ingress::tests::{recorded, vectors, vectors_in};

const SECRET: &str = "zumyyYWqv7KR2kUqvYdq4z4sXg7XTBD2ljT6";

fn key() -> WebhookKey {
    WebhookKey::new("plugnmeet", &SecretString::from(SECRET), &[])
}

fn with(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    headers
}

fn cases() -> (Value, Vec<u8>) {
    let folder = vectors().join("plugnmeet");
    let text = std::fs::read_to_string(folder.join("webhook-signatures.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    let body = std::fs::read(folder.join(cases["body_file"].as_str().unwrap())).unwrap();
    (cases, body)
}

#[test]
fn every_recorded_case_of_a_signature_is_judged_as_expected_in_either_header() {
    let (cases, body) = cases();
    assert_eq!(cases["api_secret"], SECRET);
    let now = Timestamp::from_seconds(cases["now_unix"].as_i64().unwrap());
    for case in cases["cases"].as_array().unwrap() {
        let token = case["token"].as_str().unwrap();
        let expected = case["expect"] == "accept";
        for (name, value) in [
            ("authorization", token.to_owned()),
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("bearer  {token}")),
            ("hash-token", token.to_owned()),
        ] {
            let verdict = key().verify(&with(name, &value), &body, now);
            assert_eq!(verdict.is_ok(), expected, "{} in {name}", case["name"]);
        }
    }
}

#[test]
fn one_good_header_of_two_is_enough_and_a_crowd_of_bad_ones_is_not_searched() {
    let (cases, body) = cases();
    let now = Timestamp::from_seconds(cases["now_unix"].as_i64().unwrap());
    let good = HeaderValue::from_str(cases["cases"][0]["token"].as_str().unwrap()).unwrap();
    let bad = HeaderValue::from_static("Basic YTpi");
    for (first, second) in [(&good, &bad), (&bad, &good)] {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", first.clone());
        headers.insert("hash-token", second.clone());
        assert_eq!(key().verify(&headers, &body, now), Ok(()));
    }
    let mut headers = HeaderMap::new();
    for _ in 0..1000 {
        headers.append("authorization", bad.clone());
    }
    headers.append("authorization", good);
    assert_eq!(
        key().verify(&headers, &body, now),
        Err(Rejected::BadSignature)
    );
}

#[test]
fn missing_empty_and_garbled_signatures_are_refused() {
    let (cases, body) = cases();
    let now = Timestamp::from_seconds(cases["now_unix"].as_i64().unwrap());
    assert!(key().verify(&HeaderMap::new(), &body, now).is_err());
    for garbled in [
        "",
        ".",
        "..",
        "a.b.c",
        "Bearer",
        "Bearer ",
        "🙂",
        &"x.".repeat(4000),
    ] {
        let Ok(value) = HeaderValue::from_bytes(garbled.as_bytes()) else {
            continue;
        };
        let mut headers = HeaderMap::new();
        headers.insert("authorization", value);
        assert_eq!(
            key().verify(&headers, &body, now),
            Err(Rejected::BadSignature),
            "{garbled:.10}"
        );
    }
}

#[test]
fn signature_of_another_time_is_stale_and_the_leeway_is_a_minute() {
    let (cases, body) = cases();
    let made = cases["now_unix"].as_i64().unwrap();
    let headers = with(
        "authorization",
        cases["cases"][0]["token"].as_str().unwrap(),
    );
    let at = |seconds| key().verify(&headers, &body, Timestamp::from_seconds(seconds));
    assert_eq!(at(made - 61), Err(Rejected::Stale));
    assert_eq!(at(made - 60), Ok(()));
    assert_eq!(at(made + 360), Ok(()));
    assert_eq!(at(made + 361), Err(Rejected::Stale));
}

#[test]
fn every_recorded_webhook_verifies_at_its_own_time() {
    for name in vectors_in("plugnmeet/recorded", "webhook-") {
        let (method, _, headers, body) = recorded(&name);
        if method != http::Method::POST {
            continue;
        }
        let event: Value = serde_json::from_slice(&body).unwrap();
        let now = event["created_at"].as_str().unwrap().parse().unwrap();
        let verdict = key().verify(&headers, &body, Timestamp::from_seconds(now));
        assert_eq!(verdict, Ok(()), "{name}");
    }
}

#[test]
fn any_of_several_tokens_is_admitted_and_none_when_there_are_none() {
    let tokens = Tokens::new(&["old".into(), "new".into(), "".into()]);
    assert!(tokens.admit("old") && tokens.admit("new"));
    for bad in ["", "ol", "olda", "old ", "NEW"] {
        assert!(!tokens.admit(bad), "{bad:?}");
    }
    assert!(!Tokens::new(&[]).admit(""));
}

#[test]
fn replaced_tokens_count_from_the_next_call_on_for_every_clone() {
    let tokens = Tokens::new(&["old".into()]);
    let clone = tokens.clone();
    tokens.replace(&["old".into(), "new".into()]);
    assert!(clone.admit("old") && clone.admit("new"));
    tokens.replace(&["new".into()]);
    assert!(!clone.admit("old") && clone.admit("new"));
}

#[test]
fn webhook_of_the_previous_secret_is_taken_until_that_one_is_dropped() {
    let (cases, body) = cases();
    let now = Timestamp::from_seconds(cases["now_unix"].as_i64().unwrap());
    let headers = with(
        "authorization",
        cases["cases"][0]["token"].as_str().unwrap(),
    );
    let (old, new) = (
        SecretString::from(SECRET),
        SecretString::from("the-new-one"),
    );
    let key = WebhookKey::new("plugnmeet", &new, &[]);
    assert_eq!(
        key.verify(&headers, &body, now),
        Err(Rejected::BadSignature)
    );
    key.replace("plugnmeet", &new, &["older".into(), old]);
    assert_eq!(key.verify(&headers, &body, now), Ok(()));
    key.replace("plugnmeet", &new, &[]);
    assert_eq!(
        key.verify(&headers, &body, now),
        Err(Rejected::BadSignature)
    );
}
