//! The identity of guests: a random id in a cookie, so that a guest who joins again is the same person.
//!
//! plugNmeet shows each user id to everybody in the room, and a second join with the same user id removes the first
//! person. So the id in the cookie is signed and never shown. In each meeting the guest has another user id, which is
//! derived from the cookie's id and the meeting's id, so nobody can see that a guest was in two meetings. The name that
//! was typed last has a separate cookie, which is untrusted input.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use data_encoding::BASE32_NOPAD;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use crate::domain::{Identity, MeetingId};
use crate::ingress::fields::clean_name;
use crate::token::Links;

use super::mint::NAME_CHARS_MAX;

const NAME: &str = "meetrelay_guest";
/// The name of the cookie with the name that was typed last, as base64url.
const TYPED: &str = "meetrelay_name";
/// Most cookies of one name that are tried, because each costs the check of a signature. A browser sends a few (one for
/// each path and parent domain). A request that is full of them must not cost thousands of checks.
const COOKIES_MAX: usize = 64;
/// Separates this use of the hash from any other.
const IN_MEETING: &[u8] = b"meetrelay guest in meeting 1\0";
const PREFIX: &str = "g-";
const DIGITS: usize = 20;
const MAX_AGE: cookie::time::Duration = cookie::time::Duration::days(180);

/// The user id of a guest in one meeting. The guest's id is a secret of 100 bits, so the hash needs no key. Therefore a
/// guest stays the same person when the signing secret is replaced.
pub(super) fn identity(guest: &Identity, meeting: MeetingId) -> Identity {
    let digest = Sha256::new()
        .chain_update(IN_MEETING)
        .chain_update(guest.as_str())
        .chain_update(meeting.uuid().as_bytes())
        .finalize();
    of_bytes(&digest[..])
}

/// The `Set-Cookie` value that stores a guest's id.
pub(super) fn keep(guest: &Identity, links: &Links) -> Option<HeaderValue> {
    set(NAME, links.sign_guest(guest), links)
}

/// The name that was typed earlier in this browser; empty if there is none.
pub(super) fn typed_name(headers: &HeaderMap, links: &Links) -> String {
    let decode = |value: String| String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok();
    let typed = cookies(headers, TYPED, links).into_iter().find_map(decode);
    typed.map_or_else(String::new, |name| clean_name(&name, NAME_CHARS_MAX))
}

/// The `Set-Cookie` value that stores the typed name.
pub(super) fn keep_name(name: &str, links: &Links) -> Option<HeaderValue> {
    set(TYPED, URL_SAFE_NO_PAD.encode(name), links)
}

fn set(name: &str, value: String, links: &Links) -> Option<HeaderValue> {
    let name = format!("{}{name}", links.cookie_prefix());
    let cookie = Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(links.is_https())
        .max_age(MAX_AGE);
    HeaderValue::from_str(&cookie.to_string()).ok()
}

/// The guest's id in the cookies of a request. Only ids in the format of guests count, so a cookie can never make
/// anybody a user of the chat.
pub(in crate::ingress) fn brought(headers: &HeaderMap, links: &Links) -> Option<Identity> {
    cookies(headers, NAME, links)
        .iter()
        .filter_map(|value| links.verify_guest(value))
        .find(|guest| is_guest(guest.as_str()))
}

/// The first values of a cookie. A browser may send many other cookies for this host; only the listener bounds their
/// size, and they may hold bytes beyond ASCII.
fn cookies(headers: &HeaderMap, name: &str, links: &Links) -> Vec<String> {
    let prefix = links.cookie_prefix();
    let values = headers.get_all(header::COOKIE).iter();
    values
        .flat_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            Cookie::split_parse(text).filter_map(Result::ok)
        })
        .filter(|cookie| cookie.name().strip_prefix(prefix) == Some(name))
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

/// A new id for a guest without a cookie.
pub(super) fn fresh() -> Identity {
    of_bytes(&rand::random::<[u8; 13]>())
}

/// The id of a guest from at least 13 bytes, of which 100 bits are used.
#[expect(
    clippy::expect_used,
    reason = "lower-case base32 with a prefix is an identifier of a peer"
)]
fn of_bytes(bytes: &[u8]) -> Identity {
    let digits = BASE32_NOPAD.encode(bytes).to_ascii_lowercase();
    format!("{PREFIX}{}", &digits[..DIGITS])
        .parse()
        .expect("base32 is allowed in identifiers")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use uuid::Uuid;

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
    fn guest_without_a_cookie_gets_a_fresh_id_and_keeps_it() {
        let links = links();
        assert_eq!(brought(&HeaderMap::new(), &links), None);
        let first = fresh();
        assert!(is_guest(first.as_str()), "{first}");
        assert_ne!(fresh(), first);
        let kept = keep(&first, &links).unwrap();
        let pair = kept.to_str().unwrap().split(';').next().unwrap();
        let guest = Some(first);
        assert_eq!(brought(&with_cookie(pair), &links), guest);
        let among_others = with_cookie(&format!("a=b; {pair}; c"));
        assert_eq!(brought(&among_others, &links), guest);
    }

    #[test]
    fn s_guest_cannot_be_followed_from_meeting_to_meeting() {
        let meeting = |number| MeetingId::from_uuid(Uuid::from_u128(number));
        let (one, other) = (fresh(), fresh());
        let seen = identity(&one, meeting(1));
        assert!(is_guest(seen.as_str()), "{seen}");
        assert_eq!(identity(&one, meeting(1)), seen, "a rejoin");
        assert_ne!(identity(&one, meeting(2)), seen);
        assert_ne!(identity(&other, meeting(1)), seen);
        assert_ne!(seen, one, "the cookie's id is shown to nobody");
        // What is seen in the room is no cookie, and the cookie of before counts no more.
        let tag = "ribu-1oc2c3RsD9DzPZI8g";
        let old = format!("__Host-meetrelay_guest=g-abcdefghijklmnopqrst.{tag}");
        assert_eq!(brought(&with_cookie(&old), &links()), None);
    }

    #[test]
    fn s_other_hosts_of_the_domain_cannot_set_the_cookie_where_browsers_can_forbid_it() {
        let guest = fresh();
        for (url, name) in [
            ("https://relay.example.org", "__Host-meetrelay_guest="),
            ("https://relay.example.org/", "__Host-meetrelay_guest="),
            ("https://relay.example.org:8443", "__Host-meetrelay_guest="),
            ("https://example.org/relay", "meetrelay_guest="),
            ("http://relay.example.org", "meetrelay_guest="),
        ] {
            let links = Links::new(
                &url.parse().unwrap(),
                Signer::new(&"x".repeat(32).into(), &[]),
            );
            let kept = keep(&guest, &links).unwrap();
            let kept = kept.to_str().unwrap();
            assert!(kept.starts_with(name) && kept.contains("Path=/;"), "{kept}");
            assert!(!kept.contains("Domain"), "{kept}");
            let pair = kept.split(';').next().unwrap();
            assert_eq!(brought(&with_cookie(pair), &links), Some(guest.clone()));
        }
        // A cookie without the prefix may be anybody's.
        let tossed = format!("meetrelay_guest={}", links().sign_guest(&guest));
        assert_eq!(brought(&with_cookie(&tossed), &links()), None);
    }

    #[test]
    fn cookie_is_kept_from_scripts_and_from_plain_http() {
        let guest = "g-abcdefghijklmnopqrst".parse().unwrap();
        insta::assert_snapshot!(keep(&guest, &links()).unwrap().to_str().unwrap(), @"__Host-meetrelay_guest=g-abcdefghijklmnopqrst.8QO4xr5OSrL8oBAHX4HlHA; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=15552000");
        let http = "http://relay.example.org".parse().unwrap();
        let plain = Links::new(&http, Signer::new(&"x".repeat(32).into(), &[]));
        let plain = keep(&guest, &plain).unwrap();
        assert!(!plain.to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn f10_guest_is_found_among_whatever_else_the_browser_has() {
        let links = links();
        let guest: Identity = "g-abcdefghijklmnopqrst".parse().unwrap();
        let pair = format!("__Host-meetrelay_guest={}", links.sign_guest(&guest));
        let found = Some(guest);
        let large = format!("a={}; {pair}; b={}", "x".repeat(9000), "y".repeat(20_000));
        assert_eq!(brought(&with_cookie(&large), &links), found);
        let stale = "__Host-meetrelay_guest=g-stale.tag; ".repeat(20);
        let stale = with_cookie(&format!("{stale}{pair}"));
        assert_eq!(brought(&stale, &links), found);
        let flood = "__Host-meetrelay_guest=g-stale.tag; ".repeat(COOKIES_MAX);
        let flood = with_cookie(&format!("{flood}{pair}"));
        assert_eq!(brought(&flood, &links), None);
        let mut headers = HeaderMap::new();
        let beyond_ascii = format!("città=Zürich; {pair}");
        headers.insert(
            header::COOKIE,
            HeaderValue::from_bytes(beyond_ascii.as_bytes()).unwrap(),
        );
        assert_eq!(brought(&headers, &links), found);
    }

    #[test]
    fn f29_typed_name_comes_back_and_is_untrusted_input() {
        let links = links();
        let kept = keep_name("Ana Müller <b>", &links).unwrap();
        let pair = kept.to_str().unwrap().split(';').next().unwrap();
        assert_eq!(typed_name(&with_cookie(pair), &links), "Ana Müller <b>");
        assert_eq!(typed_name(&HeaderMap::new(), &links), "");
        for (kept, name) in [
            (URL_SAFE_NO_PAD.encode("\u{202E}\u{200B}\n\0"), ""),
            (URL_SAFE_NO_PAD.encode([0xff, 0xfe]), ""),
            ("no base64".to_owned(), ""),
            (
                URL_SAFE_NO_PAD.encode("é".repeat(5000)),
                "é".repeat(NAME_CHARS_MAX).as_str(),
            ),
        ] {
            let kept = with_cookie(&format!("__Host-meetrelay_name={kept}"));
            assert_eq!(typed_name(&kept, &links), name);
        }
    }

    #[test]
    fn identity_alone_does_not_make_a_guest() {
        let links = links();
        let guest = "g-abcdefghijklmnopqrst".parse().unwrap();
        let signed = links.sign_guest(&guest);
        let (_, tag) = signed.split_once('.').unwrap();
        let user: Identity = "6taiyi7pxiyudgedj17rdifoge".parse().unwrap();
        for forged in [
            "__Host-meetrelay_guest=g-abcdefghijklmnopqrst".to_owned(),
            "__Host-meetrelay_guest=g-abcdefghijklmnopqrst.".to_owned(),
            format!("__Host-meetrelay_guest=g-bbcdefghijklmnopqrst.{tag}"),
            format!("__Host-meetrelay_guest={}", &signed[..signed.len() - 2]),
            format!("other={signed}"),
            // Signed by us, and yet a user of the chat: no guest.
            format!("__Host-meetrelay_guest={}", links.sign_guest(&user)),
        ] {
            let made = brought(&with_cookie(&forged), &links);
            assert_eq!(made, None, "{forged}");
        }
    }
}
