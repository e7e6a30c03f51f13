//! The only place that reads the system's clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;
use crate::ports::Clock;

/// The system's clock; a time before 1970 reads as 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system's clock"
    )]
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis.saturating_add(offset()).max(0))
    }
}

/// A smaller difference does not count as set back: the system may slow the clock, or two readings come out of order.
const SET_BACK_MIN: Duration = Duration::from_secs(1);

/// Detects that the clock was set back, by comparing it with the monotonic clock.
#[derive(Debug, Default)]
pub struct SetBack(Mutex<Option<(Instant, Timestamp)>>);

impl SetBack {
    /// By how much the clock, which shows `now`, was set back since the last call; `None` if it was not.
    pub fn notice(&self, now: Timestamp) -> Option<Duration> {
        self.notice_at(now, Instant::now())
    }

    /// Call this when the caller could not act on the last set-back: the next [`notice`](Self::notice) returns it
    /// again.
    pub fn keep(&self, back: Duration) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = seen.map(|(at, shown)| (at, shown.plus(back)));
    }

    fn notice_at(&self, now: Timestamp, instant: Instant) -> Option<Duration> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = seen.map_or(now, |(at, shown)| {
            shown.plus(instant.saturating_duration_since(at))
        });
        *seen = Some((instant, now));
        let back = expected.since(now);
        (back >= SET_BACK_MIN).then_some(back)
    }
}

#[cfg(not(feature = "crash-points"))]
#[inline(always)]
const fn offset() -> i64 {
    0
}

#[cfg(feature = "crash-points")]
use set_by_tests::offset;

/// A clock that is wrong, or jumps. Only builds with the feature `crash-points`, which the tests use, have it.
#[cfg(feature = "crash-points")]
mod set_by_tests {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    #[expect(
        clippy::disallowed_methods,
        reason = "no configuration of operators: no released build reads it"
    )]
    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("MEETRELAY_CLOCK_FILE").map(PathBuf::from));

    /// The offset of the clock in milliseconds, from the file that `MEETRELAY_CLOCK_FILE` names. The file is read
    /// each time, so that a test can let the clock jump.
    pub(super) fn offset() -> i64 {
        let text = FILE
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f2_only_a_clock_that_is_set_back_is_noticed_and_once() {
        let began = Instant::now();
        let seconds = Duration::from_secs;
        let at = |shown: i64| Timestamp::from_seconds(1_795_269_720 + shown);
        let watch = SetBack::default();
        for (passed, shown, back) in [
            (0, 3_600, None),
            (10, 3_610, None),
            // The clock jumps forward, as after a sleep of the machine.
            (20, 7_200, None),
            (1_020, 8_200, None),
            // The clock is set back by an hour; then by 70 s, although it shows more than at the last reading.
            (1_030, 4_610, Some(3_600)),
            (1_040, 4_620, None),
            (1_140, 4_650, Some(70)),
        ] {
            let noticed = watch.notice_at(at(shown), began + seconds(passed));
            assert_eq!(noticed, back.map(seconds), "{passed}");
        }
        watch.keep(seconds(70));
        for back in [Some(70), None] {
            let noticed = watch.notice_at(at(4_651), began + seconds(1_141));
            assert_eq!(noticed, back.map(seconds), "once more");
        }
    }
}
