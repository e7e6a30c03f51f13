//! Limits how long apply waits for a peer's answer before it continues without one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// Longest that a batch of events waits for answers.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// For this long a peer that did not answer in time is not asked again, because every batch would wait for it.
const NOT_ASKED_FOR: Duration = Duration::from_secs(10);

/// When one peer last failed to answer in time.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<Option<Instant>>);

impl Patience {
    /// Whether the peer may be asked: it answered in time, or [`NOT_ASKED_FOR`] has passed since it did not.
    pub(super) fn may_ask(&self) -> bool {
        let asked_again_at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked_again_at.is_none_or(|at| Instant::now() >= at)
    }

    /// Waits for the answer. `None`: it did not arrive in time.
    pub(super) async fn ask<T>(&self, asking: impl Future<Output = T>) -> Option<T> {
        let answer = timeout(ANSWER_WITHIN, asking).await.ok();
        if answer.is_none() {
            let again_at = Instant::now() + NOT_ASKED_FOR;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(again_at);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f16_a_slow_peer_is_waited_for_once_in_a_while() {
        let patience = Patience::default();
        assert_eq!(patience.ask(async { 1 }).await, Some(1));
        assert!(patience.may_ask());
        assert_eq!(patience.ask(std::future::pending::<u8>()).await, None);
        assert!(!patience.may_ask(), "the next batches go on without it");
        tokio::time::advance(NOT_ASKED_FOR).await;
        assert!(patience.may_ask());
    }
}
