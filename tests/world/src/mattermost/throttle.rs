//! Rate limiting as Mattermost does it: a generic cell rate algorithm, one bucket
//! (src/mattermost/README.md, "Rate limit").

use super::options::RateLimit;
use std::sync::{Mutex, PoisonError};

/// The bucket of one remote address; everything comes from loopback here.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<f64>);

/// What the headers of an answer say; `retry_after` is set when the request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until the bucket is full again (not an epoch time, whatever the API description says).
    pub(crate) reset: u32,
    /// Seconds.
    pub(crate) retry_after: Option<u32>,
}

impl Throttle {
    /// Takes one request at `now_ms`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small positive numbers; milliseconds since 1970 fit f64 exactly"
    )]
    pub(crate) fn take(&self, limits: RateLimit, now_ms: i64) -> Allowance {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now_ms as f64 / 1000.0;
        let interval = 1.0 / f64::from(limits.per_second.max(1));
        let limit = limits.max_burst + 1;
        let window = interval * f64::from(limit);
        let next = full_at.max(now) + interval;
        let allowed_at = next - window;
        if allowed_at > now + 1e-6 {
            return Allowance {
                limit,
                remaining: 0,
                reset: (*full_at - now).ceil().max(0.0) as u32,
                retry_after: Some((allowed_at - now).ceil() as u32),
            };
        }
        *full_at = next;
        Allowance {
            limit,
            remaining: ((now - allowed_at) / interval + 1e-6).floor() as u32,
            reset: (next - now).ceil() as u32,
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_recordings() {
        let (throttle, limits) = (
            Throttle::default(),
            RateLimit {
                per_second: 2,
                max_burst: 10,
            },
        );
        throttle.take(limits, 1_000_000);
        let second = throttle.take(limits, 1_000_000);
        assert_eq!((second.limit, second.remaining, second.reset), (11, 9, 1));
        for _ in 0..9 {
            assert_eq!(throttle.take(limits, 1_000_000).retry_after, None);
        }
        let refused = throttle.take(limits, 1_000_000);
        assert_eq!(
            (refused.limit, refused.remaining, refused.reset),
            (11, 0, 6)
        );
        assert_eq!(refused.retry_after, Some(1));
        // waiting as told frees requests, not the whole burst
        assert_eq!(throttle.take(limits, 1_001_000).retry_after, None);
    }
}
