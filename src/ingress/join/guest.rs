//! Who an unknown person is: a made-up user id in a cookie, so that a rejoin is the same person.

use cookie::{Cookie, SameSite};
use data_encoding::BASE32_NOPAD;
use http::{HeaderMap, HeaderValue, header};

use crate::domain::Identity;

const NAME: &str = "meetrelay_guest";
const PREFIX: &str = "g-";
const DIGITS: usize = 20;
const MAX_AGE: cookie::time::Duration = cookie::time::Duration::days(180);
/// Longest `Cookie` header that is looked at, in bytes.
const HEADER_BYTES_MAX: usize = 8192;

/// The identity that the browser brought, else a fresh one.
pub(super) fn identity(headers: &HeaderMap) -> Identity {
    brought(headers).unwrap_or_else(fresh)
}

/// The header that keeps it.
pub(super) fn keep(identity: &Identity, is_https: bool) -> Option<HeaderValue> {
    let cookie = Cookie::build((NAME, identity.as_str()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_https)
        .max_age(MAX_AGE);
    HeaderValue::from_str(&cookie.to_string()).ok()
}

/// Only our own form counts: a cookie can never make anybody a user of the chat.
fn brought(headers: &HeaderMap) -> Option<Identity> {
    let values = headers.get_all(header::COOKIE).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .filter(|value| value.len() <= HEADER_BYTES_MAX)
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .filter(|cookie| cookie.name() == NAME && is_guest(cookie.value()))
        .find_map(|cookie| cookie.value().parse().ok())
}

fn is_guest(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|digits| {
        digits.len() == DIGITS
            && digits
                .bytes()
                .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
    })
}

#[expect(
    clippy::expect_used,
    reason = "lower-case base32 with a prefix is an identifier of a peer"
)]
fn fresh() -> Identity {
    let bytes: [u8; 13] = rand::random();
    let digits = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
    format!("{PREFIX}{}", &digits[..DIGITS])
        .parse()
        .expect("base32 is allowed in identifiers")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn with_cookie(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(text).unwrap());
        headers
    }

    #[test]
    fn guest_without_a_cookie_gets_a_fresh_identity_and_keeps_it() {
        let first = identity(&HeaderMap::new());
        assert!(is_guest(first.as_str()), "{first}");
        assert_ne!(identity(&HeaderMap::new()), first);
        let kept = keep(&first, true).unwrap();
        let pair = kept.to_str().unwrap().split(';').next().unwrap();
        assert_eq!(identity(&with_cookie(pair)), first);
        assert_eq!(identity(&with_cookie(&format!("a=b; {pair}; c"))), first);
    }

    #[test]
    fn cookie_is_kept_from_scripts_and_from_plain_http() {
        let guest = "g-abcdefghijklmnopqrst".parse().unwrap();
        insta::assert_snapshot!(keep(&guest, true).unwrap().to_str().unwrap(), @"meetrelay_guest=g-abcdefghijklmnopqrst; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=15552000");
        let plain = keep(&guest, false).unwrap();
        assert!(!plain.to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn cookie_of_another_form_makes_nobody() {
        for forged in [
            "meetrelay_guest=6taiyi7pxiyudgedj17rdifoge",
            "meetrelay_guest=g-short",
            "meetrelay_guest=g-ABCDEFGHIJKLMNOPQRST",
            "meetrelay_guest=g-abcdefghijklmnopqrs1",
            "other=g-abcdefghijklmnopqrst",
        ] {
            let made = identity(&with_cookie(forged));
            assert!(
                is_guest(made.as_str()) && !forged.contains(made.as_str()),
                "{forged}"
            );
        }
    }
}
