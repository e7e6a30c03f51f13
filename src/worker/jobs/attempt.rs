//! One attempt at one job.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::crash_point;
use crate::domain::apply::Reply;
use crate::domain::owed::is_owed;
use crate::domain::retry::{Outcome, RetryReason, Verdict};
use crate::domain::{Fact, Job, JobId, Meeting, Owed, Peer, PostKey, PostRow, Timestamp};
use crate::envelope::{event_posting, own_event};
use crate::ports::{Envelope, Posting, Received};
use crate::worker::dead::given_up;
use crate::worker::poison::PoisonGuard;
use crate::worker::publish::job_posting;
use crate::worker::send::{Sent, send, try_send};
use crate::worker::wait::ask_store;
use crate::worker::{BreakerState, DeadReason, JobOutcome, WorkerContext, chat, conference};

use super::record::{AttemptStart, record};
use super::settle::{again, done, follow, give_up, give_up_poison};

/// Longest that a job rests before it is tried again; the sweep calls for it after about as long, too.
const REST_MAX: Duration = Duration::from_secs(600);

/// What doing a job met, and the facts that were learned by it.
pub(in crate::worker) struct JobReport {
    pub(in crate::worker) outcome: Outcome,
    pub(in crate::worker) learned: Vec<(Fact, Option<String>)>,
    /// The rows of posts that were written.
    pub(in crate::worker) kept: BTreeMap<PostKey, PostRow>,
}

impl JobReport {
    pub(in crate::worker) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            learned: Vec::new(),
            kept: BTreeMap::new(),
        }
    }

    /// Done, and this was learned.
    pub(in crate::worker) fn learned(fact: Fact) -> Self {
        Self {
            learned: vec![(fact, None)],
            ..Self::of(Outcome::Done)
        }
    }
}

/// A job that its meeting calls for.
struct OwedJob<'a> {
    id: &'a JobId,
    meeting: Meeting,
    owed: Owed,
    /// Owed since then, whatever the round.
    since: Timestamp,
}

/// What a meeting says about a job.
enum Standing<'a> {
    Owed(Box<OwedJob<'a>>),
    /// It was given up. The process may have ended before the dead letter was kept.
    GivenUp,
    Obsolete,
}

/// Does a job if it is still owed, judges what it met, and settles. `None`: the workers were stopped first.
pub(super) async fn do_job(
    ctx: &WorkerContext,
    received: &Received,
    envelope: &Envelope,
    id: &JobId,
    since: Timestamp,
) -> Option<JobOutcome> {
    // Before the meeting is loaded: what is waited for may give up this very job.
    let guard = PoisonGuard::enter(ctx, received).await?;
    let job = match load(ctx, id, since).await? {
        Ok(Standing::Owed(job)) => Some(job),
        Ok(Standing::GivenUp) if received.redelivered => None,
        Ok(Standing::GivenUp | Standing::Obsolete) => {
            debug!("job is no longer owed");
            return done(ctx, received, JobOutcome::Obsolete).await;
        }
        Err(why) => {
            let facts = given_up(id, None);
            return give_up(ctx, received, why, DeadReason::GivenUp, facts).await;
        }
    };
    let now = ctx.deps.clock.now();
    let early = job.as_ref().map(|job| job.owed.due.since(now));
    if let Some(early) = early.filter(|early| *early > Duration::from_millis(50)) {
        return again(ctx, received, envelope, early, false).await;
    }
    let work = async {
        match &job {
            Some(job) => attempt(ctx, received, envelope, job).await,
            None => Some(Verdict::Obsolete),
        }
    };
    // It holds all that an attempt holds.
    let work = Box::pin(work);
    do_guarded(ctx, received, envelope, guard, work).await
}

/// An answer without a meeting: tried like a job, but nobody is there to remember that it was given up.
pub(super) async fn do_reply(
    ctx: &WorkerContext,
    received: &Received,
    envelope: &Envelope,
    reply: &Reply,
) -> Option<JobOutcome> {
    let guard = PoisonGuard::enter(ctx, received).await?;
    let work = async {
        let outcome = chat::reply(ctx, reply).await;
        note_peer(ctx, Peer::Mattermost, &outcome);
        let age = ctx.deps.clock.now().since(envelope.received_at);
        let age = Age {
            counted: age,
            whole: age,
        };
        Some(judge(ctx, &outcome, envelope, age))
    };
    do_guarded(ctx, received, envelope, guard, work).await
}

/// Carries out the verdict on `work`, which is not begun if it is poison.
async fn do_guarded(
    ctx: &WorkerContext,
    received: &Received,
    envelope: &Envelope,
    mut guard: PoisonGuard,
    work: impl Future<Output = Option<Verdict>>,
) -> Option<JobOutcome> {
    match guard.run(ctx, work).await? {
        Ok(verdict) => follow(ctx, received, envelope, verdict).await,
        Err(poison) => give_up_poison(ctx, received, envelope, &guard, poison).await,
    }
}

/// What its meeting says about a job: the meeting is asked of the store until it answers. `Err`: it cannot be read at
/// all. `None`: the workers were stopped first.
async fn load<'a>(
    ctx: &WorkerContext,
    id: &'a JobId,
    since: Timestamp,
) -> Option<Result<Standing<'a>, String>> {
    let mut meeting = match ask_store(ctx, || ctx.deps.store.meeting(id.meeting)).await? {
        Ok(Some(meeting)) => meeting,
        Ok(None) => return Some(Ok(Standing::Obsolete)),
        Err(why) => return Some(Err(why)),
    };
    meeting.no_later_than(ctx.deps.clock.now());
    if meeting.given_up.contains(&id.job.key()) {
        return Some(Ok(Standing::GivenUp));
    }
    let owed = is_owed(&meeting, &ctx.settings.policy.schedule, &id.job)
        .filter(|_| meeting.round == id.round);
    let Some(owed) = owed else {
        return Some(Ok(Standing::Obsolete));
    };
    if let Some(request) = meeting.first_request() {
        tracing::Span::current().record("event.id", tracing::field::display(request.id));
    }
    let since = owed.since.min(since);
    let job = OwedJob {
        id,
        meeting,
        owed,
        since,
    };
    Some(Ok(Standing::Owed(Box::new(job))))
}

/// One attempt: calls the peer, keeps what was learned, judges, and records. `None`: the workers were stopped first.
async fn attempt(
    ctx: &WorkerContext,
    received: &Received,
    envelope: &Envelope,
    job: &OwedJob<'_>,
) -> Option<Verdict> {
    let OwedJob { id, meeting, .. } = job;
    let start = AttemptStart {
        job: id,
        envelope,
        queue: received.queue,
        due_at: job
            .owed
            .due
            .max(envelope.not_before.unwrap_or(envelope.received_at)),
        began_at: ctx.deps.clock.now(),
    };
    let began = Instant::now();
    let JobReport {
        outcome,
        learned,
        kept,
    } = call(ctx, received, job).await;
    let took = began.elapsed();
    note_peer(ctx, id.job.peer(), &outcome);
    let learned = postings_of(ctx, id, envelope, learned);
    let outcome = learn(ctx, outcome, &learned).await?;
    let verdict = judge_job(ctx, &outcome, envelope, job);
    let news = publish_owed_jobs(ctx, meeting, kept);
    // Two files: neither waits for the other.
    let (is_published, ()) = tokio::join!(news, record(ctx, &start, took, &outcome, &verdict));
    if !is_published {
        return None;
    }
    crash_point::reach_for("job.recorded", || job.text());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    debug!(duration_ms, ?outcome, "job attempted");
    if let Verdict::Again { after, reason, .. } = &verdict {
        warn_again(&outcome, *after, *reason);
    }
    Some(verdict)
}

impl OwedJob<'_> {
    /// What tests know it by.
    fn text(&self) -> String {
        format!("{} {}", self.id, self.meeting.rule.title)
    }
}

/// Calls the peer.
async fn call(ctx: &WorkerContext, received: &Received, job: &OwedJob<'_>) -> JobReport {
    let OwedJob { id, meeting, .. } = job;
    let calling = async {
        crash_point::reach_for("job.calling", || job.text());
        match id.job.peer() {
            Peer::PlugNmeet => conference::run(ctx, meeting, id).await,
            Peer::Mattermost => {
                chat::run(&chat::JobContext::new(ctx, received), meeting, &id.job).await
            }
        }
    };
    let report = AssertUnwindSafe(calling).catch_unwind().await;
    crash_point::reach_for("job.called", || job.text());
    report.unwrap_or_else(|_| {
        JobReport::of(Outcome::Failed {
            why: "doing it panicked; the log says where".to_owned(),
        })
    })
}

/// Makes durable what was learned; what the attempt met then. `None`: the workers were stopped first.
async fn learn(ctx: &WorkerContext, outcome: Outcome, learned: &[Posting]) -> Option<Outcome> {
    match try_send(ctx, learned).await {
        Sent::All => Some(outcome),
        // Repeating it would learn the same.
        Sent::Never(why) => Some(Outcome::Hopeless {
            why: format!("what it learned cannot be kept: {why}"),
        }),
        Sent::Stopped => None,
    }
}

fn judge_job(
    ctx: &WorkerContext,
    outcome: &Outcome,
    envelope: &Envelope,
    job: &OwedJob<'_>,
) -> Verdict {
    let whole = ctx.deps.clock.now().since(job.since);
    let counted = match job.id.job {
        // Polls are never given up, or a card could stay live for ever.
        Job::PollRoom { .. } | Job::PollArtifacts { .. } => Duration::ZERO,
        _ => whole,
    };
    judge(ctx, outcome, envelope, Age { counted, whole })
}

fn warn_again(outcome: &Outcome, after: Duration, reason: RetryReason) {
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Outcome::Busy { .. } => debug!(after_ms, "another worker holds the card"),
        // Whoever learned it has logged it, with what to change: it is one trouble, however many jobs wait.
        Outcome::Resting { .. }
        | Outcome::Unavailable {
            reason: RetryReason::Paused,
            ..
        } => debug!(
            after_ms,
            reason = reason.as_str(),
            "job waits until a person has acted"
        ),
        _ => warn!(
            after_ms,
            reason = reason.as_str(),
            "job will be tried again"
        ),
    }
}

/// What becomes of a message when the work around its call panicked: a defect like one in the call itself, so that it
/// is tried as often. Nobody else would settle it while this process lives.
pub(super) async fn settle_panicked(
    ctx: &WorkerContext,
    received: &Received,
) -> Option<JobOutcome> {
    let why = "work on it panicked; the log says where".to_owned();
    let Ok(envelope) = &received.content else {
        return give_up(ctx, received, why, DeadReason::Unreadable, Vec::new()).await;
    };
    error!(message.id = received.message_id, "{why}");
    let verdict = judge(ctx, &Outcome::Failed { why }, envelope, Age::default());
    follow(ctx, received, envelope, verdict).await
}

/// For how long work has been owed.
#[derive(Default)]
struct Age {
    /// By this much it is given up.
    counted: Duration,
    whole: Duration,
}

fn judge(ctx: &WorkerContext, outcome: &Outcome, envelope: &Envelope, age: Age) -> Verdict {
    let sample = rand::random();
    let delay = match outcome {
        Outcome::Unavailable { .. } => ctx
            .settings
            .outage_backoff
            .within(age.whole)
            .delay(envelope.tries, sample),
        Outcome::Resting { .. } => rest(ctx.settings.outside_again_after, envelope.tries),
        _ => ctx.settings.backoff.delay(envelope.attempt, sample),
    };
    ctx.settings
        .retry
        .judge(outcome, envelope.attempt, age.counted, delay)
}

/// How long a job rests whose hindrance a person may reverse: twice as long each time, within [`REST_MAX`].
fn rest(first: Duration, tries: u32) -> Duration {
    let doubled = first.saturating_mul(1 << tries.saturating_sub(1).min(12));
    doubled.min(REST_MAX.max(first))
}

/// What the outcome says about the peer.
fn note_peer(ctx: &WorkerContext, peer: Peer, outcome: &Outcome) {
    let breaker = ctx.breaker(peer);
    let changed = match outcome {
        Outcome::Unavailable {
            reason: RetryReason::Throttled,
            after,
            ..
        } => {
            breaker.hold(*after);
            false
        }
        // It answers: other calls may well succeed, and one room that always fails holds up no other.
        Outcome::Unavailable {
            reason: RetryReason::Paused | RetryReason::Failed,
            ..
        } => breaker.succeeded(),
        Outcome::Unavailable { .. } => breaker.failed(),
        Outcome::Done
        | Outcome::Failed { .. }
        | Outcome::Resting { .. }
        | Outcome::Hopeless { .. } => breaker.succeeded(),
        Outcome::Obsolete | Outcome::Busy { .. } | Outcome::Paused { .. } => false,
    };
    if changed {
        let state = breaker.state();
        ctx.deps.observer.breaker(peer, state);
        match state {
            BreakerState::Open => warn!(
                peer = peer.as_str(),
                "the peer is unavailable: its jobs wait and one call at a time tests it; check that it runs and that its url in the configuration is right"
            ),
            BreakerState::Closed => info!(peer = peer.as_str(), "the peer is available again"),
        }
    }
}

fn postings_of(
    ctx: &WorkerContext,
    id: &JobId,
    envelope: &Envelope,
    facts: Vec<(Fact, Option<String>)>,
) -> Vec<Posting> {
    let now = ctx.deps.clock.now();
    // A job that a person made owed again may be in its old round, and its tries are counted from 1 again. What it
    // learns then must not count as a duplicate of what it learned before.
    let received_at = envelope.received_at.millis();
    let default_key = format!("job:{id}:{}:{received_at}", envelope.tries);
    facts
        .into_iter()
        .map(|(fact, key)| {
            let key = key.unwrap_or_else(|| default_key.clone());
            event_posting(own_event(fact, key, now), now)
        })
        .collect()
}

/// Chat jobs write posts, which no event tells apply: what became owed by `kept` is published here.
async fn publish_owed_jobs(
    ctx: &WorkerContext,
    was: &Meeting,
    kept: BTreeMap<PostKey, PostRow>,
) -> bool {
    if kept.is_empty() {
        return true;
    }
    let schedule = &ctx.settings.policy.schedule;
    let now = ctx.deps.clock.now();
    // What the meeting's facts changed meanwhile is published by apply already.
    let mut after = was.clone();
    after.posts.extend(kept);
    let was_owed = crate::domain::owed::owed(was, schedule);
    let is_newly_owed = |owed: &Owed| {
        owed.due <= now.plus(ctx.settings.policy.publish_ahead)
            && !was_owed
                .iter()
                .any(|was| was.job == owed.job && was.due <= owed.due)
    };
    let postings = crate::domain::owed::owed(&after, schedule)
        .iter()
        .filter(|owed| is_newly_owed(owed))
        .map(|owed| job_posting(after.id, after.round, owed, now))
        .collect();
    send(ctx, postings).await
}
