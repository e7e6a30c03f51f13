//! Jobs that call Mattermost. In the store they change only the posts of a meeting.

mod announcing;
mod answer;
mod artifact;
mod card;
mod notice;
mod outside;
mod posting;
mod tidy;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::retry::{Outcome, RetryReason};
use crate::domain::{DeliveryMethod, Job, Meeting, PostKey, PostRow, Timestamp};
use crate::ports::{ChatError, Duty, Lease, PostView, Received, ShownNames, StoreError};

use super::WorkerContext;
use super::jobs::JobReport;

pub(super) use answer::reply;

/// The configured part of a card's appearance.
#[derive(Debug, Clone)]
pub struct CardFace {
    /// The base of the links on a card.
    pub public_url: String,
    /// The time zone in which times are shown.
    pub time_zone: jiff::tz::TimeZone,
    /// A first card that is posted at least this long after its request says why it is late.
    pub late_after: Duration,
}

impl CardFace {
    /// The part that every card shows. When it changes, the cards of running meetings are written again.
    pub(super) fn text(&self) -> String {
        let zone = self.time_zone.iana_name().unwrap_or("UTC");
        format!("{} {zone}", self.public_url)
    }
}

/// The context of one attempt at one job. It has an owner name of its own for leases, because two attempts of one
/// instance must not share a lease.
pub(super) struct JobContext<'a> {
    ctx: &'a WorkerContext,
    owner: String,
    /// The message was delivered before and never settled. The process of the earlier delivery may have ended during a
    /// call that the peer still carries out.
    is_redelivered: bool,
    progress: Mutex<AttemptProgress>,
}

/// The state of an attempt.
#[derive(Default)]
struct AttemptProgress {
    /// When the lease was last taken or renewed.
    leased_at: Option<Instant>,
    /// The meeting as it was loaded with the lease, until a step takes it.
    loaded: Option<Meeting>,
    /// The post rows that this attempt wrote.
    kept: BTreeMap<PostKey, PostRow>,
    /// The meeting's version when the last of these rows was written.
    version: Option<u64>,
}

impl<'a> JobContext<'a> {
    /// The context of an attempt at the `received` message.
    pub(super) fn new(ctx: &'a WorkerContext, received: &Received) -> Self {
        Self {
            ctx,
            owner: format!("{}#{}", ctx.settings.instance, received.receipt.0),
            is_redelivered: received.redelivered,
            progress: Mutex::default(),
        }
    }
}

impl JobContext<'_> {
    /// Whether the meeting has changed since `version`. The store returned its version when the last row was written.
    fn has_changed_since(&self, version: u64) -> bool {
        self.progress().version != Some(version)
    }

    fn progress(&self) -> MutexGuard<'_, AttemptProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configured delivery method; `owed` uses the same one.
    fn delivery_method(&self) -> DeliveryMethod {
        self.ctx.settings.policy.schedule.delivery_method
    }
}

impl Deref for JobContext<'_> {
    type Target = WorkerContext;
    fn deref(&self) -> &WorkerContext {
        self.ctx
    }
}

/// Does one job. `meeting` has the state in which the job was found to be owed.
pub(super) async fn run(ctx: &JobContext<'_>, meeting: &Meeting, job: &Job) -> JobReport {
    let outcome = match job {
        Job::RefreshCard { .. } => under_lease(ctx, meeting, card::refresh(ctx, meeting)).await,
        Job::PostNotice { notice } => {
            under_lease(ctx, meeting, notice::post(ctx, meeting.id, *notice)).await
        }
        Job::PostArtifact { artifact } => {
            under_lease(ctx, meeting, artifact::post(ctx, meeting.id, artifact)).await
        }
        Job::TidyPosts { post } => {
            under_lease(ctx, meeting, tidy::tidy(ctx, meeting.id, post)).await
        }
        Job::Answer { request } => {
            under_lease(ctx, meeting, answer::answer(ctx, meeting.id, *request)).await
        }
        Job::CheckRight { request } => return answer::check_right(ctx, meeting, *request).await,
        Job::CreateRoom
        | Job::EndRoom { .. }
        | Job::PollRoom { .. }
        | Job::PollArtifacts { .. }
        | Job::FetchArtifact { .. } => Err(Outcome::Hopeless {
            why: "a job of plugNmeet in a queue of Mattermost".to_owned(),
        }),
    };
    JobReport {
        kept: std::mem::take(&mut ctx.progress().kept),
        ..JobReport::of(outcome.unwrap_or_else(|outcome| outcome))
    }
}

/// The result of a step. The error is the outcome with which the job ends.
type StepResult<T> = Result<T, Outcome>;

/// Does `work` while no other worker or replica changes this meeting's posts.
async fn under_lease(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    work: impl Future<Output = StepResult<Outcome>>,
) -> StepResult<Outcome> {
    let _lock = ctx.meeting_locks.take(meeting.id).await;
    // The previous holder of the lock may have been throttled after the breaker had admitted this job.
    if let Some(after) = ctx.mattermost.held_for() {
        return Err(Outcome::Paused {
            after,
            why: "the chat server throttles",
        });
    }
    let loaded = lease(ctx, meeting).await?;
    ctx.progress().loaded = loaded;
    let outcome = work.await;
    // A lease that cannot be released expires by itself.
    let duty = Duty::Posts(meeting.id);
    drop(ctx.deps.store.drop_lease(duty, &ctx.owner).await);
    outcome
}

/// Takes or renews the lease, and loads the meeting.
async fn lease(ctx: &JobContext<'_>, meeting: &Meeting) -> StepResult<Option<Meeting>> {
    let (now, length) = (ctx.deps.clock.now(), ctx.settings.lease);
    let leasing = ctx
        .deps
        .store
        .lease_posts(meeting.id, &ctx.owner, now, length);
    let (lease, meeting) = leasing.await.map_err(store_unavailable)?;
    match lease {
        Lease::Taken { .. } => {
            ctx.progress().leased_at = Some(Instant::now());
            Ok(meeting)
        }
        Lease::Held { until } => Err(Outcome::Busy {
            // No worker takes a longer lease. A longer one was taken by a process whose clock was ahead.
            after: until.since(now).clamp(Duration::from_millis(50), length),
        }),
    }
}

/// Renews the lease before a call, unless two thirds of it are left. A lease lasts as long as two calls.
async fn renew(ctx: &JobContext<'_>, meeting: &Meeting) -> StepResult<()> {
    let is_fresh = |at: Instant| at.elapsed() < ctx.settings.lease / 3;
    if ctx.progress().leased_at.is_some_and(is_fresh) {
        return Ok(());
    }
    lease(ctx, meeting).await.map(drop)
}

/// Finds the relay's own posts with this name since `since`. The lease is renewed while the pages of the answer are
/// read.
async fn find_own(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    name: &str,
    since: Timestamp,
) -> StepResult<Result<Vec<PostView>, ChatError>> {
    let channel = &meeting.place.channel;
    let finding = ctx.deps.chat.find_posts(channel, name, since);
    tokio::pin!(finding);
    loop {
        tokio::select! {
            posts = &mut finding => return Ok(posts),
            () = tokio::time::sleep(ctx.settings.lease / 3) => renew(ctx, meeting).await?,
        }
    }
}

async fn load(ctx: &JobContext<'_>, meeting: crate::domain::MeetingId) -> StepResult<Meeting> {
    let loaded = ctx.progress().loaded.take();
    let stored = match loaded {
        Some(meeting) => Some(meeting),
        None => ctx
            .deps
            .store
            .meeting(meeting)
            .await
            .map_err(store_unavailable)?,
    };
    let mut meeting = stored.ok_or_else(|| Outcome::Hopeless {
        why: "the meeting is not in the store".to_owned(),
    })?;
    meeting.no_later_than(ctx.deps.clock.now());
    // Chat jobs store only the posts of a meeting, so this title with the names that the server shows is never stored.
    if meeting.rule.title_source.is_some() {
        let names = ShownNames::of(ctx.deps.chat.as_ref(), &meeting).await;
        names.retitle(&mut meeting);
    }
    Ok(meeting)
}

async fn keep(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: PostRow,
) -> StepResult<()> {
    let putting = ctx.deps.store.put_post(meeting.id, key, row.clone());
    let version = putting.await.map_err(store_unavailable)?;
    let mut progress = ctx.progress();
    progress.version = Some(version);
    progress.kept.insert(key.clone(), row);
    Ok(())
}

/// The name of a post, which is stored in its props. The post is found again by this name.
fn post_name(meeting: &Meeting, key: &PostKey) -> String {
    format!("{}:{key}", meeting.id)
}

/// Whether the server may have carried out the call although it failed.
fn is_unknown(error: &ChatError) -> bool {
    matches!(
        error,
        ChatError::Unreachable { sent: true, .. } | ChatError::Unavailable { .. }
    )
}

fn store_unavailable(error: StoreError) -> Outcome {
    match error {
        StoreError::Unavailable(_) => Outcome::Paused {
            after: Duration::from_secs(2),
            why: "the store is unavailable",
        },
        StoreError::Refused(why) => Outcome::Failed { why },
    }
}

fn outcome_of(error: &ChatError) -> Outcome {
    let why = error.to_string();
    match error {
        ChatError::Unreachable { .. } => Outcome::Unavailable {
            after: None,
            reason: RetryReason::Unreachable,
            why,
        },
        ChatError::Unavailable { after, .. } | ChatError::TurnedAway { after, .. } => {
            Outcome::Unavailable {
                after: *after,
                reason: RetryReason::ServerError,
                why,
            }
        }
        ChatError::Failed { .. } => Outcome::Failed { why },
        ChatError::Throttled { after } => Outcome::Unavailable {
            after: *after,
            reason: RetryReason::Throttled,
            why,
        },
        // Every call fails until a person acts (a revoked token, a setting of the server). The job waits, so that it
        // continues by itself then, and is given up by age. The peer is available, so no breaker opens.
        ChatError::Unauthorized { .. } => Outcome::Unavailable {
            after: None,
            reason: RetryReason::Paused,
            why,
        },
        ChatError::Suspended { .. } => Outcome::Resting { after: None, why },
        ChatError::Forbidden { .. }
        | ChatError::NotFound { .. }
        | ChatError::NotEditable { .. }
        | ChatError::Refused { .. } => Outcome::Hopeless { why },
    }
}
