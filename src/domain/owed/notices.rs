//! Computes the notices that are owed where posts can be neither edited nor found again: at most one of the start, at
//! most one of the end, and one for each recording and summary.

use std::time::Duration;

use crate::domain::job::Notice;
use crate::domain::presentation::HOOK_USES_MAX;
use crate::domain::{Job, Meeting, Owed, PostKey, PostRow, State, Timestamp};

use super::{Schedule, is_ready};

/// A notice of the end waits this long, because it cannot be corrected later. plugNmeet's last webhooks of a session
/// arrive together, and the departures of people are reported within this time.
const END_SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// How notices are posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoticePath {
    /// By the delivery method, at any time.
    DeliveryMethod,
    /// Through a response URL, which works until this time.
    Hook(Timestamp),
}

impl NoticePath {
    fn is_open_at(self, due: Timestamp) -> bool {
        match self {
            Self::DeliveryMethod => true,
            Self::Hook(until) => due < until,
        }
    }
}

/// The notices that `meeting` owes.
pub(super) fn notices(
    meeting: &Meeting,
    schedule: &Schedule,
    way: NoticePath,
    owed: &mut Vec<Owed>,
) {
    let mut owe = |job, key: &PostKey, due: Timestamp, since| {
        let row = meeting.post(key);
        // Nothing is posted while it is unknown whether an earlier attempt posted the notice.
        let due = row
            .and_then(|row| row.again_at)
            .map_or(due, |at| at.max(due));
        if !row.is_some_and(PostRow::is_settled) && way.is_open_at(due) {
            owed.push(Owed { job, due, since });
        }
    };
    if let Some((notice, since, pause)) = wanted(meeting, schedule) {
        let job = Job::PostNotice { notice };
        owe(job, &notice.post_key(), since.plus(pause), since);
    }
    if !may_artifacts_follow(meeting, way) {
        return;
    }
    for (id, artifact) in &meeting.artifacts {
        if is_ready(artifact) {
            let job = Job::PostArtifact {
                artifact: id.clone(),
            };
            let key = PostKey::Artifact(id.clone());
            owe(job, &key, artifact.known_at, artifact.known_at);
        }
    }
}

/// The notice that shows the present state of the meeting, since when it is owed, and how long it waits before it is
/// posted.
fn wanted(meeting: &Meeting, schedule: &Schedule) -> Option<(Notice, Timestamp, Duration)> {
    let requested_at = meeting.requested_at;
    match meeting.state() {
        // The meeting will be over in a moment, and then one notice reports everything.
        state if state.is_running() && meeting.is_ending() => None,
        State::Creating => Some((Notice::Start, requested_at, schedule.first_card_after)),
        State::Open | State::Live => Some((Notice::Start, requested_at, Duration::ZERO)),
        State::Ended | State::Missed => {
            let known_at = meeting.end_known_at.unwrap_or(meeting.changed_at);
            Some((Notice::End, known_at, END_SETTLES_WITHIN))
        }
        State::Cancelled | State::Failed => Some((Notice::End, meeting.changed_at, Duration::ZERO)),
    }
}

/// Recordings and summaries are posted after the notices of the meeting itself, or after those could not be posted. A
/// response URL has few uses, and the notice of the end comes first.
fn may_artifacts_follow(meeting: &Meeting, way: NoticePath) -> bool {
    let first = if meeting.state().is_running() {
        Notice::Start
    } else {
        Notice::End
    };
    let is_there = |notice: Notice| {
        let row = meeting.post(&notice.post_key());
        let job = Job::PostNotice { notice };
        row.is_some_and(PostRow::is_posted) || meeting.given_up.contains(&job.key())
    };
    match way {
        NoticePath::DeliveryMethod => is_there(first),
        NoticePath::Hook(_) => {
            first == Notice::End && is_there(first) && meeting.hook_uses() < HOOK_USES_MAX
        }
    }
}
