//! Catching up: Mattermost tells each post only once, so what was written while nothing reached the relay is looked
//! for in the public channels of its account: after the start, after a trigger that could not be taken, and every so
//! often, because nobody can see that he was out of reach.
//!
//! The cursor (a setting of the store, on Mattermost's clock) tells up to when posts were looked at; it moves only
//! after whatever was found is durable. A post that was told as well has the same key, so that apply drops it.

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

/// Pause after a pass that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Pause between two passes at least, however often the door asks for one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause that a throttling Mattermost can ask for.
const THROTTLED_MAX: Duration = Duration::from_secs(300);

/// How posts are caught up with.
#[derive(Debug, Clone)]
pub struct CatchUpSettings {
    /// What starts meetings.
    pub rules: Arc<Rules>,
    /// With these first words Mattermost tells posts, where it does not say so itself.
    pub trigger_words: Vec<String>,
    /// Whose posts never do.
    pub own_user: OwnUser,
    /// Tells that some may have been lost at the door.
    pub missed_posts: MissedPosts,
    /// Most starts of one person in one channel within a minute; each channel is read and counted by itself.
    pub starts_per_minute: usize,
    /// The longest `worth` of all rules: older posts are not even read.
    pub start_deadline_max: Duration,
    /// How often to look.
    pub every: Duration,
}

/// How a pass went.
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

/// Notes that the relay is there from now on, unless it was before: what was written earlier asked somebody else.
///
/// # Errors
/// The store does not take it.
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
    let trouble_told = LogThrottle::default();
    let owner = ctx.settings.instance.clone();
    // Nothing was heard while the relay did not run.
    let mut may_have_missed = true;
    loop {
        let passed = tokio::select! {
            () = ctx.stop.cancelled() => None,
            passed = under_duty(&ctx, reader.pass(&ctx, may_have_missed)) => Some(passed),
        };
        if let Err(error) = ctx.deps.store.drop_lease(Duty::CatchUp, &owner).await {
            debug!(%error, "the duty to catch up is given back when its time is over");
        }
        let Some(passed) = passed else {
            return;
        };
        let (shortest, pause) = match passed {
            // Another replica may have looked before the gap was over.
            Ok(PassResult::LeftToAnother) => (every.min(AGAIN_AFTER), every.min(AGAIN_AFTER)),
            Ok(PassResult::Done) => {
                if trouble_told.clear() {
                    info!("the relay catches up with posts again");
                }
                may_have_missed = false;
                (every.min(PAUSE_MIN), every)
            }
            Err(trouble) => {
                if trouble_told.should_log() {
                    warn!(error = %trouble, "the relay cannot catch up with posts that Mattermost may have told in vain: it is tried again");
                }
                let pause = match trouble {
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

/// Renews the duty while `pass` waits for a slow Mattermost. A pass that does not have the duty ends before.
async fn under_duty<T>(ctx: &WorkerContext, pass: impl Future<Output = T>) -> T {
    tokio::pin!(pass);
    loop {
        tokio::select! {
            passed = &mut pass => return passed,
            () = tokio::time::sleep(ctx.settings.lease / 3) => {
                if let Err(error) = take_duty(ctx).await {
                    debug!(%error, "the duty to catch up cannot be renewed");
                }
            }
        }
    }
}

/// Takes or renews the duty, for as long as a card's lease; false while another replica has it.
async fn take_duty(ctx: &WorkerContext) -> Result<bool, StoreError> {
    let (owner, now) = (&ctx.settings.instance, ctx.deps.clock.now());
    let store = &ctx.deps.store;
    let lease = store.take_lease(Duty::CatchUp, owner, now, ctx.settings.lease);
    Ok(matches!(lease.await?, Lease::Taken { .. }))
}
