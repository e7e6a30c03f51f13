//! Reads from a peer's headers when the next call may be sent.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderName};

/// Longest wait that Retry-After can ask for. A longer one is cut to this.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// The values of the `X-RateLimit-*` headers (src/mattermost/README.md, "Rate limit").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Requests that fit into a burst.
    pub limit: u64,
    /// Requests that remain of the burst.
    pub remaining: u64,
    /// Time until the burst is full again. The header holds seconds from now, although the OpenAPI text says otherwise.
    pub reset: Duration,
}

/// Reads the three headers. `None` unless all are present and whole numbers. If a header is repeated, the first counts.
pub(crate) fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let number = |name: &'static str| {
        text(headers, &HeaderName::from_static(name))?
            .trim()
            .parse::<u64>()
            .ok()
    };
    Some(RateLimit {
        limit: number("x-ratelimit-limit")?,
        remaining: number("x-ratelimit-remaining")?,
        reset: Duration::from_secs(number("x-ratelimit-reset")?).min(RETRY_AFTER_MAX),
    })
}

/// Reads Retry-After: seconds, possibly with a fraction, or an HTTP date. A date is compared with `now`, the `Date` of
/// the same answer, so that the relay's clock does not matter. A date in the past is zero; `None` for anything else.
pub(crate) fn retry_after(value: &str, now: Option<SystemTime>) -> Option<Duration> {
    let value = value.trim();
    if value.starts_with(|first: char| first.is_ascii_digit()) {
        let seconds: f64 = value.parse().ok()?;
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(RETRY_AFTER_MAX);
        return Some(wait.min(RETRY_AFTER_MAX));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let wait = until.duration_since(now?).unwrap_or(Duration::ZERO);
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The `Date` header.
pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, &DATE)?).ok()
}

/// The first header of this name, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn answered_at() -> Option<SystemTime> {
        Some(httpdate::parse_http_date("Sat, 21 Nov 2026 07:28:24 GMT").unwrap())
    }

    #[test]
    fn retry_after_reads_what_peers_send_and_nothing_else() {
        let cases: &[(&str, Option<u64>)] = &[
            ("0", Some(0)),
            ("1", Some(1_000)),
            (" 7 ", Some(7_000)),
            ("1.5", Some(1_500)),
            ("3600", Some(3_600_000)),
            ("999999", Some(3_600_000)),
            ("1e99", Some(3_600_000)),
            ("1e999", Some(3_600_000)),
            ("Sat, 21 Nov 2026 07:29:24 GMT", Some(60_000)),
            ("Sat, 21 Nov 2026 07:00:00 GMT", Some(0)),
            ("Sat, 21 Nov 2099 07:00:00 GMT", Some(3_600_000)),
            ("-1", None),
            ("", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("1 minute", None),
            ("Sat, 99 Nov 2026 07:29:24 GMT", None),
        ];
        for (value, millis) in cases {
            assert_eq!(
                retry_after(value, answered_at()),
                millis.map(Duration::from_millis),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_date_without_the_answers_own_date_is_no_hint() {
        assert_eq!(retry_after("Sat, 21 Nov 2026 07:29:24 GMT", None), None);
        assert_eq!(retry_after("2", None), Some(Duration::from_secs(2)));
    }

    #[test]
    fn rate_limit_takes_reset_as_seconds_and_needs_all_three() {
        let mut headers = HeaderMap::new();
        headers.append("X-Ratelimit-Limit", "11".parse().unwrap());
        headers.append("X-Ratelimit-Remaining", "0".parse().unwrap());
        assert_eq!(rate_limit(&headers), None);
        headers.append("X-Ratelimit-Reset", "6".parse().unwrap());
        headers.append("X-Ratelimit-Reset", "8".parse().unwrap());
        let expected = RateLimit {
            limit: 11,
            remaining: 0,
            reset: Duration::from_secs(6),
        };
        assert_eq!(rate_limit(&headers), Some(expected));
        headers.insert("X-Ratelimit-Remaining", "-3".parse().unwrap());
        assert_eq!(rate_limit(&headers), None);
    }
}
