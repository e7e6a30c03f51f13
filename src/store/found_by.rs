//! By what a meeting is found besides its id, its room and its place.

use crate::domain::{ArtifactId, Meeting, RequestId, Sid};

/// Ids that lead to a meeting.
pub(super) struct FoundBy<'a> {
    pub(super) requests: Vec<RequestId>,
    /// Its own sessions and those of its breakout rooms.
    pub(super) sids: Vec<&'a Sid>,
    pub(super) artifacts: Vec<&'a ArtifactId>,
}

impl<'a> FoundBy<'a> {
    /// What leads to `meeting` and did not to what it was `before`; nothing is ever taken from these sets.
    pub(super) fn since(before: Option<&Meeting>, meeting: &'a Meeting) -> Self {
        let known = before.map_or(0, |before| before.requests.len());
        let requests = meeting.requests.iter().skip(known);
        let known = before.map_or(0, |before| before.sessions.len());
        let own = meeting.sessions.iter().skip(known);
        let breakouts = meeting
            .breakouts
            .iter()
            .filter(|sid| before.is_none_or(|before| !before.breakouts.contains(*sid)));
        let artifacts = meeting
            .artifacts
            .keys()
            .filter(|id| before.is_none_or(|before| !before.artifacts.contains_key(*id)));
        Self {
            requests: requests.map(|request| request.id).collect(),
            sids: own.map(|session| &session.sid).chain(breakouts).collect(),
            artifacts: artifacts.collect(),
        }
    }
}
