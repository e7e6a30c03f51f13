//! Deletes response URLs. Whoever has a response URL can post with it, so one that is no longer needed is deleted: a
//! stolen store contains none that works.

use crate::domain::presentation::HOOK_LIFE;
use crate::domain::{Job, Meeting, Owed, Timestamp, TriggerSource};

/// Deletes the expired response URLs, and all of a meeting that is over, owes nothing and has nothing that may be
/// replayed. One through which a job is `owed` is kept, however old: the worker finds that it has expired and counts
/// the lost answer.
pub(super) fn forget_hooks(meeting: &mut Meeting, owed: &[Owed], now: Timestamp) {
    let is_done = owed.is_empty() && meeting.given_up.is_empty() && !meeting.state().is_running();
    // In a direct message these go through the response URL of the first request.
    let owes_notices = owed
        .iter()
        .any(|owed| matches!(owed.job, Job::PostNotice { .. } | Job::PostArtifact { .. }));
    for (index, request) in meeting.requests.iter_mut().enumerate() {
        let answer = Job::Answer {
            request: request.id,
        };
        let is_needed = (index == 0 && owes_notices) || owed.iter().any(|owed| owed.job == answer);
        let has_run_out = now >= request.received_at.plus(HOOK_LIFE);
        if let TriggerSource::SlashCommand { hook } = &mut request.via
            && (is_done || has_run_out)
            && !is_needed
        {
            *hook = None;
        }
    }
}
