//! Replays one after the other, at the pace that is configured.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Gives one turn after the other, evenly, however many ask: a caller that goes away gives its turn up.
#[derive(Debug)]
pub(super) struct Turns {
    every: Duration,
    next: Mutex<Option<Instant>>,
}

impl Turns {
    /// So many turns a second; at least one.
    pub(super) fn per_second(turns: u32) -> Self {
        Self {
            every: Duration::from_secs(1) / turns.max(1),
            next: Mutex::new(None),
        }
    }

    /// Waits for one's turn.
    pub(super) async fn wait(&self) {
        // Held while waiting: whoever comes later waits behind, and is given the turn of one who went away.
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
    async fn turns_come_evenly_whoever_asks() {
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
    async fn first_turn_after_a_rest_comes_at_once_and_rests_are_not_saved_up() {
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
