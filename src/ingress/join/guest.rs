//! Who an unknown person is: a made-up user id in a cookie, so that a rejoin is the same person.
//!
//! The cookie is signed: plugNmeet shows everybody's user id to everybody in the room, and whoever joins under it puts
//! its owner out. The name that was typed last has a cookie of its own, which is input like any other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use data_encoding::BASE32_NOPAD;
use http::{HeaderMap, HeaderValue, header};

use crate::domain::Identity;
use crate::ingress::fields::clean_name;
use crate::token::Links;

use super::mint::NAME_CHARS_MAX;

const NAME: &str = "meetrelay_guest";
/// The cookie with the name that was typed last, as base64url.
const TYPED: &str = "meetrelay_name";
/// Most cookies of one name that are tried: each costs the check of a signature. A browser sends a few (one for each path
/// and parent domain); a request that is full of them must not cost thousands of checks.
const COOKIES_MAX: usize = 64;
const PREFIX: &str = "g-";
const DIGITS: usize = 20;
const MAX_AGE: cookie::time::Duration = cookie::time::Duration::days(180);

/// The identity that the browser brought, else a fresh one.
pub(super) fn identity(headers: &HeaderMap, links: &Links) -> Identity {
    brought(headers, links).unwrap_or_else(fresh)
}

/// The header that keeps it.
pub(super) fn keep(identity: &Identity, links: &Links) -> Option<HeaderValue> {
    set(NAME, links.sign_guest(identity), links)
}

/// The name that was typed in this browser before; empty if none was.
pub(super) fn typed_name(headers: &HeaderMap) -> String {
    let decode = |value: String| String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok();
    let typed = cookies(headers, TYPED).into_iter().find_map(decode);
    typed.map_or_else(String::new, |name| clean_name(&name, NAME_CHARS_MAX))
}

/// The header that keeps the typed name.
pub(super) fn keep_name(name: &str, links: &Links) -> Option<HeaderValue> {
    set(TYPED, URL_SAFE_NO_PAD.encode(name), links)
}

fn set(name: &'static str, value: String, links: &Links) -> Option<HeaderValue> {
    let cookie = Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(links.is_https())
        .max_age(MAX_AGE);
    HeaderValue::from_str(&cookie.to_string()).ok()
}

/// Only our own form counts: a cookie can never make anybody a user of the chat.
fn brought(headers: &HeaderMap, links: &Links) -> Option<Identity> {
    cookies(headers, NAME)
        .iter()
        .filter_map(|value| links.verify_guest(value))
        .find(|guest| is_guest(guest.as_str()))
}

/// The first values of a cookie, among whatever else the browser has for this host: only the listener bounds how much that
/// is, and others may write letters beyond ASCII.
fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter();
    values
        .flat_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            Cookie::split_parse(text).filter_map(Result::ok)
        })
        .filter(|cookie| cookie.name() == name)
        .take(COOKIES_MAX)
        .map(|cookie| cookie.value().to_owned())
        .collect()
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
    fn f10_guest_is_found_among_whatever_else_the_browser_has() {
        let links = links();
        let guest = "g-abcdefghijklmnopqrst".parse().unwrap();
        let pair = format!("meetrelay_guest={}", links.sign_guest(&guest));
        let large = format!("a={}; {pair}; b={}", "x".repeat(9000), "y".repeat(20_000));
        assert_eq!(identity(&with_cookie(&large), &links), guest);
        let stale = "meetrelay_guest=g-stale.tag; ".repeat(20);
        assert_eq!(
            identity(&with_cookie(&format!("{stale}{pair}")), &links),
            guest
        );
        let flood = "meetrelay_guest=g-stale.tag; ".repeat(COOKIES_MAX);
        assert_ne!(
            identity(&with_cookie(&format!("{flood}{pair}")), &links),
            guest
        );
        let mut headers = HeaderMap::new();
        let beyond_ascii = format!("città=Zürich; {pair}");
        headers.insert(
            header::COOKIE,
            HeaderValue::from_bytes(beyond_ascii.as_bytes()).unwrap(),
        );
        assert_eq!(identity(&headers, &links), guest);
    }

    #[test]
    fn f29_typed_name_comes_back_and_is_trusted_with_nothing() {
        let links = links();
        let kept = keep_name("Ana Müller <b>", &links).unwrap();
        let pair = kept.to_str().unwrap().split(';').next().unwrap();
        assert_eq!(typed_name(&with_cookie(pair)), "Ana Müller <b>");
        assert_eq!(typed_name(&HeaderMap::new()), "");
        for (kept, name) in [
            (URL_SAFE_NO_PAD.encode("\u{202E}\u{200B}\n\0"), ""),
            (URL_SAFE_NO_PAD.encode([0xff, 0xfe]), ""),
            ("no base64".to_owned(), ""),
            (
                URL_SAFE_NO_PAD.encode("é".repeat(5000)),
                "é".repeat(NAME_CHARS_MAX).as_str(),
            ),
        ] {
            assert_eq!(
                typed_name(&with_cookie(&format!("meetrelay_name={kept}"))),
                name
            );
        }
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
