//! Limits replays to the configured rate, one after the other.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Grants one turn after the other at a fixed interval, however many callers wait. A caller that stops waiting loses
/// its turn to the next one.
#[derive(Debug)]
pub(super) struct Turns {
    every: Duration,
    next: Mutex<Option<Instant>>,
}

impl Turns {
    /// This many turns a second, at least one.
    pub(super) fn per_second(turns: u32) -> Self {
        Self {
            every: Duration::from_secs(1) / turns.max(1),
            next: Mutex::new(None),
        }
    }

    /// Waits for the caller's turn.
    pub(super) async fn wait(&self) {
        // The lock is held while waiting, so that later callers queue behind. When this caller is cancelled, the next
        // one gets the turn.
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            tokio::time::sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.every);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_at_a_fixed_interval() {
        let turns = Arc::new(Turns::per_second(10));
        let began = Instant::now();
        let waiting = (0..31).map(|_| {
            let turns = Arc::clone(&turns);
            async move { turns.wait().await }
        });
        futures_util::future::join_all(waiting).await;
        assert_eq!(began.elapsed().as_millis() / 100, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn first_turn_after_a_pause_comes_at_once_and_unused_turns_are_not_saved() {
        let turns = Turns::per_second(10);
        turns.wait().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let began = Instant::now();
        turns.wait().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        turns.wait().await;
        assert!(began.elapsed() >= Duration::from_millis(100));
    }
}
