//! Posting once. An attempt is recorded before the first POST, and an existing post is looked up before a second one.

use std::time::Duration;

use tracing::{debug, info};

use crate::domain::retry::Outcome;
use crate::domain::{Meeting, PostKey, PostRow, Rendered, Timestamp};
use crate::ports::{ChatError, NewPost, PostView};

use super::outside::note_suspended;
use super::{JobContext, StepResult, find_own, is_unknown, keep, post_name, renew};

/// The search for own posts begins this long before the first attempt. The clocks differ by more than a `Date` header
/// shows, and the relay's clock may have been ahead and set back since.
const LOOK_BACK: Duration = Duration::from_secs(300);
/// The same where the time of the first attempt is ahead of the relay's clock. The clock has been set back since, so
/// the true time is not known.
const LOOK_BACK_UNKNOWN: Duration = Duration::from_secs(24 * 3600);

/// The time on the relay's clock from which own posts are searched.
pub(super) fn search_from(tried_at: Timestamp, now: Timestamp) -> Timestamp {
    if tried_at > now {
        now.minus(LOOK_BACK_UNKNOWN)
    } else {
        tried_at.minus(LOOK_BACK)
    }
}

/// Which attempt made a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// This attempt made it, with the given content.
    Now,
    /// An earlier attempt made it. Its content is not known.
    Before,
}

/// Why a post was not made.
pub(super) enum NotPosted {
    /// The server answered 403: the bot cannot post in the channel.
    Outside,
    /// Any other failure, as the outcome of the job.
    Met(Outcome),
}

impl From<Outcome> for NotPosted {
    fn from(outcome: Outcome) -> Self {
        Self::Met(outcome)
    }
}

/// Creates the post of `key` unless it exists, and stores its state in `row`.
pub(super) async fn post_once(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    content: Rendered,
) -> Result<Made, NotPosted> {
    if row.post.is_some() {
        return Ok(Made::Before);
    }
    renew(ctx, meeting).await?;
    match row.first_tried_at {
        None => {
            row.first_tried_at = Some(ctx.deps.clock.now());
            keep(ctx, meeting, key, row.clone()).await?;
        }
        Some(tried_at) => {
            if let Some(existing) = find_earlier(ctx, meeting, key, tried_at).await? {
                info!(post = %existing.id, key = %key, "post exists already");
                adopt(ctx, meeting, key, row, &existing).await?;
                return Ok(Made::Before);
            }
            renew(ctx, meeting).await?;
        }
    }
    match create(ctx, meeting, key, row, content).await {
        Ok(view) => {
            if *key == PostKey::Card {
                // "card posted" is logged at `info` for it.
                debug!(post = %view.id, key = %key, "posted");
                row.rendered = meeting.version;
            } else {
                info!(post = %view.id, key = %key, "posted");
            }
            adopt(ctx, meeting, key, row, &view).await?;
            Ok(Made::Now)
        }
        Err(ChatError::Forbidden { .. }) => Err(NotPosted::Outside),
        Err(error) => {
            note_suspended(ctx, meeting, key, row, &error).await?;
            if is_unknown(&error) {
                row.tidy_at = Some(ctx.deps.clock.now().plus(ctx.settings.tidy_after));
                keep(ctx, meeting, key, row.clone()).await?;
            }
            Err(super::outcome_of(&error).into())
        }
    }
}

/// Finds the post that an earlier attempt made, if the server lists it.
async fn find_earlier(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    tried_at: Timestamp,
) -> Result<Option<PostView>, NotPosted> {
    let since = search_from(tried_at, ctx.deps.clock.now());
    match find_own(ctx, meeting, &post_name(meeting, key), since).await? {
        Ok(posts) => Ok(posts.into_iter().next()),
        Err(ChatError::Forbidden { .. }) => Err(NotPosted::Outside),
        Err(error) => Err(super::outcome_of(&error).into()),
    }
}

/// Creates the post. If the root of its thread was deleted meanwhile, it is created outside the thread, because that is
/// better than no post.
async fn create(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    content: Rendered,
) -> Result<PostView, ChatError> {
    let mut post = NewPost {
        channel: meeting.place.channel.clone(),
        root: row.root.clone(),
        key: post_name(meeting, key),
        content,
    };
    let made = ctx.deps.chat.create_post(post.clone()).await;
    let is_rootless = match made {
        Err(ChatError::Refused { .. }) => true,
        Err(ChatError::NotFound { .. }) => *key == PostKey::Card,
        _ => false,
    };
    if !is_rootless || post.root.take().is_none() {
        return made;
    }
    row.root = None;
    ctx.deps.chat.create_post(post).await
}

async fn adopt(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    view: &PostView,
) -> StepResult<()> {
    row.post = Some(view.id.clone());
    row.root = view.root.clone();
    row.posted_at = Some(ctx.deps.clock.now());
    row.outside_since = None;
    keep(ctx, meeting, key, row.clone()).await
}
