//! Jobs that call Mattermost. They write `posts` and nothing else.

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

pub(super) use answer::tell;

/// How cards look, as far as that is configured.
#[derive(Debug, Clone)]
pub struct CardFace {
    /// Where its links lead.
    pub public_url: String,
    /// In which times are shown.
    pub time_zone: jiff::tz::TimeZone,
    /// A first card posted so long after its request says why.
    pub late_after: Duration,
}

impl CardFace {
    /// What of it every card shows: another text means that cards are to be written again.
    pub(super) fn text(&self) -> String {
        let zone = self.time_zone.iana_name().unwrap_or("UTC");
        format!("{} {zone}", self.public_url)
    }
}

/// One attempt at one job: the shop, and the name under which it holds leases. Two attempts of one instance must
/// not share a lease.
pub(super) struct JobContext<'a> {
    ctx: &'a WorkerContext,
    owner: String,
    /// The message was handed out before and never settled: whoever had it may have died in a call that the peer
    /// still carries out.
    is_redelivered: bool,
    progress: Mutex<AttemptProgress>,
}

/// How far an attempt has come.
#[derive(Default)]
struct AttemptProgress {
    /// When the lease was taken or renewed last.
    leased_at: Option<Instant>,
    /// The meeting as it was under the lease, until it is used.
    loaded: Option<Meeting>,
    /// The rows that this attempt wrote.
    kept: BTreeMap<PostKey, PostRow>,
    /// The meeting's version when the last of them was written.
    version: Option<u64>,
}

impl<'a> JobContext<'a> {
    /// The attempt at what was `received`.
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
    /// The meeting has moved on since `version`, as far as this attempt was told.
    fn has_moved_on(&self, version: u64) -> bool {
        self.progress().version != Some(version)
    }

    fn progress(&self) -> MutexGuard<'_, AttemptProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the way out can do: as `owed` was told.
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

/// Does one job. `meeting` is as it was when the job was found to be owed.
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

/// What a step met when it could not go on; `?` carries it out of a job.
type StepResult<T> = Result<T, Outcome>;

/// Does `work` while nobody else touches this meeting's posts.
async fn under_lease(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    work: impl Future<Output = StepResult<Outcome>>,
) -> StepResult<Outcome> {
    let _lock = ctx.meeting_locks.take(meeting.id).await;
    // The one before us at the desk may have been throttled, when we had been let in already.
    if let Some(after) = ctx.mattermost.held_for() {
        return Err(Outcome::Paused {
            after,
            why: "the chat server throttles",
        });
    }
    let found = lease(ctx, meeting).await?;
    ctx.progress().loaded = found;
    let outcome = work.await;
    // A lease that cannot be given back runs out by itself.
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
            // Nobody takes it for longer; what lasts longer was taken by a clock that was ahead.
            after: until.since(now).clamp(Duration::from_millis(50), length),
        }),
    }
}

/// Renews the lease before a call, unless two thirds of it are left: it lasts as long as two calls.
async fn renew(ctx: &JobContext<'_>, meeting: &Meeting) -> StepResult<()> {
    let is_fresh = |at: Instant| at.elapsed() < ctx.settings.lease / 3;
    if ctx.progress().leased_at.is_some_and(is_fresh) {
        return Ok(());
    }
    lease(ctx, meeting).await.map(drop)
}

/// Own posts of this name since `since`; the lease stays ours however many pages the server has them on.
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
            found = &mut finding => return Ok(found),
            () = tokio::time::sleep(ctx.settings.lease / 3) => renew(ctx, meeting).await?,
        }
    }
}

async fn load(ctx: &JobContext<'_>, meeting: crate::domain::MeetingId) -> StepResult<Meeting> {
    let loaded = ctx.progress().loaded.take();
    let found = match loaded {
        Some(meeting) => Some(meeting),
        None => ctx
            .deps
            .store
            .meeting(meeting)
            .await
            .map_err(store_unavailable)?,
    };
    let mut meeting = found.ok_or_else(|| Outcome::Hopeless {
        why: "the meeting is not in the store".to_owned(),
    })?;
    meeting.no_later_than(ctx.deps.clock.now());
    // Chat jobs store nothing of a meeting but its posts: the title of the names that the server shows is theirs alone.
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

/// The name of a post in its props: the handle by which it is found again.
fn post_name(meeting: &Meeting, key: &PostKey) -> String {
    format!("{}:{key}", meeting.id)
}

/// Whether the call may have been carried out all the same.
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
            why: "the store is away",
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
        // Every other call would meet the same until a person acts (a revoked token, a switch of the server), and
        // then this one should follow by itself: it waits, and ends by age. The peer is not away, so no breaker opens.
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
