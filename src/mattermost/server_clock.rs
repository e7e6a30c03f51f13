//! Estimates Mattermost's clock from the `Date` of its answers.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;

/// How far the server's clock is ahead of ours, in milliseconds; zero until the first answer.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    ahead_millis: AtomicI64,
}

impl ServerClock {
    /// Updates the estimate from an answer with this `date` to a request that was sent and answered at these times of
    /// our clock. A date is cut to seconds, so the error of the estimate is at most half a second plus half the round
    /// trip.
    pub(super) fn learn(&self, date: SystemTime, asked_at: Timestamp, answered_at: Timestamp) {
        let Ok(since_epoch) = date.duration_since(UNIX_EPOCH) else {
            return;
        };
        let theirs = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        let ours = asked_at.millis() / 2 + answered_at.millis() / 2;
        let ahead = theirs.saturating_add(500).saturating_sub(ours);
        self.ahead_millis.store(ahead, Ordering::Relaxed);
    }

    /// Converts a time of our clock to the server's clock, in milliseconds.
    pub(super) fn theirs(&self, ours: Timestamp) -> i64 {
        ours.millis()
            .saturating_add(self.ahead_millis.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_estimate_is_within_half_a_second_and_half_the_round_trip() {
        for ahead in [-3_600_000i64, -1, 0, 999, 7_200_000] {
            for fraction in [0, 1, 500, 999] {
                let asked = 1_795_246_575_000 + fraction;
                let answered = asked + 200;
                let stamped = (asked + 100 + ahead) / 1000;
                let clock = ServerClock::default();
                clock.learn(
                    UNIX_EPOCH + Duration::from_secs(stamped.unsigned_abs()),
                    Timestamp::from_millis(asked),
                    Timestamp::from_millis(answered),
                );
                let theirs = clock.theirs(Timestamp::from_millis(asked));
                let off = theirs - (asked + ahead);
                assert!(off.abs() <= 600, "ahead {ahead}: off by {off}");
            }
        }
    }

    #[test]
    fn without_an_answer_the_clocks_are_taken_for_equal() {
        assert_eq!(ServerClock::default().theirs(Timestamp::from_millis(5)), 5);
    }
}
