//! One run of a room, as a set of facts that may arrive in any order.

use serde::{Deserialize, Serialize};

use crate::domain::{EndSaid, Sid, Timestamp};

/// One run of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id in plugNmeet.
    pub sid: Sid,
    /// When it was created, as the answer to our create says, on plugNmeet's clock.
    pub answered_at: Option<Timestamp>,
    /// When it was created, as `room_created` or `session_ended` says, on plugNmeet's clock.
    pub announced_at: Option<Timestamp>,
    /// The time of the earliest event about it, on plugNmeet's clock. It orders sessions whose creation was never
    /// reported.
    pub said_at: Option<Timestamp>,
    /// When it became known, on our clock.
    pub known_at: Timestamp,
    /// Increases with each successful answer to a create. Of two sessions with the same creation time the higher one is
    /// newer.
    pub answer_rank: u32,
    /// When it ended, as `session_ended` says, on plugNmeet's clock.
    pub session_ended_at: Option<Timestamp>,
    /// When it ended, as `room_finished` says, on plugNmeet's clock.
    pub room_finished_at: Option<Timestamp>,
    /// The time of the earliest poll, or answer to a request to end, that found it gone, on our clock.
    pub poll_ended_at: Option<Timestamp>,
    /// When plugNmeet first reported that it ended, on our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_heard_at: Option<Timestamp>,
}

/// When a session ended, and on whose clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// plugNmeet reported it, on its clock.
    Told(Timestamp),
    /// A poll found it, on our clock. The card says "about".
    Seen(Timestamp),
}

impl Session {
    /// A session of which only the id is known.
    pub fn new(sid: Sid, known_at: Timestamp) -> Self {
        Self {
            sid,
            answered_at: None,
            announced_at: None,
            said_at: None,
            known_at,
            answer_rank: 0,
            session_ended_at: None,
            room_finished_at: None,
            poll_ended_at: None,
            end_heard_at: None,
        }
    }

    /// When it was created, on plugNmeet's clock, from the best source.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.answered_at.or(self.announced_at)
    }

    /// Whether any source says that it is over.
    pub fn is_ended(&self) -> bool {
        self.end().is_some()
    }

    /// When it ended, from the best source.
    pub fn end(&self) -> Option<End> {
        self.session_ended_at
            .or(self.room_finished_at)
            .map(End::Told)
            .or(self.poll_ended_at.map(End::Seen))
    }

    /// Orders the sessions of one room: the one that was created later is newer, and of equal ones the one that was
    /// answered last.
    pub(super) fn age_key(&self) -> (Option<Timestamp>, u32, &Sid) {
        (
            self.created_at().or(self.said_at),
            self.answer_rank,
            &self.sid,
        )
    }

    /// Records an event about it, which was created at `said_at` (plugNmeet's clock) and arrived at `heard_at` (ours).
    pub(crate) fn hear(&mut self, said_at: Timestamp, heard_at: Timestamp) {
        self.said_at = Some(self.said_at.map_or(said_at, |known| known.min(said_at)));
        self.known_at = self.known_at.min(heard_at);
    }

    /// Records an end that arrived at `heard_at` (our clock). The earliest time of each source counts.
    pub(crate) fn note_end(&mut self, said: EndSaid, at: Timestamp, heard_at: Timestamp) {
        let known = match said {
            EndSaid::SessionEnded => &mut self.session_ended_at,
            EndSaid::RoomFinished => &mut self.room_finished_at,
        };
        *known = Some(known.map_or(at, |earlier| earlier.min(at)));
        let heard = self.end_heard_at;
        self.end_heard_at = Some(heard.map_or(heard_at, |earlier| earlier.min(heard_at)));
    }

    /// Records that a poll found it gone.
    pub(crate) fn note_gone(&mut self, at: Timestamp) {
        self.poll_ended_at = Some(self.poll_ended_at.map_or(at, |earlier| earlier.min(at)));
    }
}
