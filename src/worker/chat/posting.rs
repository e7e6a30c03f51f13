//! Posting once: what is about to be posted is written down before the first POST, and looked up before a second.

use std::time::Duration;

use tracing::{debug, info};

use crate::domain::retry::Outcome;
use crate::domain::{Meeting, PostKey, PostRow, Rendered, Timestamp};
use crate::ports::{ChatError, NewPost, PostView};

use super::outside::note_suspended;
use super::{Step, Turn, find_own, is_unknown, keep, post_name, renew};

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
    shop: &Turn<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    content: Rendered,
) -> Result<Made, NotPosted> {
    if row.post.is_some() {
        return Ok(Made::Before);
    }
    let name = post_name(meeting, key);
    let channel = meeting.place.channel.clone();
    renew(shop, meeting).await?;
    match row.first_tried_at {
        None => {
            row.first_tried_at = Some(shop.deps.clock.now());
            keep(shop, meeting, key, row.clone()).await?;
        }
        Some(tried_at) => {
            let since = look_from(tried_at, shop.deps.clock.now());
            match find_own(shop, meeting, &name, since).await? {
                Ok(found) => {
                    if let Some(oldest) = found.first() {
                        info!(post = %oldest.id, key = %key, "the post was there already");
                        adopt(shop, meeting, key, row, oldest).await?;
                        return Ok(Made::Before);
                    }
                }
                Err(ChatError::Forbidden { .. }) => return Err(NotPosted::Outside),
                Err(error) => return Err(super::outcome_of(&error).into()),
            }
            renew(shop, meeting).await?;
        }
    }
    let mut post = NewPost {
        channel,
        root: row.root.clone(),
        key: name,
        content,
    };
    let mut made = shop.deps.chat.create_post(post.clone()).await;
    // The thread's root was deleted meanwhile: a card stands better outside the thread than nowhere.
    let is_rootless = match made {
        Err(ChatError::Refused { .. }) => true,
        Err(ChatError::NotFound { .. }) => *key == PostKey::Card,
        _ => false,
    };
    if is_rootless && post.root.take().is_some() {
        row.root = None;
        made = shop.deps.chat.create_post(post).await;
    }
    match made {
        Ok(view) => {
            // Of a card, its own line tells more.
            match key {
                PostKey::Card => debug!(post = %view.id, key = %key, "posted"),
                _ => info!(post = %view.id, key = %key, "posted"),
            }
            if *key == PostKey::Card {
                row.rendered = meeting.version;
            }
            adopt(shop, meeting, key, row, &view).await?;
            Ok(Made::Now)
        }
        Err(ChatError::Forbidden { .. }) => Err(NotPosted::Outside),
        Err(error) => {
            note_suspended(shop, meeting, key, row, &error).await?;
            if is_unknown(&error) {
                row.tidy_at = Some(shop.deps.clock.now().plus(shop.settings.tidy_after));
                keep(shop, meeting, key, row.clone()).await?;
            }
            Err(super::outcome_of(&error).into())
        }
    }
}

async fn adopt(
    shop: &Turn<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    view: &PostView,
) -> Step<()> {
    row.post = Some(view.id.clone());
    row.root = view.root.clone();
    row.posted_at = Some(shop.deps.clock.now());
    row.outside_since = None;
    keep(shop, meeting, key, row.clone()).await
}
