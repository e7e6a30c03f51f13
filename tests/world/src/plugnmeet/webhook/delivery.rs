//! The log of webhooks: what was sent where, how often, and what came of it.

use std::sync::Arc;
use std::time::Instant;

use super::Outgoing;

/// How many of the newest deliveries are kept.
pub const DELIVERIES_KEPT: usize = 10_000;

/// One event on its way to one URL.
#[derive(Clone)]
pub struct Delivery {
    /// Its number, in the order of sending.
    pub number: u64,
    /// The event's name.
    pub event: String,
    /// The event's id: the same for every URL and every double.
    pub id: String,
    /// The room.
    pub room_id: String,
    /// The session.
    pub sid: String,
    /// Where it goes.
    pub url: String,
    /// The exact body.
    pub body: Arc<str>,
    /// The token in `Authorization` and `Hash-Token`, once there was an attempt: the same for all attempts.
    pub token: Option<String>,
    /// The attempts so far.
    pub attempts: Vec<Attempt>,
    /// What came of it.
    pub outcome: Outcome,
    pub(super) room_url: Option<String>,
    pub(super) forced: bool,
}

/// One try at delivering.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// When it began.
    pub at: Instant,
    /// The final status after redirects; `None` when no answer came.
    pub status: Option<u16>,
}

/// What came of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is queued, being tried, or waiting for its next attempt.
    Waiting,
    /// A 2xx or 3xx.
    Accepted,
    /// A final 4xx, or 501: the event is lost to that URL.
    Refused,
    /// Three attempts failed: the event is lost to that URL.
    GivenUp,
    /// It was never sent to the end: dropped on demand, or the server stopped.
    Lost,
}

impl Delivery {
    pub(super) fn new(number: u64, outgoing: &Outgoing, url: &str) -> Self {
        Self {
            number,
            event: outgoing.event.clone(),
            id: outgoing.id.clone(),
            room_id: outgoing.room_id.clone(),
            sid: outgoing.sid.clone(),
            url: url.to_owned(),
            body: outgoing.body.clone(),
            token: None,
            attempts: Vec::new(),
            outcome: Outcome::Waiting,
            room_url: outgoing.room_url.clone(),
            forced: outgoing.forced,
        }
    }

    pub(super) fn outgoing(&self) -> Outgoing {
        Outgoing {
            event: self.event.clone(),
            id: self.id.clone(),
            room_id: self.room_id.clone(),
            sid: self.sid.clone(),
            body: self.body.clone(),
            room_url: self.room_url.clone(),
            forced: self.forced,
        }
    }
}

/// An event that is kept back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The event's name.
    pub event: String,
    /// The event's id.
    pub id: String,
    /// The room.
    pub room_id: String,
    /// The exact body.
    pub body: Arc<str>,
}

impl Held {
    pub(super) fn of(outgoing: &Outgoing) -> Self {
        Self {
            event: outgoing.event.clone(),
            id: outgoing.id.clone(),
            room_id: outgoing.room_id.clone(),
            body: outgoing.body.clone(),
        }
    }
}
