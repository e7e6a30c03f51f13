//! What is kept of an attempt, for a person who asks why.

use std::time::Duration;

use tracing::warn;

use crate::domain::retry::{Outcome, Verdict};
use crate::domain::{Job, JobId, Timestamp};
use crate::ports::{Attempt, Ending, Envelope, QueueName};
use crate::worker::WorkerContext;

/// Longest that a job waits for its line to be kept: a line lost is better than a card late.
const PATIENCE: Duration = Duration::from_secs(2);

/// An attempt that has begun.
pub(super) struct AttemptStart<'a> {
    pub(super) job: &'a JobId,
    pub(super) envelope: &'a Envelope,
    pub(super) queue: QueueName,
    pub(super) due_at: Timestamp,
    pub(super) began_at: Timestamp,
}

/// Keeps the attempt before its job is settled. A store that does not take it fails no job.
pub(super) async fn record(
    ctx: &WorkerContext,
    begun: &AttemptStart<'_>,
    took: Duration,
    outcome: &Outcome,
    verdict: &Verdict,
) {
    let ending = ending(verdict);
    if !tells_something(begun, ending) {
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
        warn!(why, job.id = %begun.job, "an attempt is missing in the story of its meeting");
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

/// A poll of a running room that went well is no news: a long meeting has hundreds of them, which would push the lines
/// that matter out of its story; what one finds is an event of its own. Work that turns out to be done already is no news
/// either, unless it ends a row of attempts. Jobs found not to be owed are no attempts at all.
const fn tells_something(begun: &AttemptStart<'_>, ending: Ending) -> bool {
    match ending {
        Ending::Done => !matches!(begun.job.job, Job::PollRoom { .. }),
        Ending::Obsolete => begun.envelope.tries > 1,
        Ending::Again | Ending::GivenUp => true,
    }
}

/// What was met, in words without secrets: the peers' texts went through `http::log_text`.
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
