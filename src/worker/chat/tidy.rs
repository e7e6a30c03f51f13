//! The job `TidyPosts`: after a POST without an answer, the oldest own post stays and its duplicates are deleted. A
//! card is then rendered again, because a POST or PATCH without an answer may have been carried out after a later one.

use tracing::info;

use crate::domain::retry::Outcome;
use crate::domain::{MeetingId, PostKey};
use crate::ports::ChatError;

use super::posting::search_from;
use super::{JobContext, StepResult, find_own, keep, load, outcome_of, post_name, renew};

/// Deletes the duplicates of one post.
pub(super) async fn tidy(
    ctx: &JobContext<'_>,
    id: MeetingId,
    key: &PostKey,
) -> StepResult<Outcome> {
    let meeting = load(ctx, id).await?;
    let Some(mut row) = meeting.post(key).cloned() else {
        return Ok(Outcome::Obsolete);
    };
    let tried_at = row.first_tried_at.unwrap_or(meeting.requested_at);
    let since = search_from(tried_at, ctx.deps.clock.now());
    let name = post_name(&meeting, key);
    let posts = match find_own(ctx, &meeting, &name, since).await? {
        Ok(posts) => posts,
        // The bot is no longer in the channel, so it cannot delete duplicates there.
        Err(ChatError::Forbidden { .. } | ChatError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(outcome_of(&error)),
    };
    let mut posts = posts.into_iter();
    if let Some(oldest) = posts.next() {
        row.post = Some(oldest.id);
        row.posted_at = row.posted_at.or(Some(ctx.deps.clock.now()));
    }
    for duplicate in posts {
        renew(ctx, &meeting).await?;
        match ctx.deps.chat.delete_post(&duplicate.id).await {
            Ok(()) => info!(post = %duplicate.id, key = %key, "duplicate post deleted"),
            Err(ChatError::NotFound { .. } | ChatError::Forbidden { .. }) => {}
            Err(error) => return Err(outcome_of(&error)),
        }
    }
    row.tidy_at = None;
    if *key != PostKey::Card {
        keep(ctx, &meeting, key, row).await?;
        return Ok(Outcome::Done);
    }
    // The content of the card is not known.
    row.rendered = 0;
    keep(ctx, &meeting, key, row).await?;
    match super::card::refresh(ctx, &meeting).await? {
        // A person deleted the card, or it can no longer be edited.
        Outcome::Obsolete => Ok(Outcome::Done),
        outcome => Ok(outcome),
    }
}
