//! Handles jobs that are given up, and requests for their effect after that. A new request of a person is owed again,
//! whatever was given up before. A given up poll never keeps the next poll of its series from being owed.

use crate::domain::meeting::EndRequest;
use crate::domain::{Job, Meeting, Timestamp};

/// Records that a job is a dead letter. Polls are a series: the next one is due as if this one had been answered.
pub(super) fn give_up(meeting: &mut Meeting, key: &str, at: Timestamp) {
    if !meeting.given_up.insert(key.to_owned()) {
        return;
    }
    match key.parse() {
        Ok(Job::PollRoom { polled }) if polled == meeting.polled => note_polled(meeting, at),
        Ok(Job::PollArtifacts { step }) => note_artifacts_polled(meeting, step),
        _ => {}
    }
}

/// Records that plugNmeet was asked, or could not be asked, whether the room runs.
pub(super) fn note_polled(meeting: &mut Meeting, at: Timestamp) {
    meeting.polled = meeting.polled.saturating_add(1);
    meeting.polled_at = Some(meeting.polled_at.map_or(at, |earlier| earlier.max(at)));
}

/// Records that this step of the schedule of artifact polls is over.
pub(super) fn note_artifacts_polled(meeting: &mut Meeting, step: u32) {
    meeting.artifacts_step = meeting.artifacts_step.max(step.saturating_add(1));
}

/// A person wants a room in this meeting, which makes a given up room owed again.
pub(super) fn want_room(meeting: &mut Meeting) {
    meeting.given_up.remove(&Job::CreateRoom.key());
}

/// A person wants the meeting to end. The first such request counts, unless it was given up: then this one begins
/// again.
pub(super) fn want_end(meeting: &mut Meeting, at: Timestamp) {
    let was_given_up = meeting.is_end_given_up();
    note_end_wanted(meeting, at);
    if was_given_up && let Some(end) = &mut meeting.end {
        end.wanted_at = at;
        end.tried_at = None;
        meeting
            .given_up
            .retain(|key| !matches!(key.parse(), Ok(Job::EndRoom { .. })));
    }
}

/// Records that a person wanted the meeting to end, without making the end owed again.
pub(super) fn note_end_wanted(meeting: &mut Meeting, at: Timestamp) {
    meeting.end.get_or_insert(EndRequest {
        wanted_at: at,
        tried: 0,
        tried_at: None,
        gone: false,
    });
}
