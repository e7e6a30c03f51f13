//! What workers tell about themselves; the app turns it into metrics.

use std::time::Duration;

use crate::domain::apply::Effect;
use crate::domain::label::labels;
use crate::domain::retry::RetryReason;
use crate::domain::{Event, Peer, TriggerSource};
use crate::ports::QueueName;

use super::BreakerState;

labels! {
    /// What became of a message.
    pub enum JobOutcome {
        /// Its effect is there.
        Delivered = "delivered",
        /// Another attempt is scheduled.
        Retried = "retried",
        /// Given up.
        DeadLettered = "dead_lettered",
        /// Its effect was no longer wanted.
        Obsolete = "obsolete",
    }

    /// Why something was given up.
    pub enum DeadReason {
        /// Attempts or age used up, or a permanent answer.
        GivenUp = "given_up",
        /// It was worked on too often without an end.
        Poison = "poison",
        /// It could not be read.
        Unreadable = "unreadable",
    }

    /// What was found by asking, because no webhook told it.
    pub enum Repair {
        /// An end.
        MissedEnd = "missed_end",
        /// A recording or artifact.
        MissedArtifact = "missed_artifact",
        /// A phrase in a channel.
        MissedTrigger = "missed_trigger",
        /// A meeting whose work was not done in time, published again. Counted when that is applied.
        Woken = "woken",
    }
}

/// Told by workers as they go. Every method has an empty default.
pub trait WorkObserver: Send + Sync + 'static {
    /// An event was applied.
    fn applied(&self, event: &Event, effect: Effect) {
        let _ = (event, effect);
    }
    /// A message waited so long in its queue after it was due.
    fn waited(&self, queue: QueueName, wait: Duration) {
        let _ = (queue, wait);
    }
    /// Work on a message began (+1) or ended (-1).
    fn in_flight(&self, queue: QueueName, change: i64) {
        let _ = (queue, change);
    }
    /// A message was settled after so much work.
    fn settled(&self, queue: QueueName, outcome: JobOutcome, took: Duration) {
        let _ = (queue, outcome, took);
    }
    /// A retry was scheduled.
    fn retried(&self, queue: QueueName, reason: RetryReason) {
        let _ = (queue, reason);
    }
    /// A dead letter was kept.
    fn buried(&self, queue: QueueName, reason: DeadReason) {
        let _ = (queue, reason);
    }
    /// The first card of a request was posted, so long after the request was accepted.
    fn card_posted(&self, via: &TriggerSource, after: Duration) {
        let _ = (via, after);
    }
    /// A card was brought up to date, so long after the event that called for it was accepted.
    fn card_updated(&self, is_over: bool, after: Duration) {
        let _ = (is_over, after);
    }
    /// A breaker changed.
    fn breaker(&self, peer: Peer, state: BreakerState) {
        let _ = (peer, state);
    }
    /// A poll found what no webhook had told.
    fn repaired(&self, repair: Repair) {
        let _ = repair;
    }
    /// The sweep looked through all meetings.
    fn swept(&self) {}
    /// A late answer could not be given (no response URL, or it has run out).
    fn answer_lost(&self) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl WorkObserver for Silent {}
