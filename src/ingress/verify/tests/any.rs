//! Property tests with tokens that plugNmeet never signs: only its own tokens are accepted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::any::{damaged, json};

const CLAIMS: [&str; 8] = ["iss", "exp", "nbf", "iat", "sha256", "aud", "sub", "CANARY"];
const HEADER: [&str; 9] = [
    "alg", "typ", "kid", "jwk", "x5c", "crit", "cty", "jku", "zip",
];

const EMPTY: &[u8] = b"{}";
const NOTHING: &str = "{}";

/// A token signed with the right secret, so that only its claims can be wrong.
fn signed(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let content = format!("{}.{}", part(header), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let tag = mac.chain_update(content.as_bytes()).finalize().into_bytes();
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn is_refused(token: &[u8], body: &[u8], now: Timestamp) -> bool {
    let mut headers = HeaderMap::new();
    let Ok(value) = HeaderValue::from_bytes(token) else {
        return true;
    };
    headers.insert("hash-token", value.clone());
    headers.insert("authorization", value);
    key().verify(&headers, body, now).is_err()
}

/// A valid token, with its body and time.
fn good() -> (String, Vec<u8>, Timestamp) {
    let (cases, body) = cases();
    let now = Timestamp::from_seconds(cases["now_unix"].as_i64().unwrap());
    let token = cases["cases"][0]["token"].as_str().unwrap().to_owned();
    assert!(!is_refused(token.as_bytes(), &body, now));
    (token, body, now)
}

proptest! {
    #[test]
    fn no_text_is_let_in(token in prop_oneof![any::<Vec<u8>>(), "[A-Za-z0-9_=-]{0,80}(\\.[A-Za-z0-9_=-]{0,80}){0,4}".prop_map(String::into_bytes)]) {
        prop_assert!(is_refused(&token, EMPTY, Timestamp::from_seconds(0)));
    }

    #[test]
    fn no_header_and_no_claims_of_another_kind_are_let_in(header in json(&HEADER), claims in json(&CLAIMS), now in any::<i64>()) {
        let now = Timestamp::from_millis(now);
        let ordinary = r#"{"alg":"HS256","typ":"JWT"}"#;
        prop_assert!(is_refused(signed(ordinary, &claims).as_bytes(), EMPTY, now));
        prop_assert!(is_refused(signed(&header, &claims).as_bytes(), EMPTY, now));
        prop_assert!(is_refused(signed(&header, NOTHING).as_bytes(), EMPTY, now));
    }

    #[test]
    fn no_times_are_a_panic(exp in any::<i64>(), nbf in any::<i64>(), iat in any::<i64>(), now in any::<i64>()) {
        let claims = format!(r#"{{"iss":"plugnmeet","exp":{exp},"nbf":{nbf},"iat":{iat},"sha256":"x"}}"#);
        let token = signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims);
        prop_assert!(is_refused(token.as_bytes(), EMPTY, Timestamp::from_millis(now)));
    }

    #[test]
    fn no_damaged_token_is_let_in(token in damaged(vec![good().0.into_bytes()])) {
        let (good, body, now) = good();
        prop_assume!(token != good.as_bytes());
        prop_assert!(is_refused(&token, &body, now), "{}", String::from_utf8_lossy(&token));
    }

    #[test]
    fn no_damaged_body_is_let_in(damaged in damaged(vec![good().1])) {
        let (token, body, now) = good();
        prop_assume!(damaged != body);
        prop_assert!(is_refused(token.as_bytes(), &damaged, now));
    }
}
