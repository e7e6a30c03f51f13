//! Poison: a redelivered message may be what ended the last process. Such a message is marked in the store just before
//! its own work and cleared by any verdict, and one that was marked before is worked on while no other marked one is:
//! so the count of a message tells of its own work and not of its neighbours'.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::{debug, error, warn};

use crate::domain::JobId;
use crate::ports::{QueueName, Received, StoreError};

use super::Shop;
use super::apply::pause;

/// Most redelivered messages of one queue that are marked after a start; the others are worked on like new ones. What
/// ended the last process was in its hands, and so it is among the first that come again, while all that lay in an
/// embedded queue counts as redelivered: marks for 100 000 would take minutes. Twice what a process has in hand.
pub(super) const SUSPECTS_MAX: usize = 128;

/// The right to work on a message that is suspected; one at a time.
pub(super) type Alone = OwnedMutexGuard<()>;

/// Who is suspected, and the right to work on one who was marked before.
#[derive(Default)]
pub(super) struct Suspects {
    counts: [AtomicUsize; QueueName::ALL.len()],
    alone: Arc<Mutex<()>>,
}

impl Suspects {
    /// Whether a delivery is to be marked before its work. One that is redelivered and is not to be marked counts as
    /// new from here on: there is no mark to be cleared.
    pub(super) fn include(&self, received: &mut Received) -> bool {
        let count = &self.counts[received.queue as usize];
        let is_one_more = || count.fetch_add(1, Ordering::Relaxed) < SUSPECTS_MAX;
        received.redelivered = received.redelivered && is_one_more();
        received.redelivered
    }
}

/// What the mark says of a message.
pub(super) enum Suspicion {
    /// It may be worked on.
    Cleared {
        /// How often work on it has begun, this time included.
        count: u32,
        /// What keeps others that are suspected waiting, until it is dropped.
        alone: Alone,
    },
    /// Work on it was begun too often; why, for the dead letter.
    Poison(String),
    /// Unknown: the workers were stopped first.
    Stopped,
}

/// Counts work under `name`, before it begins. `alone` is what the caller already has in hand of that kind.
pub(super) async fn suspect(shop: &Shop, name: &str, alone: Option<Alone>) -> Suspicion {
    let alone = match alone {
        Some(alone) => alone,
        None => tokio::select! {
            biased;
            () = shop.stop.cancelled() => return Suspicion::Stopped,
            alone = Arc::clone(&shop.suspects.alone).lock_owned() => alone,
        },
    };
    loop {
        match shop.deps.store.mark_redelivered(name).await {
            Ok(count) if count > shop.settings.poison_max => {
                let tries = shop.settings.poison_max;
                return Suspicion::Poison(format!(
                    "poison: work on it was begun {tries} times and never ended"
                ));
            }
            Ok(count) => {
                if count > 1 {
                    warn!(
                        message.id = name,
                        count, "work on this was begun before and never ended: it is done alone"
                    );
                }
                return Suspicion::Cleared { count, alone };
            }
            Err(StoreError::Refused(why)) => {
                warn!(why, "a redelivered message cannot be marked");
                return Suspicion::Cleared { count: 1, alone };
            }
            Err(StoreError::Away(why)) => {
                if shop.store_trouble.is_news() {
                    error!(why, "the store is away: messages wait, nothing is lost");
                }
                if !pause(shop).await {
                    return Suspicion::Stopped;
                }
            }
        }
    }
}

/// Under what work on a job is counted whatever message calls for it: each round's message has an id of its own, so that
/// theirs alone would never add up when a process that dies is started only now and then.
pub(super) fn job_mark(id: &JobId) -> String {
    format!("{}:{}", id.meeting, id.job.key())
}

/// Work of this name met a verdict.
pub(super) async fn forget_mark(shop: &Shop, name: &str) {
    if let Err(error) = shop.deps.store.clear_mark(name).await {
        debug!(%error, "a redelivery mark stays");
    }
}
