//! The meetings that a batch has touched so far: each is read once, and its body written once at the end. What
//! later events of the batch look up in rows (places, sessions, requests, artifacts) is written at once.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::domain::{Meeting, MeetingId};
use crate::sqlite::SqliteError;
use crate::store::found_by::FoundBy;

use super::meetings;

/// The meetings of one batch.
pub(super) struct Loaded<'a> {
    file: &'a Connection,
    meetings: HashMap<MeetingId, Kept>,
}

struct Kept {
    meeting: Meeting,
    /// Its row does not say the same.
    is_changed: bool,
}

impl<'a> Loaded<'a> {
    /// None yet.
    pub(super) fn new(file: &'a Connection) -> Self {
        Self {
            file,
            meetings: HashMap::new(),
        }
    }

    /// The meeting as the batch has left it so far.
    pub(super) fn get(&mut self, id: MeetingId) -> Result<Option<&Meeting>, SqliteError> {
        if !self.meetings.contains_key(&id) {
            let Some(meeting) = meetings::load(self.file, id)? else {
                return Ok(None);
            };
            self.keep(meeting, false);
        }
        Ok(self.meetings.get(&id).map(|kept| &kept.meeting))
    }

    /// The running meetings of a channel and its threads, as the batch has left them so far, newest first.
    pub(super) fn running(&mut self, channel: &str) -> Result<Vec<&Meeting>, SqliteError> {
        let ids = meetings::running_in(self.file, channel)?;
        for id in &ids {
            self.get(*id)?;
        }
        let known = ids.iter().filter_map(|id| self.meetings.get(id));
        Ok(known.map(|kept| &kept.meeting).collect())
    }

    /// Takes a meeting that an event has founded: its row must be new, whoever the id was drawn for.
    pub(super) fn add(&mut self, meeting: Meeting) -> Result<(), SqliteError> {
        meetings::insert(self.file, &meeting)?;
        self.index(None, &meeting)?;
        self.keep(meeting, false);
        Ok(())
    }

    /// Takes a meeting that [`Self::get`] gave, as an event left it.
    pub(super) fn change(&mut self, meeting: Meeting) -> Result<(), SqliteError> {
        let before = self.meetings.get(&meeting.id).map(|kept| &kept.meeting);
        self.index(before, &meeting)?;
        let was_running = before.is_some_and(|before| before.state().is_running());
        // The row is how later events find what runs at a place.
        let is_written_now = was_running != meeting.state().is_running();
        if is_written_now {
            meetings::update(self.file, &meeting)?;
        }
        self.keep(meeting, !is_written_now);
        Ok(())
    }

    /// Writes what is not yet written.
    pub(super) fn save(self) -> Result<(), SqliteError> {
        for kept in self.meetings.values().filter(|kept| kept.is_changed) {
            meetings::update(self.file, &kept.meeting)?;
        }
        Ok(())
    }

    /// Writes the rows by which the meeting is found and was not before.
    fn index(&self, before: Option<&Meeting>, meeting: &Meeting) -> Result<(), SqliteError> {
        let found_by = FoundBy::since(before, meeting);
        for request in found_by.requests {
            meetings::add_request(self.file, meeting.id, request)?;
        }
        for sid in found_by.sids {
            meetings::add_session(self.file, meeting.id, sid)?;
        }
        for artifact in found_by.artifacts {
            meetings::add_artifact(self.file, meeting.id, artifact)?;
        }
        Ok(())
    }

    fn keep(&mut self, meeting: Meeting, is_changed: bool) {
        let id = meeting.id;
        let kept = Kept {
            meeting,
            is_changed,
        };
        self.meetings.insert(id, kept);
    }
}
