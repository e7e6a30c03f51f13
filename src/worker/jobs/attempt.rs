//! One attempt at one job.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::crash_point;
use crate::domain::apply::Tell;
use crate::domain::owed::is_owed;
use crate::domain::retry::{Outcome, RetryReason, Verdict};
use crate::domain::{Fact, Job, JobId, Meeting, Owed, Peer, PostKey, PostRow, Timestamp};
use crate::ports::{Body, DeadKind, Envelope, Posting, Received, StoreError};
use crate::worker::apply::pause;
use crate::worker::dead::{facts_of, given_up};
use crate::worker::publish::{event_posting, job_posting, own_event};
use crate::worker::send::{Sent, send, try_send};
use crate::worker::suspect::{Alone, Suspicion, forget_mark, job_mark, suspect};
use crate::worker::{BreakerState, DeadReason, JobOutcome, Shop, chat, conference};

use super::record::{Begun, record};
use super::settle::{again, done, follow, give_up};

/// Longest that a job rests before it is tried again; the sweep calls for it after about as long, too.
const REST_MAX: Duration = Duration::from_secs(600);

/// Pause of a message whose job was given up a moment ago.
const BURIED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What doing a job met, and the facts that were learned by it.
pub(in crate::worker) struct Report {
    pub(in crate::worker) outcome: Outcome,
    pub(in crate::worker) learned: Vec<(Fact, Option<String>)>,
    /// The rows of posts that were written.
    pub(in crate::worker) kept: BTreeMap<PostKey, PostRow>,
}

impl Report {
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

/// Does a job if it is still owed, judges what it met, and settles.
pub(super) async fn do_job(
    shop: &Shop,
    received: Received,
    envelope: Envelope,
    (id, since): (JobId, Timestamp),
    alone: Option<Alone>,
) -> Option<JobOutcome> {
    let meeting = match load(shop, &id).await {
        Ok(found) => found?,
        Err(why) => {
            let facts = given_up(&id, None);
            return give_up(
                shop,
                received,
                why,
                DeadReason::GivenUp,
                DeadKind::Job,
                facts,
            )
            .await;
        }
    };
    let owed = meeting
        .as_ref()
        .filter(|meeting| meeting.round == id.round)
        .and_then(|meeting| {
            let owed = is_owed(meeting, &shop.settings.policy.schedule, &id.job)?;
            Some((meeting, owed))
        });
    let Some((meeting, owed)) = owed else {
        debug!("job is no longer owed");
        return done(shop, &received, JobOutcome::Obsolete).await;
    };
    if let Some(request) = meeting.first_request() {
        tracing::Span::current().record("event.id", tracing::field::display(request.id));
    }
    let now = shop.deps.clock.now();
    if owed.due > now.plus(Duration::from_millis(50)) {
        return again(shop, &received, envelope, owed.due.since(now), false).await;
    }
    if shop.buried.contains(&id) {
        debug!("the job was given up a moment ago, which its meeting does not know yet");
        return again(shop, &received, envelope, BURIED_AGAIN_AFTER, false).await;
    }
    let mark = mark_of(&received, &id);
    let is_alone = alone.is_some();
    // Held until the job is settled.
    let _alone = match &mark {
        None => alone,
        Some(mark) => match suspect(shop, mark, alone).await {
            Suspicion::Cleared { count, alone } => (is_alone || count > 1).then_some(alone),
            Suspicion::Poison(reason) => {
                let facts = facts_of(&envelope);
                let (label, kind) = (DeadReason::Poison, DeadKind::Job);
                forget_mark(shop, mark).await;
                return give_up(shop, received, reason, label, kind, facts).await;
            }
            Suspicion::Stopped => return None,
        },
    };
    let name = || format!("{id} {}", meeting.rule.title);
    let begun = Begun {
        job: &id,
        envelope: &envelope,
        queue: received.queue,
        due_at: owed
            .due
            .max(envelope.not_before.unwrap_or(envelope.received_at)),
        began_at: now,
    };
    let began = Instant::now();
    let doing = async {
        crash_point::reach_for("job.calling", name);
        match id.job.peer() {
            Peer::PlugNmeet => conference::run(shop, meeting, &id).await,
            Peer::Mattermost => {
                chat::run(&chat::Turn::new(shop, &received), meeting, &id.job).await
            }
        }
    };
    let report = AssertUnwindSafe(doing)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Report::of(Outcome::Failed {
                why: "doing it panicked; the log says where".to_owned(),
            })
        });
    crash_point::reach_for("job.called", name);
    let took = began.elapsed();
    let Report {
        mut outcome,
        learned,
        kept,
    } = report;
    note_peer(shop, id.job.peer(), &outcome);
    match try_send(shop, &postings_of(shop, &id, &envelope, learned)).await {
        Sent::All => {}
        // Repeating it would learn the same.
        Sent::Never(why) => {
            let why = format!("what it learned cannot be kept: {why}");
            outcome = Outcome::Hopeless { why };
        }
        Sent::Stopped => return None,
    }
    let lasted = shop.deps.clock.now().since(owed.since.min(since));
    let age = match id.job {
        // Polls are never given up, or a card could stay live for ever.
        Job::PollRoom { .. } | Job::PollArtifacts { .. } => Duration::ZERO,
        _ => lasted,
    };
    let verdict = judge(shop, &outcome, &envelope, (age, lasted));
    let news = publish_news(shop, meeting, kept);
    // Two files: neither waits for the other.
    let (is_published, ()) = tokio::join!(news, record(shop, &begun, took, &outcome, &verdict));
    if !is_published {
        return None;
    }
    crash_point::reach_for("job.recorded", name);
    if let Some(mark) = &mark {
        forget_mark(shop, mark).await;
    }
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    debug!(duration_ms, ?outcome, "job attempted");
    if let Verdict::Again { after, reason, .. } = &verdict {
        warn_again(&outcome, *after, *reason);
    }
    follow(shop, received, envelope, verdict).await
}

/// Under what the work on a job is counted, if it is to be.
fn mark_of(received: &Received, id: &JobId) -> Option<String> {
    (received.redelivered || id.round > 0).then(|| job_mark(id))
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

/// An answer without a meeting: tried like a job, but nobody is there to remember that it was given up.
pub(super) async fn do_tell(
    shop: &Shop,
    received: Received,
    envelope: Envelope,
    tell: Tell,
) -> Option<JobOutcome> {
    let outcome = chat::tell(shop, &tell).await;
    note_peer(shop, Peer::Mattermost, &outcome);
    let age = shop.deps.clock.now().since(envelope.received_at);
    let verdict = judge(shop, &outcome, &envelope, (age, age));
    follow(shop, received, envelope, verdict).await
}

/// What becomes of a message when the work around its call panicked: a defect like one in the call itself, so that it
/// is tried as often. Nobody else would settle it while this process lives.
pub(super) async fn settle_panicked(shop: &Shop, received: Received) -> Option<JobOutcome> {
    let why = "work on it panicked; the log says where".to_owned();
    let Ok(envelope) = received.content.clone() else {
        let (label, kind) = (DeadReason::Unreadable, DeadKind::Unreadable);
        return give_up(shop, received, why, label, kind, Vec::new()).await;
    };
    error!(message.id = received.message_id, "{why}");
    if let Body::Job { id, .. } = &envelope.body
        && let Some(mark) = mark_of(&received, id)
    {
        forget_mark(shop, &mark).await;
    }
    let no_age = (Duration::ZERO, Duration::ZERO);
    let verdict = judge(shop, &Outcome::Failed { why }, &envelope, no_age);
    follow(shop, received, envelope, verdict).await
}

/// `age` is what the job is given up by, `lasted` for how long it has been owed.
fn judge(
    shop: &Shop,
    outcome: &Outcome,
    envelope: &Envelope,
    (age, lasted): (Duration, Duration),
) -> Verdict {
    let sample = rand::random();
    let delay = match outcome {
        Outcome::Unavailable { .. } => shop
            .settings
            .outage_backoff
            .within(lasted)
            .delay(envelope.tries, sample),
        Outcome::Resting { .. } => rest(shop.settings.outside_again_after, envelope.tries),
        _ => shop.settings.backoff.delay(envelope.attempt, sample),
    };
    shop.settings
        .retry
        .judge(outcome, envelope.attempt, age, delay)
}

/// How long a job rests whose hindrance a person may reverse: twice as long each time, within [`REST_MAX`].
fn rest(first: Duration, tries: u32) -> Duration {
    let doubled = first.saturating_mul(1 << tries.saturating_sub(1).min(12));
    doubled.min(REST_MAX.max(first))
}

/// What the outcome says about the peer.
fn note_peer(shop: &Shop, peer: Peer, outcome: &Outcome) {
    let breaker = shop.breaker(peer);
    let changed = match outcome {
        Outcome::Unavailable {
            reason: RetryReason::Throttled,
            after,
            ..
        } => {
            breaker.hold(
                after
                    .unwrap_or(Duration::from_secs(1))
                    .min(Duration::from_secs(60)),
            );
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
        shop.deps.observer.breaker(peer, state);
        match state {
            BreakerState::Open => warn!(
                peer = peer.as_str(),
                "the peer is away: its jobs wait, one probe goes out now and then; is it up, and its url in the configuration right?"
            ),
            BreakerState::Closed => info!(peer = peer.as_str(), "the peer is back"),
        }
    }
}

fn postings_of(
    shop: &Shop,
    id: &JobId,
    envelope: &Envelope,
    facts: Vec<(Fact, Option<String>)>,
) -> Vec<Posting> {
    let now = shop.deps.clock.now();
    // A job that is owed anew by a person's hand may come in its old round and begins its tries anew: what it learns
    // then is no double of what it learned before.
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
async fn publish_news(shop: &Shop, was: &Meeting, kept: BTreeMap<PostKey, PostRow>) -> bool {
    if kept.is_empty() {
        return true;
    }
    let schedule = &shop.settings.policy.schedule;
    let now = shop.deps.clock.now();
    // What the meeting's facts changed meanwhile is published by apply already.
    let mut after = was.clone();
    after.posts.extend(kept);
    let was_owed = crate::domain::owed::owed(was, schedule);
    let is_news = |owed: &Owed| {
        owed.due <= now.plus(shop.settings.policy.publish_ahead)
            && !was_owed
                .iter()
                .any(|was| was.job == owed.job && was.due <= owed.due)
    };
    let postings = crate::domain::owed::owed(&after, schedule)
        .iter()
        .filter(|owed| is_news(owed))
        .map(|owed| job_posting(after.id, after.round, owed, now))
        .collect();
    send(shop, postings).await
}

/// The meeting; `Ok(None)`: the workers were stopped; `Err`: it cannot be read at all.
async fn load(shop: &Shop, id: &JobId) -> Result<Option<Option<Meeting>>, String> {
    loop {
        match shop.deps.store.meeting(id.meeting).await {
            Ok(mut meeting) => {
                let now = shop.deps.clock.now();
                meeting
                    .iter_mut()
                    .for_each(|found| found.no_later_than(now));
                return Ok(Some(meeting));
            }
            Err(StoreError::Refused(why)) => return Err(why),
            Err(StoreError::Away(why)) => {
                if shop.store_trouble.is_news() {
                    warn!(why, "the store is away: jobs wait");
                }
                if !pause(shop).await {
                    return Ok(None);
                }
            }
        }
    }
}
