//! Posting once: what is about to be posted is written down before the first POST, and looked up before a second.

use std::time::Duration;

use tracing::{debug, info};

use crate::domain::retry::Outcome;
use crate::domain::{Meeting, PostKey, PostRow, Rendered, Timestamp};
use crate::ports::{ChatError, NewPost, PostView};

use super::outside::note_suspended;
use super::{JobContext, StepResult, find_own, is_unknown, keep, post_name, renew};

/// How far before the first try own posts are looked for: clocks differ by what a `Date` header cannot tell, and ours may
/// have been ahead and set back since.
const LOOK_BACK: Duration = Duration::from_secs(300);
/// The same where the first try lies ahead of our clock, which has been set back since: when it was is not known.
const LOOK_BACK_UNKNOWN: Duration = Duration::from_secs(24 * 3600);

/// From when on own posts are looked for, on our clock.
pub(super) fn look_from(tried_at: Timestamp, now: Timestamp) -> Timestamp {
    if tried_at > now {
        now.minus(LOOK_BACK_UNKNOWN)
    } else {
        tried_at.minus(LOOK_BACK)
    }
}

/// How a post came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// By this attempt: it shows what was asked for.
    Now,
    /// Earlier: what it shows is not known.
    Before,
}

/// Why a post was not made.
pub(super) enum NotPosted {
    /// 403: the bot is outside the channel.
    Outside,
    /// Anything else.
    Met(Outcome),
}

impl From<Outcome> for NotPosted {
    fn from(outcome: Outcome) -> Self {
        Self::Met(outcome)
    }
}

/// Makes the post of `key` unless it is there, and keeps what is known of it in `row`.
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
            if let Some(found) = find_earlier(ctx, meeting, key, tried_at).await? {
                info!(post = %found.id, key = %key, "the post was there already");
                adopt(ctx, meeting, key, row, &found).await?;
                return Ok(Made::Before);
            }
            renew(ctx, meeting).await?;
        }
    }
    match create(ctx, meeting, key, row, content).await {
        Ok(view) => {
            if *key == PostKey::Card {
                // Its own line tells more.
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

/// The post that an earlier attempt made, as far as the server shows it.
async fn find_earlier(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    tried_at: Timestamp,
) -> Result<Option<PostView>, NotPosted> {
    let since = look_from(tried_at, ctx.deps.clock.now());
    match find_own(ctx, meeting, &post_name(meeting, key), since).await? {
        Ok(found) => Ok(found.into_iter().next()),
        Err(ChatError::Forbidden { .. }) => Err(NotPosted::Outside),
        Err(error) => Err(super::outcome_of(&error).into()),
    }
}

/// Makes the post, outside its thread if the thread's root was deleted meanwhile: a card stands better there than
/// nowhere.
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
