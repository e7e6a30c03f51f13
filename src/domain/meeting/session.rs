//! One run of a room, as a set of facts that may come in any order.

use serde::{Deserialize, Serialize};

use crate::domain::{EndSaid, Sid, Timestamp};

/// One run of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// plugNmeet's id of it.
    pub sid: Sid,
    /// When it was made, by the answer to our create, on plugNmeet's clock.
    pub answered_at: Option<Timestamp>,
    /// When it was made, by `room_created` or `session_ended`, on plugNmeet's clock.
    pub announced_at: Option<Timestamp>,
    /// The earliest event about it, on plugNmeet's clock: orders sessions whose making was never told.
    pub said_at: Option<Timestamp>,
    /// When we first heard of it, on our clock.
    pub known_at: Timestamp,
    /// Rises with each create answer that succeeded. Of two sessions with one creation time the higher one is newer.
    pub answer_rank: u32,
    /// When it ended by `session_ended`, on plugNmeet's clock.
    pub session_ended_at: Option<Timestamp>,
    /// When it ended by `room_finished`, on plugNmeet's clock.
    pub room_finished_at: Option<Timestamp>,
    /// The earliest poll (or answer to an end) that saw it gone, on our clock.
    pub poll_ended_at: Option<Timestamp>,
    /// When plugNmeet was first heard to say that it ended, on our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_heard_at: Option<Timestamp>,
}

/// When a session ended, and on whose clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// plugNmeet said so, on its clock.
    Told(Timestamp),
    /// A poll saw it, on our clock: "about".
    Seen(Timestamp),
}

impl Session {
    /// A session of which nothing is known but that it is there.
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

    /// When it was made, on plugNmeet's clock, by the best source there is.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.answered_at.or(self.announced_at)
    }

    /// Something said that it is over.
    pub fn is_ended(&self) -> bool {
        self.end().is_some()
    }

    /// When it ended, by the best source there is.
    pub fn end(&self) -> Option<End> {
        self.session_ended_at
            .or(self.room_finished_at)
            .map(End::Told)
            .or(self.poll_ended_at.map(End::Seen))
    }

    /// Orders sessions of one room: made later is newer; equal: answered last.
    pub(super) fn age_key(&self) -> (Option<Timestamp>, u32, &Sid) {
        (
            self.created_at().or(self.said_at),
            self.answer_rank,
            &self.sid,
        )
    }

    /// Notes an event about it, made at `said_at` (plugNmeet's clock), heard at `heard_at` (ours).
    pub(crate) fn hear(&mut self, said_at: Timestamp, heard_at: Timestamp) {
        self.said_at = Some(self.said_at.map_or(said_at, |known| known.min(said_at)));
        self.known_at = self.known_at.min(heard_at);
    }

    /// Notes an end, heard at `heard_at` (our clock); the earliest time of each source counts.
    pub(crate) fn note_end(&mut self, said: EndSaid, at: Timestamp, heard_at: Timestamp) {
        let known = match said {
            EndSaid::SessionEnded => &mut self.session_ended_at,
            EndSaid::RoomFinished => &mut self.room_finished_at,
        };
        *known = Some(known.map_or(at, |earlier| earlier.min(at)));
        let heard = self.end_heard_at;
        self.end_heard_at = Some(heard.map_or(heard_at, |earlier| earlier.min(heard_at)));
    }

    /// Notes that a poll saw it gone.
    pub(crate) fn note_gone(&mut self, at: Timestamp) {
        self.poll_ended_at = Some(self.poll_ended_at.map_or(at, |earlier| earlier.min(at)));
    }
}
