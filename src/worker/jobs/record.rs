//! Records attempts in the store, for `meetrelay why`.

use std::time::Duration;

use tracing::warn;

use crate::domain::retry::{Outcome, Verdict};
use crate::domain::{Job, JobId, Timestamp};
use crate::ports::{Attempt, Ending, Envelope, QueueName};
use crate::worker::WorkerContext;

/// Longest that a job waits for its record to be stored: a missing record is better than a late card.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of an attempt when it begins.
pub(super) struct AttemptStart<'a> {
    pub(super) job: &'a JobId,
    pub(super) envelope: &'a Envelope,
    pub(super) queue: QueueName,
    pub(super) due_at: Timestamp,
    pub(super) began_at: Timestamp,
}

/// Records the attempt before its job is settled. The job does not fail if the store refuses the record.
pub(super) async fn record(
    ctx: &WorkerContext,
    begun: &AttemptStart<'_>,
    took: Duration,
    outcome: &Outcome,
    verdict: &Verdict,
) {
    let ending = ending(verdict);
    if !is_worth_recording(begun, ending) {
        return;
    }
    let attempt = Attempt {
        meeting: begun.job.meeting,
        job: begun.job.to_string(),
        number: begun.envelope.tries,
        queue: begun.queue,
        due_at: begun.due_at,
        began_at: begun.began_at,
        took,
        ending,
        detail: detail(outcome).to_owned(),
    };
    let kept = tokio::time::timeout(PATIENCE, ctx.deps.store.log_attempt(attempt)).await;
    let why = match kept {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("the store did not answer within {PATIENCE:?}"),
    };
    if ctx.history_failures.should_log() {
        warn!(why, job.id = %begun.job, "an attempt could not be recorded in the history of its meeting");
    }
}

const fn ending(verdict: &Verdict) -> Ending {
    match verdict {
        Verdict::Done => Ending::Done,
        Verdict::Obsolete => Ending::Obsolete,
        Verdict::Again { .. } => Ending::Again,
        Verdict::DeadLetter { .. } => Ending::GivenUp,
    }
}

/// Whether the attempt is worth a record. A successful poll of a running room is not: a long meeting has hundreds of
/// them, which would displace the records that matter, and what a poll finds is an event of its own. Work that turns
/// out to be done already is recorded only if it ends a series of attempts. A job that is not owed is no attempt.
const fn is_worth_recording(begun: &AttemptStart<'_>, ending: Ending) -> bool {
    match ending {
        Ending::Done => !matches!(begun.job.job, Job::PollRoom { .. }),
        Ending::Obsolete => begun.envelope.tries > 1,
        Ending::Again | Ending::GivenUp => true,
    }
}

/// The outcome as a text without secrets: the peers' texts have passed through `http::log_text`.
fn detail(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Done => "",
        Outcome::Obsolete => "it was no longer wanted",
        Outcome::Busy { .. } => "another worker held the meeting's posts",
        Outcome::Paused { why, .. } => why,
        Outcome::Unavailable { why, .. }
        | Outcome::Failed { why }
        | Outcome::Resting { why, .. }
        | Outcome::Hopeless { why } => why,
    }
}
