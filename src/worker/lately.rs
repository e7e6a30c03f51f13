//! Keeps a trouble that lasts from filling the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// While a trouble lasts, its line comes again after this time.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// When a trouble was told of last, by whichever task.
#[derive(Debug, Default)]
pub(crate) struct Lately(Mutex<Option<Instant>>);

impl Lately {
    /// Whether the trouble is to be told of now; if so, it counts as told.
    pub(crate) fn is_news(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.is_none_or(|at| at.elapsed() >= TOLD_AGAIN_AFTER);
        if is_news {
            *told = Some(Instant::now());
        }
        is_news
    }

    /// The trouble is over: the next one is told of at once.
    pub(crate) fn clear(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lasting_trouble_is_told_once_a_minute() {
        let lately = Lately::default();
        let mut told = 0;
        for _ in 0..180 {
            told += u32::from(lately.is_news());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_trouble_is_told_at_once() {
        let lately = Lately::default();
        assert!(!lately.clear());
        assert!(lately.is_news() && !lately.is_news());
        assert!(lately.clear());
        assert!(lately.is_news());
    }
}
