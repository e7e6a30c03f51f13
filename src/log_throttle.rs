//! Limits how often one message is logged: for a fault that lasts, and for what anybody on the network can cause at any
//! rate.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// At most one line is logged in this time. The next line carries the count.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// When a message was last logged, by any task, and how often its cause happened since.
#[derive(Debug, Default)]
pub(crate) struct LogThrottle(Mutex<ThrottleState>);

#[derive(Debug, Default)]
struct ThrottleState {
    logged_at: Option<Instant>,
    /// Occurrences since `logged_at`.
    count: u64,
}

impl LogThrottle {
    /// Counts one more occurrence. If it should be logged now, returns how many happened since the last line, this one
    /// included, and counts it as logged.
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

    /// Whether this occurrence should be logged now. If so, it counts as logged.
    pub(crate) fn should_log(&self) -> bool {
        self.next_line().is_some()
    }

    /// The fault is over: the next one is logged at once. Returns whether a fault had been logged.
    pub(crate) fn clear(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *state).logged_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lasting_fault_is_logged_once_a_minute() {
        let throttle = LogThrottle::default();
        let mut lines = 0;
        for _ in 0..180 {
            lines += u32::from(throttle.should_log());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(lines, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn new_fault_is_logged_at_once() {
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
