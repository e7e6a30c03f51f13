//! What a batch has changed, to be written with a few statements at its end.

use std::collections::HashSet;

use super::super::text::clean;
use crate::domain::apply::Effect;
use crate::domain::{Event, EventId, Meeting, MeetingId, Origin};
use crate::store::found_by::FoundBy;

/// A dedup key, as it stands in its row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: String,
    pub(super) key: String,
}

impl Key {
    pub(super) fn of(origin: &Origin) -> Self {
        Self {
            source: clean(&origin.source).into_owned(),
            key: clean(&origin.key).into_owned(),
        }
    }
}

/// What is known of the first event of a dedup key.
#[derive(Debug, Clone)]
pub(super) struct First {
    /// Its id.
    pub(super) event: EventId,
    /// `content_hash` of its fact.
    pub(super) content: [u8; 32],
    /// The meeting that it concerned.
    pub(super) meeting: Option<MeetingId>,
}

/// One line of the event log.
pub(super) struct Line {
    pub(super) event: Event,
    pub(super) effect: Effect,
    pub(super) meeting: Option<MeetingId>,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Changes {
    /// Meetings without a row.
    pub(super) added: HashSet<MeetingId>,
    /// Meetings whose row does not say the same.
    pub(super) changed: HashSet<MeetingId>,
    pub(super) requests: Vec<(String, MeetingId)>,
    pub(super) sids: Vec<(String, MeetingId)>,
    pub(super) artifacts: Vec<(String, MeetingId)>,
    pub(super) seen: Vec<(Key, First)>,
    pub(super) lines: Vec<Line>,
}

impl Changes {
    /// Notes by what the meeting is found now and was not before.
    pub(super) fn index(&mut self, before: Option<&Meeting>, meeting: &Meeting) {
        let FoundBy {
            requests,
            sids,
            artifacts,
        } = FoundBy::since(before, meeting);
        let id = meeting.id;
        self.requests
            .extend(requests.iter().map(|request| (request.to_string(), id)));
        self.sids
            .extend(sids.iter().map(|sid| (sid.to_string(), id)));
        self.artifacts
            .extend(artifacts.iter().map(|artifact| (artifact.to_string(), id)));
    }
}
