//! Checks that a form was sent by one of our own pages.

use http::{HeaderMap, header};
use url::Url;

use crate::token::Links;

/// Whether a browser sent the form from another site. Our own pages have the origin of the public address, or the host
/// to which the request was sent, because a proxy may give the relay several names. A client that sends neither header
/// is not a browser, so no other site can have misled it.
pub(super) fn is_foreign(headers: &HeaderMap, links: &Links) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    match text("sec-fetch-site") {
        // Only browsers set this header; the scripts of a page cannot.
        Some("same-origin" | "none") => return false,
        Some("cross-site") => return true,
        _ => {}
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else {
        return false;
    };
    // Sandboxed frames send `null`, which is not a URL.
    let Ok(url) = Url::parse(origin) else {
        return true;
    };
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let is_same_host = text(header::HOST.as_str())
        .is_some_and(|asked| !asked.is_empty() && asked.eq_ignore_ascii_case(host));
    url.origin() != *links.origin() && !is_same_host
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use http::HeaderValue;

    use super::*;
    use crate::token::Signer;

    #[test]
    fn f29_form_of_another_site_is_foreign() {
        let url = "https://relay.example.org/sub".parse().unwrap();
        let links = Links::new(&url, Signer::new(&"x".repeat(32).into(), &[]));
        let (origin, host, site) = ("origin", "host", "sec-fetch-site");
        for (sent, expected) in [
            (vec![(origin, "https://evil.example")], true),
            (vec![(origin, "null")], true),
            (vec![(origin, "")], true),
            (vec![(origin, "http://relay.example.org")], true),
            (
                vec![(origin, "https://relay.example.org.evil.example")],
                true,
            ),
            (vec![(site, "cross-site")], true),
            (
                vec![
                    (origin, "https://evil.example"),
                    (host, "relay.example.org"),
                ],
                true,
            ),
            (
                vec![(origin, "https://evil.example"), (site, "same-site")],
                true,
            ),
            (vec![], false),
            (vec![(origin, "https://relay.example.org")], false),
            (vec![(origin, "https://relay.example.org:443")], false),
            // Behind a proxy that gives the relay a second name.
            (
                vec![
                    (origin, "https://meet.inside:8443"),
                    (host, "MEET.inside:8443"),
                ],
                false,
            ),
            (vec![(origin, "null"), (site, "same-origin")], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in &sent {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_foreign(&headers, &links), expected, "{sent:?}");
        }
    }
}
