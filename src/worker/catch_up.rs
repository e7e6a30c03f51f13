//! The catch-up. Mattermost sends the webhook of a post only once, so the relay reads posts that it may have missed
//! in the public channels of its account. It reads them after the start, after a trigger that could not be accepted,
//! and at a fixed interval, because the relay cannot notice that Mattermost could not reach it.
//!
//! The cursor (a setting of the store, on Mattermost's clock) is the time up to which posts were read. It moves only
//! after everything that was found is durable. A post whose webhook arrived too has the same dedup key, so that apply
//! ignores it.

mod cursor;
mod reader;
mod trigger_words;

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use crate::domain::rule::Rules;
use crate::domain::{ServerName, Timestamp};
use crate::log_throttle::LogThrottle;
use crate::ports::{ChatError, Duty, Lease, PublishError, Store, StoreError};
use crate::trigger::{MissedPosts, OwnUser};

use super::WorkerContext;
use cursor::{OURS, cursor_name};
use reader::PostReader;

/// Pause after a failed pass.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Shortest pause between two passes, however often the ingress reports a missed post.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause that Mattermost can ask for by throttling.
const THROTTLED_MAX: Duration = Duration::from_secs(300);

/// The settings of the catch-up.
#[derive(Debug, Clone)]
pub struct CatchUpSettings {
    /// The rules that map a phrase to a meeting.
    pub rules: Arc<Rules>,
    /// The trigger words of the outgoing webhooks, used where Mattermost does not let the account read them.
    pub trigger_words: Vec<String>,
    /// The relay's own user, whose posts never start a meeting.
    pub own_user: OwnUser,
    /// Receives the report of the ingress that a trigger may have been missed.
    pub missed_posts: MissedPosts,
    /// Most starts of one person in one channel within a minute; each channel is read and counted by itself.
    pub starts_per_minute: usize,
    /// The longest `start_deadline` of all rules. Older posts are not read.
    pub start_deadline_max: Duration,
    /// The interval between two passes.
    pub every: Duration,
}

/// The result of a pass.
enum PassResult {
    /// The cursor moved.
    Done,
    /// Another replica has the duty.
    LeftToAnother,
}

/// Why a pass was not finished. The next one begins at the same cursor.
#[derive(Debug, thiserror::Error)]
enum CatchUpError {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] PublishError),
}

/// Stores the first cursor, unless there is one. Posts that were written before the relay was installed were not meant
/// for it.
///
/// # Errors
/// The store is unavailable, or refuses the setting.
pub async fn begin_catching_up(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    let name = cursor_name(&ServerName::default_server());
    let value = format!("{OURS}{}", now.millis());
    store.setting_or_insert(&name, &value).await.map(drop)
}

/// Runs until the workers are stopped.
pub(super) async fn run(ctx: Arc<WorkerContext>, settings: CatchUpSettings) {
    let missed_posts = settings.missed_posts.clone();
    let every = settings.every;
    let mut reader = PostReader::new(settings);
    let failures = LogThrottle::default();
    let owner = ctx.settings.instance.clone();
    // Posts may have been missed while the relay did not run.
    let mut may_have_missed = true;
    loop {
        let passed = tokio::select! {
            () = ctx.stop.cancelled() => None,
            passed = under_duty(&ctx, reader.pass(&ctx, may_have_missed)) => Some(passed),
        };
        if let Err(error) = ctx.deps.store.drop_lease(Duty::CatchUp, &owner).await {
            debug!(%error, "the lease of the catch-up could not be released; it expires by itself");
        }
        let Some(passed) = passed else {
            return;
        };
        let (shortest, pause) = match passed {
            // The other replica may have read the posts before the outage was over.
            Ok(PassResult::LeftToAnother) => (every.min(AGAIN_AFTER), every.min(AGAIN_AFTER)),
            Ok(PassResult::Done) => {
                if failures.clear() {
                    info!("the catch-up works again");
                }
                may_have_missed = false;
                (every.min(PAUSE_MIN), every)
            }
            Err(failure) => {
                if failures.should_log() {
                    warn!(error = %failure, "missed posts cannot be read; the catch-up is tried again");
                }
                let pause = match failure {
                    CatchUpError::Chat(ChatError::Throttled { after: Some(after) }) => {
                        after.clamp(AGAIN_AFTER, THROTTLED_MAX)
                    }
                    _ => every.min(AGAIN_AFTER),
                };
                (pause, pause)
            }
        };
        tokio::select! {
            () = ctx.stop.cancelled() => return,
            () = async { tokio::time::sleep(shortest).await; missed_posts.awaited().await } => may_have_missed = true,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Renews the duty while `pass` waits for a slow Mattermost. A pass without the duty ends before the first renewal.
async fn under_duty<T>(ctx: &WorkerContext, pass: impl Future<Output = T>) -> T {
    tokio::pin!(pass);
    loop {
        tokio::select! {
            passed = &mut pass => return passed,
            () = tokio::time::sleep(ctx.settings.lease / 3) => {
                if let Err(error) = take_duty(ctx).await {
                    debug!(%error, "the lease of the catch-up cannot be renewed");
                }
            }
        }
    }
}

/// Takes or renews the duty. It lasts as long as the lease of a card. Returns false while another replica has it.
async fn take_duty(ctx: &WorkerContext) -> Result<bool, StoreError> {
    let (owner, now) = (&ctx.settings.instance, ctx.deps.clock.now());
    let store = &ctx.deps.store;
    let lease = store.take_lease(Duty::CatchUp, owner, now, ctx.settings.lease);
    Ok(matches!(lease.await?, Lease::Taken { .. }))
}
