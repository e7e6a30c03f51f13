//! The repairing commands of the admin API, done by the workers' own means.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::admin::{Admin, OperationError, Operations, Replayed};
use crate::config::Config;
use crate::domain::MeetingId;
use crate::envelope::{self, EnvelopeQueue};
use crate::ports::{Clock, DeadLetter, Store, WayOutKind};
use crate::token::Links;
use crate::worker::{self, Means, Replay, ReplayError};

use super::{Surroundings, settings};

/// What the admin API works with.
pub(super) struct Parts {
    pub(super) store: Arc<dyn Store>,
    /// None: this process cannot publish, because it only looks into the files.
    pub(super) queue: Option<EnvelopeQueue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) links: Links,
    pub(super) way_out: WayOutKind,
}

/// The admin API of this process.
pub(super) fn admin(config: &Config, parts: Parts, surroundings: &Surroundings) -> Arc<Admin> {
    let repairs = Repairs {
        store: Arc::clone(&parts.store),
        queue: parts.queue,
        clock: Arc::clone(&parts.clock),
        pace: Pace::per_second(config.dead_letters.replay_per_second),
    };
    Arc::new(Admin {
        store: parts.store,
        operations: Arc::new(repairs),
        readiness: Arc::clone(&surroundings.readiness),
        metrics: Arc::clone(&surroundings.metrics),
        clock: parts.clock,
        schedule: settings::policy(config, parts.way_out).schedule,
        links: parts.links,
    })
}

/// Operations on this relay.
struct Repairs {
    store: Arc<dyn Store>,
    queue: Option<EnvelopeQueue>,
    clock: Arc<dyn Clock>,
    pace: Pace,
}

impl Repairs {
    fn means(&self) -> Result<Means<'_>, OperationError> {
        let queue = self.queue.as_ref().ok_or_else(|| {
            OperationError::Refused(
                "without a running relay nothing can be put into RabbitMQ: start the relay and repeat this without \
                 --offline"
                    .to_owned(),
            )
        })?;
        Ok(Means {
            store: self.store.as_ref(),
            queue,
            clock: self.clock.as_ref(),
        })
    }
}

#[async_trait]
impl Operations for Repairs {
    async fn end_meeting(&self, meeting: MeetingId, by: &str) -> Result<(), OperationError> {
        worker::end_meeting(self.means()?, meeting, by)
            .await
            .map_err(|error| OperationError::Away(error.to_string()))
    }

    async fn replay(
        &self,
        letter: DeadLetter,
        by: &str,
        anew: bool,
    ) -> Result<Replayed, OperationError> {
        let means = self.means()?;
        self.pace.turn().await;
        let read = |body: &[u8]| envelope::decode(body).ok().map(|envelope| envelope.body);
        let how = Replay {
            by: by.to_owned(),
            anew,
        };
        let worker::Replayed { event, too_late } = worker::replay(means, &letter.id, &how, read)
            .await
            .map_err(refused)?;
        Ok(Replayed { event, too_late })
    }

    async fn discard(&self, letter: DeadLetter, by: &str) -> Result<(), OperationError> {
        worker::discard(self.store.as_ref(), self.clock.as_ref(), &letter.id, by)
            .await
            .map_err(refused)
    }
}

fn refused(error: ReplayError) -> OperationError {
    match error {
        ReplayError::Unknown(id) => OperationError::NotFound(format!("dead letter {id}")),
        ReplayError::Unreadable(_)
        | ReplayError::NoMeeting(_)
        | ReplayError::OldEnd(_)
        | ReplayError::TooSoon(_) => OperationError::Refused(error.to_string()),
        ReplayError::Queue(_) | ReplayError::Store(_) => OperationError::Away(error.to_string()),
    }
}

/// Gives one turn after the other, evenly, however many ask: a caller that goes away gives its turn up.
#[derive(Debug)]
struct Pace {
    every: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many turns a second; at least one.
    fn per_second(turns: u32) -> Self {
        Self {
            every: Duration::from_secs(1) / turns.max(1),
            next: Mutex::new(None),
        }
    }

    /// Waits for one's turn.
    async fn turn(&self) {
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_evenly_whoever_asks() {
        let pace = Arc::new(Pace::per_second(10));
        let began = Instant::now();
        let turns = (0..31).map(|_| {
            let pace = Arc::clone(&pace);
            async move { pace.turn().await }
        });
        futures_util::future::join_all(turns).await;
        assert_eq!(began.elapsed().as_millis() / 100, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn first_turn_after_a_rest_comes_at_once_and_rests_are_not_saved_up() {
        let pace = Pace::per_second(10);
        pace.turn().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let began = Instant::now();
        pace.turn().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        pace.turn().await;
        assert!(began.elapsed() >= Duration::from_millis(100));
    }
}
