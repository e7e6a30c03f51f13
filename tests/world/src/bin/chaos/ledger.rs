//! What was asked for and told during the run, and whether what is seen afterwards agrees with it. Pure.

mod reconcile;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use reconcile::{Counts, Verdict};
pub use world::reconcile::Discrepancy;

/// What a person wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Start,
    /// A start where one was asked for just before.
    Again,
    End,
}

/// What became of a request, as far as its sender sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The relay took it.
    Accepted,
    /// The relay said no, in words that the person sees.
    Refused(String),
    /// The relay said no, or nothing, and the person does not see why.
    Silent(String),
    /// Mattermost's one try met no relay, or one that died: it may have taken it all the same.
    Lost(String),
}

/// One request of a person.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The meeting's number in the plan.
    pub number: u32,
    pub what: What,
    /// Where it was asked.
    pub channel: String,
    /// By words in the channel; otherwise by command.
    pub is_post: bool,
    /// The response URL's last part; empty for a post and for a command that failed.
    pub response: String,
    /// The answer's X-Request-Id: the event's id.
    pub event: Option<String>,
    pub fate: Fate,
    /// The immediate answer named the running meeting, so that no later one is owed.
    pub is_told: bool,
}

/// What plugNmeet told the relay of one session.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Webhooks that got a 2xx.
    pub accepted: u32,
    /// Webhooks that never did.
    pub lost: u32,
    /// The people whose coming was told.
    pub people: BTreeSet<String>,
}

/// One meeting as the relay and the chat show it.
#[derive(Clone, Debug, Default)]
pub struct Meeting {
    pub id: String,
    pub channel: String,
    pub state: String,
    /// Request id and what became of the wish.
    pub requests: Vec<(String, String)>,
    /// Ids of the events that were applied to it.
    pub history: BTreeSet<String>,
    /// It owes something until then.
    pub wake_at: Option<String>,
    /// A job of it was given up, or a dead letter names it.
    pub is_buried: bool,
    /// What stands in Mattermost, by key; replies and cards that are not deleted.
    pub posts: BTreeMap<String, u32>,
    /// The card's message, and all of its text.
    pub card: Option<(String, String)>,
}

/// One session as plugNmeet knows it.
#[derive(Clone, Debug)]
pub struct Session {
    pub sid: String,
    pub room: String,
    /// The meeting that made its room.
    pub meeting: Option<String>,
    pub is_over: bool,
}

/// Everything that is seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub meetings: BTreeMap<String, Meeting>,
    pub sessions: Vec<Session>,
    /// Ids of dead letters with their reasons.
    pub letters: BTreeMap<String, String>,
    /// How often something came through a response URL.
    pub responses: BTreeMap<String, u32>,
}

/// The notes of a run.
#[derive(Default)]
pub struct Ledger(Mutex<Notes>);

/// What was noted.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    pub asked: Vec<Asked>,
    pub told: BTreeMap<String, Told>,
    /// Recordings and summaries, by session.
    pub made: BTreeMap<String, Vec<String>>,
}

impl Asked {
    /// Whether the relay finds it by itself: a phrase in a public channel that no relay took.
    pub fn is_found_later(&self) -> bool {
        self.is_post && matches!(self.fate, Fate::Lost(_))
    }
}

impl Ledger {
    /// Notes a request.
    pub fn asked(&self, asked: Asked) {
        self.lock().asked.push(asked);
    }

    /// Notes what plugNmeet told of a session.
    pub fn told(&self, sid: &str, told: Told) {
        self.lock().told.insert(sid.to_owned(), told);
    }

    /// Notes a recording or summary of a session.
    pub fn made(&self, sid: &str, artifact: String) {
        self.lock()
            .made
            .entry(sid.to_owned())
            .or_default()
            .push(artifact);
    }

    /// All of it.
    pub fn notes(&self) -> Notes {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
