//! Property tests with malformed headers.

use proptest::prelude::*;

use super::super::hints::{RETRY_AFTER_MAX, rate_limit, retry_after};
use super::*;

proptest! {
    #[test]
    fn any_retry_after_is_none_or_bounded(value in "[0-9.eE+-]{0,24}|[ -~]{0,60}|(Mon|Sat), [0-9]{1,3} (Jan|Feb) [0-9]{1,6} [0-9:]{1,9} GMT", now in any::<u32>()) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.into());
        for now in [None, Some(now)] {
            if let Some(wait) = retry_after(&value, now) {
                prop_assert!(wait <= RETRY_AFTER_MAX, "{value}: {wait:?}");
            }
        }
    }

    #[test]
    fn any_rate_limit_is_none_or_bounded(limit in ".{0,24}", remaining in "[0-9]{0,24}", reset in "[0-9]{0,24}") {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-ratelimit-limit", "10"), ("x-ratelimit-limit", &limit), ("x-ratelimit-remaining", &remaining), ("x-ratelimit-reset", &reset)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if let Some(limit) = rate_limit(&headers) {
            prop_assert!(limit.reset <= RETRY_AFTER_MAX);
        }
    }

    #[test]
    fn any_words_of_a_peer_fit_into_one_line_of_the_log(text in any::<String>()) {
        let line = log_text(&text);
        prop_assert!(line.chars().count() <= 400 && !line.chars().any(char::is_control), "{line:?}");
    }
}
