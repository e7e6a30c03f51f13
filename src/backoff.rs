//! Pauses between attempts. This is the only file that names the `backoff` crate. The crate only computes the schedule:
//! it neither sleeps nor draws random numbers here.

#[cfg(test)]
mod tests;

use std::time::Duration;

use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

/// Lower bound of every pause, whatever the jitter is. Only a schedule that is shorter itself has shorter pauses.
pub const DELAY_MIN: Duration = Duration::from_millis(100);
/// Upper bound of every pause, whatever is configured. It is far below what the crate's arithmetic can hold.
pub const DELAY_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// From this attempt on the schedule does not grow: 2^64 times any initial pause is more than [`DELAY_MAX`].
const ATTEMPT_MAX: u32 = 65;

/// Exponential with factor 2 and full jitter: attempt `n` is followed by a pause between [`DELAY_MIN`] and
/// `initial` · 2^(n-1), at most `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest pause after the first attempt.
    pub initial: Duration,
    /// The longest pause after any attempt.
    pub max: Duration,
}

/// A job that waits for a peer is tried again after at most a third of the time for which it has waited. So it is
/// tried soon after a short outage.
const OUTAGE_DIVISOR: u32 = 3;

impl Backoff {
    /// The same schedule, with pauses that are limited in proportion to a wait that has lasted for `lasted`.
    #[must_use]
    pub fn within(self, lasted: Duration) -> Self {
        let max = self
            .max
            .min((lasted / OUTAGE_DIVISOR).max(self.initial.min(self.max)));
        Self { max, ..self }
    }

    /// The pause after attempt `attempt` (from 1; 0 counts as 1). `sample` is a random number from 0 to 1 that the
    /// caller drew. A number outside this range counts as the nearer end, and NaN as 1.
    pub fn delay(&self, attempt: u32, sample: f64) -> Duration {
        let longest = self.longest(attempt);
        let sample = if sample.is_nan() {
            1.0
        } else {
            sample.clamp(0.0, 1.0)
        };
        longest.mul_f64(sample).max(DELAY_MIN).min(longest)
    }

    /// The longest pause after attempt `attempt`: the schedule before jitter.
    pub fn longest(&self, attempt: u32) -> Duration {
        let max = self.max.min(DELAY_MAX);
        let mut schedule: ExponentialBackoff = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial.min(max))
            .with_max_interval(max)
            .with_multiplier(2.0)
            .with_randomization_factor(0.0)
            .with_max_elapsed_time(None)
            .build();
        for _ in 1..attempt.min(ATTEMPT_MAX) {
            schedule.next_backoff();
        }
        schedule.current_interval.min(max)
    }
}
