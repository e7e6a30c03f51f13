//! Who an unknown person is: a made-up user id in a cookie, so that a rejoin is the same person.
//!
//! The cookie is signed: plugNmeet shows everybody's user id to everybody in the room, and whoever joins under it puts
//! its owner out.

use cookie::{Cookie, SameSite};
use data_encoding::BASE32_NOPAD;
use http::{HeaderMap, HeaderValue, header};

use crate::domain::Identity;
use crate::token::Links;

const NAME: &str = "meetrelay_guest";
const PREFIX: &str = "g-";
const DIGITS: usize = 20;
const MAX_AGE: cookie::time::Duration = cookie::time::Duration::days(180);
/// Longest `Cookie` header that is looked at, in bytes.
const HEADER_BYTES_MAX: usize = 8192;
/// Most cookies of our name whose signature is looked at.
const COOKIES_MAX: usize = 4;

/// The identity that the browser brought, else a fresh one.
pub(super) fn identity(headers: &HeaderMap, links: &Links) -> Identity {
    brought(headers, links).unwrap_or_else(fresh)
}

/// The header that keeps it.
pub(super) fn keep(identity: &Identity, links: &Links) -> Option<HeaderValue> {
    let cookie = Cookie::build((NAME, links.sign_guest(identity)))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(links.is_https())
        .max_age(MAX_AGE);
    HeaderValue::from_str(&cookie.to_string()).ok()
}

/// Only our own form counts: a cookie can never make anybody a user of the chat.
fn brought(headers: &HeaderMap, links: &Links) -> Option<Identity> {
    let values = headers.get_all(header::COOKIE).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .filter(|value| value.len() <= HEADER_BYTES_MAX)
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .filter(|cookie| cookie.name() == NAME)
        .take(COOKIES_MAX)
        .filter_map(|cookie| links.verify_guest(cookie.value()))
        .find(|guest| is_guest(guest.as_str()))
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
    use crate::token::Signer;

    fn links() -> Links {
        let url = "https://relay.example.org".parse().unwrap();
        Links::new(&url, Signer::new(&"x".repeat(32).into(), &[]))
    }

    fn with_cookie(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(text).unwrap());
        headers
    }

    #[test]
    fn guest_without_a_cookie_gets_a_fresh_identity_and_keeps_it() {
        let links = links();
        let first = identity(&HeaderMap::new(), &links);
        assert!(is_guest(first.as_str()), "{first}");
        assert_ne!(identity(&HeaderMap::new(), &links), first);
        let kept = keep(&first, &links).unwrap();
        let pair = kept.to_str().unwrap().split(';').next().unwrap();
        assert_eq!(identity(&with_cookie(pair), &links), first);
        assert_eq!(
            identity(&with_cookie(&format!("a=b; {pair}; c")), &links),
            first
        );
    }

    #[test]
    fn cookie_is_kept_from_scripts_and_from_plain_http() {
        let guest = "g-abcdefghijklmnopqrst".parse().unwrap();
        insta::assert_snapshot!(keep(&guest, &links()).unwrap().to_str().unwrap(), @"meetrelay_guest=g-abcdefghijklmnopqrst.ribu-1oc2c3RsD9DzPZI8g; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=15552000");
        let http = "http://relay.example.org".parse().unwrap();
        let plain = Links::new(&http, Signer::new(&"x".repeat(32).into(), &[]));
        let plain = keep(&guest, &plain).unwrap();
        assert!(!plain.to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn identity_that_was_only_seen_makes_nobody() {
        let links = links();
        let guest = "g-abcdefghijklmnopqrst".parse().unwrap();
        let signed = links.sign_guest(&guest);
        let (_, tag) = signed.split_once('.').unwrap();
        let user: Identity = "6taiyi7pxiyudgedj17rdifoge".parse().unwrap();
        for forged in [
            "meetrelay_guest=g-abcdefghijklmnopqrst".to_owned(),
            "meetrelay_guest=g-abcdefghijklmnopqrst.".to_owned(),
            format!("meetrelay_guest=g-bbcdefghijklmnopqrst.{tag}"),
            format!("meetrelay_guest={}", &signed[..signed.len() - 2]),
            format!("other={signed}"),
            // Signed by us, and yet a user of the chat: no guest.
            format!("meetrelay_guest={}", links.sign_guest(&user)),
        ] {
            let made = identity(&with_cookie(&forged), &links);
            assert!(
                is_guest(made.as_str()) && !forged.contains(made.as_str()),
                "{forged}"
            );
        }
    }
}
