//! What is owed where posts can be neither edited nor looked up: at most one notice of the start, at most one of the
//! end, and one for each recording and summary.

use std::time::Duration;

use crate::domain::job::Notice;
use crate::domain::presentation::HOOK_USES_MAX;
use crate::domain::{Job, Meeting, Owed, PostKey, PostRow, State, Timestamp};

use super::{Schedule, is_ready};

/// plugNmeet's last webhooks of a session come together: whoever left with the end is told within this time. A notice
/// cannot be corrected, so it waits for them.
const END_SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// By which way notices go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoticePath {
    /// One that stays.
    DeliveryMethod,
    /// A response URL, until then.
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
        // While it is not known whether it stands there, nothing is done.
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

/// Which notice says how the meeting is now, since when it is wanted, and how long it waits to be true.
fn wanted(meeting: &Meeting, schedule: &Schedule) -> Option<(Notice, Timestamp, Duration)> {
    let requested_at = meeting.requested_at;
    match meeting.state() {
        // It will be over in a moment, and then one notice says all.
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

/// Recordings and summaries are told after the meeting itself was, or could not be. A response URL has few uses, and
/// the end comes first.
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
