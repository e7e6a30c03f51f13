//! Keeps from filling the log what lasts, or what strangers can cause as often as they like.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One line at most within this time; the next one tells how often it happened.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// When something was logged last, by whichever task, and how often it happened since.
#[derive(Debug, Default)]
pub(crate) struct LogThrottle(Mutex<ThrottleState>);

#[derive(Debug, Default)]
struct ThrottleState {
    logged_at: Option<Instant>,
    /// Since then.
    count: u64,
}

impl LogThrottle {
    /// It happened once more. If it is to be logged now, how often it happened since the last line, this time
    /// included; it counts as logged then.
    pub(crate) fn next_line(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count = state.count.saturating_add(1);
        let is_due = state
            .logged_at
            .is_none_or(|at| at.elapsed() >= LOGGED_EVERY);
        is_due.then(|| {
            state.logged_at = Some(Instant::now());
            std::mem::take(&mut state.count)
        })
    }

    /// Whether it is to be logged now; if so, it counts as logged.
    pub(crate) fn should_log(&self) -> bool {
        self.next_line().is_some()
    }

    /// The trouble is over: the next one is logged at once. Whether there was one.
    pub(crate) fn clear(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *state).logged_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lasting_trouble_is_told_once_a_minute() {
        let throttle = LogThrottle::default();
        let mut told = 0;
        for _ in 0..180 {
            told += u32::from(throttle.should_log());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_trouble_is_told_at_once() {
        let throttle = LogThrottle::default();
        assert!(!throttle.clear());
        assert!(throttle.should_log() && !throttle.should_log());
        assert!(throttle.clear());
        assert!(throttle.should_log());
    }

    #[tokio::test(start_paused = true)]
    async fn f17_a_flood_is_one_line_a_minute_with_its_count() {
        let throttle = LogThrottle::default();
        assert_eq!(throttle.next_line(), Some(1));
        for _ in 0..500 {
            assert_eq!(throttle.next_line(), None);
        }
        tokio::time::advance(LOGGED_EVERY).await;
        assert_eq!(throttle.next_line(), Some(501));
    }
}
