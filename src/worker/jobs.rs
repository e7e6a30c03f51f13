//! The loop of one job queue: take what there is room for, do it, judge what it met, settle.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, debug, info, info_span, warn};

use crate::domain::apply::Tell;
use crate::domain::owed::is_owed;
use crate::domain::retry::{Outcome, RetryReason, Verdict};
use crate::domain::{Fact, Job, JobId, Meeting, Owed, Peer, Refusal, Timestamp};
use crate::ports::{
    Body, DeadKind, Envelope, Posting, QueueError, QueueName, Received, Settled, StoreError,
};

use super::apply::{forget_mark, pause, poison, send};
use super::dead::{Burial, bury, given_up};
use super::publish::{event_posting, job_posting, own_event};
use super::{BreakerState, DeadReason, JobOutcome, Shop, chat, conference};

/// Most deliveries taken at once, whatever room there is.
const TAKEN_MAX: usize = 32;

/// How many jobs may call a peer at once; a half shares the slots but may not take them all.
#[derive(Clone)]
pub(super) struct Slots {
    own: Arc<Semaphore>,
    shared: Option<Arc<Semaphore>>,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self { own: Arc::new(Semaphore::new(count.max(1))), shared: None }
    }

    /// Slots out of the same ones, at most half of them at a time.
    pub(super) fn half(&self) -> Self {
        let half = self.own.available_permits().div_ceil(2);
        Self { own: Arc::new(Semaphore::new(half)), shared: Some(Arc::clone(&self.own)) }
    }

    async fn take(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let mut permits = vec![Arc::clone(&self.own).acquire_owned().await.ok()?];
        if let Some(shared) = &self.shared {
            permits.push(Arc::clone(shared).acquire_owned().await.ok()?);
        }
        Some(permits)
    }

    /// Waits until there is a free slot and tells how many there are, without keeping any: slots must not be held
    /// while there is nothing to do, the other queue of the peer needs them.
    async fn wait(&self) -> usize {
        let permit = self.own.acquire().await;
        let free = self.own.available_permits() + usize::from(permit.is_ok());
        free.clamp(1, TAKEN_MAX)
    }
}

/// Runs until the workers are stopped or the queue is closed; what was begun is finished.
pub(super) async fn run(shop: Arc<Shop>, queue: QueueName, slots: Slots) {
    let peer = match queue {
        QueueName::Conference => Peer::PlugNmeet,
        QueueName::Events | QueueName::Chat | QueueName::ChatLater => Peer::Mattermost,
    };
    let mut jobs = JoinSet::new();
    while let Some(taken) = take(&shop, queue, &slots).await {
        for received in taken {
            let Some(permits) = enter(&shop, peer, &slots).await else {
                give_back(&shop, &received).await;
                continue;
            };
            let shop = Arc::clone(&shop);
            jobs.spawn(async move {
                work(&shop, received).await;
                drop(permits);
            });
        }
        while jobs.try_join_next().is_some() {}
    }
    while jobs.join_next().await.is_some() {}
}

/// Deliveries, about as many as there are free slots; `None`: stop.
async fn take(shop: &Shop, queue: QueueName, slots: &Slots) -> Option<Vec<Received>> {
    loop {
        let received = tokio::select! {
            () = shop.stop.cancelled() => return None,
            received = async {
                let count = slots.wait().await;
                shop.deps.mail.receive(queue, count).await
            } => received,
        };
        match received {
            Ok(received) => return Some(received),
            Err(QueueError::Closed) => return None,
            Err(error) => {
                warn!(%error, queue = queue.as_str(), "jobs cannot be received");
                pause(shop).await;
            }
        }
    }
}

/// A slot, once the peer's breaker lets a job start; `None`: the workers were stopped.
async fn enter(shop: &Shop, peer: Peer, slots: &Slots) -> Option<Vec<OwnedSemaphorePermit>> {
    let enter = async {
        let permits = slots.take().await?;
        shop.breaker(peer).admit().await;
        Some(permits)
    };
    tokio::select! {
        biased;
        () = shop.stop.cancelled() => None,
        permits = enter => permits,
    }
}

async fn give_back(shop: &Shop, received: &Received) {
    if let Err(error) = shop.deps.mail.settle(vec![Settled::Return(received.receipt)]).await {
        debug!(%error, "a job could not be given back; it comes again by itself");
    }
}

async fn work(shop: &Shop, received: Received) {
    let observer = Arc::clone(&shop.deps.observer);
    let queue = received.queue;
    observer.in_flight(queue, 1);
    let began = Instant::now();
    let outcome = match received.content.clone() {
        Ok(envelope) => match poison::<()>(shop, &received).await {
            Ok(None) => do_envelope(shop, received, envelope).await,
            Ok(Some(reason)) => {
                let facts = match &envelope.body {
                    Body::Job { id, .. } => given_up(id, Some(Refusal::GaveUp)),
                    Body::Event(_) | Body::Tell(_) => Vec::new(),
                };
                give_up(shop, received, reason, DeadReason::Poison, DeadKind::Job, facts).await
            }
            Err(_) => None,
        },
        Err(reason) => {
            let (label, kind) = (DeadReason::Unreadable, DeadKind::Unreadable);
            give_up(shop, received, reason, label, kind, Vec::new()).await
        }
    };
    observer.in_flight(queue, -1);
    if let Some(outcome) = outcome {
        observer.settled(queue, outcome, began.elapsed());
    }
}

async fn do_envelope(shop: &Shop, received: Received, envelope: Envelope) -> Option<JobOutcome> {
    let now = shop.deps.clock.now();
    if let Some(early) = envelope.not_before.filter(|at| *at > now) {
        return again(shop, &received, envelope, early.since(now), false).await;
    }
    let due = envelope.not_before.unwrap_or(envelope.received_at);
    shop.deps.observer.waited(received.queue, now.since(due));
    match envelope.body.clone() {
        Body::Job { id, since } => {
            let span = info_span!("job", job.id = %id, job.kind = id.job.kind(),
                meeting = %id.meeting, event.id = tracing::field::Empty,
                attempt = envelope.attempt, tries = envelope.tries);
            do_job(shop, received, envelope, id, since).instrument(span).await
        }
        Body::Tell(tell) => do_tell(shop, received, envelope, tell).await,
        Body::Event(_) => {
            let reason = "an event stood in a queue of jobs".to_owned();
            give_up(shop, received, reason, DeadReason::Unreadable, DeadKind::Event, vec![]).await
        }
    }
}

/// What doing a job met, and the facts that were learned by it.
pub(super) struct Report {
    pub(super) outcome: Outcome,
    pub(super) learned: Vec<(Fact, Option<String>)>,
}

impl Report {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self { outcome, learned: Vec::new() }
    }

    /// Done, and this was learned.
    pub(super) fn learned(fact: Fact) -> Self {
        Self { outcome: Outcome::Done, learned: vec![(fact, None)] }
    }
}

async fn do_job(
    shop: &Shop,
    received: Received,
    envelope: Envelope,
    id: JobId,
    since: Timestamp,
) -> Option<JobOutcome> {
    let meeting = match load(shop, &id).await {
        Ok(found) => found?,
        Err(why) => {
            let facts = given_up(&id, None);
            return give_up(shop, received, why, DeadReason::GivenUp, DeadKind::Job, facts).await;
        }
    };
    let owed = meeting.as_ref().filter(|meeting| meeting.round == id.round).and_then(|meeting| {
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
    let began = Instant::now();
    let doing = async {
        match id.job.peer() {
            Peer::PlugNmeet => conference::run(shop, meeting, &id).await,
            Peer::Mattermost => {
                chat::run(&chat::Turn::new(shop, received.receipt), meeting, &id.job).await
            }
        }
    };
    let report = AssertUnwindSafe(doing).catch_unwind().await.unwrap_or_else(|_| {
        Report::of(Outcome::Failed { why: "doing it panicked; the log says where".to_owned() })
    });
    let took = began.elapsed();
    note_peer(shop, id.job.peer(), &report.outcome);
    if !send(shop, learned(shop, &id, &envelope, report.learned)).await {
        return None;
    }
    if id.job.peer() == Peer::Mattermost && !publish_news(shop, meeting, &id).await {
        return None;
    }
    let age = shop.deps.clock.now().since(owed.since.min(since));
    let verdict = judge(shop, &report.outcome, &envelope, age);
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    info!(duration_ms, outcome = ?report.outcome, "job attempted");
    match verdict {
        Verdict::Done => done(shop, &received, JobOutcome::Delivered).await,
        Verdict::Obsolete => done(shop, &received, JobOutcome::Obsolete).await,
        Verdict::Again { after, reason, counts } => {
            shop.deps.observer.retried(received.queue, reason);
            warn_again(&report.outcome, after, reason);
            again(shop, &received, envelope, after, counts).await
        }
        Verdict::DeadLetter { reason } => {
            let refusal = (id.job == Job::CreateRoom).then_some(Refusal::GaveUp);
            let facts = given_up(&id, refusal);
            give_up(shop, received, reason, DeadReason::GivenUp, DeadKind::Job, facts).await
        }
    }
}

fn warn_again(outcome: &Outcome, after: Duration, reason: RetryReason) {
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Outcome::Busy { .. } => debug!(after_ms, "another worker holds the card"),
        _ => warn!(after_ms, reason = reason.as_str(), "job will be tried again"),
    }
}

/// An answer without a meeting: tried like a job, but nobody is there to remember that it was given up.
async fn do_tell(
    shop: &Shop,
    received: Received,
    envelope: Envelope,
    tell: Tell,
) -> Option<JobOutcome> {
    let outcome = chat::tell(shop, &tell).await;
    note_peer(shop, Peer::Mattermost, &outcome);
    let age = shop.deps.clock.now().since(envelope.received_at);
    match judge(shop, &outcome, &envelope, age) {
        Verdict::Done | Verdict::Obsolete => done(shop, &received, JobOutcome::Delivered).await,
        Verdict::Again { after, reason, counts } => {
            shop.deps.observer.retried(received.queue, reason);
            again(shop, &received, envelope, after, counts).await
        }
        Verdict::DeadLetter { reason } => {
            give_up(shop, received, reason, DeadReason::GivenUp, DeadKind::Job, vec![]).await
        }
    }
}

fn judge(shop: &Shop, outcome: &Outcome, envelope: &Envelope, age: Duration) -> Verdict {
    let sample = rand::random();
    let delay = match outcome {
        Outcome::Unavailable { .. } => shop.settings.outage_backoff.delay(envelope.tries, sample),
        _ => shop.settings.backoff.delay(envelope.attempt, sample),
    };
    shop.settings.retry.judge(outcome, envelope.attempt, age, delay)
}

/// What the outcome says about the peer.
fn note_peer(shop: &Shop, peer: Peer, outcome: &Outcome) {
    let breaker = shop.breaker(peer);
    let changed = match outcome {
        Outcome::Unavailable { reason: RetryReason::Throttled, after } => {
            breaker.hold(after.unwrap_or(Duration::from_secs(1)).min(Duration::from_secs(60)));
            false
        }
        Outcome::Unavailable { .. } => breaker.failed(),
        Outcome::Done | Outcome::Failed { .. } | Outcome::Hopeless { .. } => breaker.succeeded(),
        Outcome::Obsolete | Outcome::Busy { .. } | Outcome::Paused { .. } => false,
    };
    if changed {
        let state = breaker.state();
        shop.deps.observer.breaker(peer, state);
        match state {
            BreakerState::Open => warn!(target = peer.as_str(),
                "the peer is away: its jobs wait, one probe goes out now and then"),
            BreakerState::Closed => info!(target = peer.as_str(), "the peer is back"),
        }
    }
}

fn learned(
    shop: &Shop,
    id: &JobId,
    envelope: &Envelope,
    facts: Vec<(Fact, Option<String>)>,
) -> Vec<Posting> {
    let now = shop.deps.clock.now();
    let default_key = format!("job:{id}:{}", envelope.tries);
    facts
        .into_iter()
        .map(|(fact, key)| {
            let key = key.unwrap_or_else(|| default_key.clone());
            event_posting(own_event(fact, key, now), now)
        })
        .collect()
}

/// Chat jobs write posts, which no event tells apply: what became owed by it is published here.
async fn publish_news(shop: &Shop, before: &Meeting, id: &JobId) -> bool {
    let schedule = &shop.settings.policy.schedule;
    let Ok(Some(after)) = shop.deps.store.meeting(id.meeting).await else {
        // The sweep finds what is owed.
        return true;
    };
    let was_owed = crate::domain::owed::owed(before, schedule);
    let now = shop.deps.clock.now();
    let is_news = |owed: &Owed| {
        owed.due <= now.plus(shop.settings.policy.publish_ahead)
            && !was_owed.iter().any(|was| was.job == owed.job && was.due <= owed.due)
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
            Ok(meeting) => return Ok(Some(meeting)),
            Err(StoreError::Refused(why)) => return Err(why),
            Err(StoreError::Away(why)) => {
                warn!(why, "the store is away: jobs wait");
                if !pause(shop).await {
                    return Ok(None);
                }
            }
        }
    }
}

async fn done(shop: &Shop, received: &Received, outcome: JobOutcome) -> Option<JobOutcome> {
    settle(shop, received, Settled::Done(received.receipt)).await;
    Some(outcome)
}

async fn again(
    shop: &Shop,
    received: &Received,
    envelope: Envelope,
    after: Duration,
    counts: bool,
) -> Option<JobOutcome> {
    let not_before = Some(shop.deps.clock.now().plus(after));
    let queue = match received.queue {
        QueueName::Chat => QueueName::ChatLater,
        other => other,
    };
    let next = Envelope {
        attempt: envelope.attempt + u32::from(counts),
        tries: envelope.tries.saturating_add(1),
        not_before,
        ..envelope
    };
    let posting = Posting { queue, envelope: next, delay: after };
    settle(shop, received, Settled::Again(received.receipt, posting)).await;
    Some(JobOutcome::Retried)
}

async fn give_up(
    shop: &Shop,
    received: Received,
    reason: String,
    label: DeadReason,
    kind: DeadKind,
    facts: Vec<Fact>,
) -> Option<JobOutcome> {
    let now = shop.deps.clock.now();
    let postings = facts
        .into_iter()
        .map(|fact| {
            let key = format!("given-up:{}:{}:{}", fact.kind(), received.message_id, now.millis());
            event_posting(own_event(fact, key, now), now)
        })
        .collect();
    let burial = Burial { kind, reason, label, received: received.clone() };
    if !bury(shop, burial).await || !send(shop, postings).await {
        return None;
    }
    done(shop, &received, JobOutcome::DeadLettered).await
}

async fn settle(shop: &Shop, received: &Received, settled: Settled) {
    if received.redelivered {
        forget_mark(shop, &received.message_id).await;
    }
    if let Err(error) = shop.deps.mail.settle(vec![settled]).await {
        debug!(%error, "a job could not be settled and will come again");
    }
}
