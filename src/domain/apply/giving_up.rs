//! What follows when a job is given up, and when somebody wants its effect again: a person's new request is owed again,
//! whatever was given up before, and the next one of a series is never swallowed by the one before it.

use crate::domain::meeting::EndRequest;
use crate::domain::{Job, Meeting, Timestamp};

/// A job lies among the dead letters. Polls are a series: the next one is due as if this one had been answered.
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

/// plugNmeet was asked, or could not be, whether the room runs.
pub(super) fn note_polled(meeting: &mut Meeting, at: Timestamp) {
    meeting.polled = meeting.polled.saturating_add(1);
    meeting.polled_at = Some(meeting.polled_at.map_or(at, |earlier| earlier.max(at)));
}

/// This step of the schedule that asks for artifacts is over.
pub(super) fn note_artifacts_polled(meeting: &mut Meeting, step: u32) {
    meeting.artifacts_step = meeting.artifacts_step.max(step.saturating_add(1));
}

/// Somebody wants a room here: also the one that was given up.
pub(super) fn want_room(meeting: &mut Meeting) {
    meeting.given_up.remove(&Job::CreateRoom.key());
}

/// A person wants the meeting to end. The first such request counts, unless it was given up: then this one begins again.
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

/// It is known that somebody wanted it ended; nobody asks for it now.
pub(super) fn note_end_wanted(meeting: &mut Meeting, at: Timestamp) {
    meeting.end.get_or_insert(EndRequest {
        wanted_at: at,
        tried: 0,
        tried_at: None,
        gone: false,
    });
}
