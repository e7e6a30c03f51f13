//! Something that answers in a peer's place: a login page, a proxy, a wrong server. For a moment it is an outage like any
//! other; if it lasts, the address is probably wrong.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// It is logged when it has lasted for this long,
const LASTS_AFTER: Duration = Duration::from_secs(60);
/// or after this many answers in a row,
const ANSWERS_IN_A_ROW: u32 = 20;
/// and again after this, for as long as it lasts.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Answers in a row that were not the peer's.
#[derive(Debug, Default)]
pub(super) struct Stranger(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    since: Instant,
    answers: u32,
    told_at: Option<Instant>,
}

impl Stranger {
    /// One more answer that was not the peer's.
    pub(super) fn answered(&self, setting: &'static str, status: u16) {
        if self.is_to_be_told() {
            tracing::warn!(
                setting,
                status,
                "something else answers in the peer's place: this address is probably wrong, or a proxy before the peer asks for a login; jobs wait"
            );
        }
    }

    /// The peer answered.
    pub(super) fn gone(&self) {
        let seen = self.lock().take();
        if seen.is_some_and(|seen| seen.told_at.is_some()) {
            tracing::info!("the peer itself answers again");
        }
    }

    fn is_to_be_told(&self) -> bool {
        let now = Instant::now();
        let mut guard = self.lock();
        let seen = guard.get_or_insert(Seen {
            since: now,
            answers: 0,
            told_at: None,
        });
        seen.answers = seen.answers.saturating_add(1);
        let is_lasting = now - seen.since >= LASTS_AFTER || seen.answers >= ANSWERS_IN_A_ROW;
        let is_news = seen.told_at.is_none_or(|at| now - at >= AGAIN_AFTER);
        if is_lasting && is_news {
            seen.told_at = Some(now);
        }
        is_lasting && is_news
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f4_a_stranger_that_lasts_is_told_of_once_in_a_while() {
        let stranger = Stranger::default();
        let mut told = Vec::new();
        for second in 0..1300 {
            // Every five seconds, as whoever asks who the relay is.
            if second % 5 == 0 && stranger.is_to_be_told() {
                told.push(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, [60, 660, 1260]);
        stranger.gone();
        assert!(!stranger.is_to_be_told(), "the next one is a new one");
    }

    #[tokio::test(start_paused = true)]
    async fn f4_many_answers_of_a_stranger_are_told_of_at_once() {
        let stranger = Stranger::default();
        let told = (0..100).filter(|_| stranger.is_to_be_told()).count();
        assert_eq!(told, 1);
    }
}
