//! TidyPosts: after a POST whose answer never came, the oldest own post stays and its doubles go. A card is then
//! rendered anew: a POST or PATCH without an answer may have been carried out after a later one.

use tracing::info;

use crate::domain::retry::Outcome;
use crate::domain::{MeetingId, PostKey};
use crate::ports::ChatError;

use super::posting::look_from;
use super::{JobContext, StepResult, find_own, keep, load, outcome_of, post_name, renew};

/// Looks for doubles of one post.
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
    let since = look_from(tried_at, ctx.deps.clock.now());
    let name = post_name(&meeting, key);
    let found = match find_own(ctx, &meeting, &name, since).await? {
        Ok(found) => found,
        // Outside the channel now: nobody there sees doubles of ours that we could delete.
        Err(ChatError::Forbidden { .. } | ChatError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(outcome_of(&error)),
    };
    let mut found = found.into_iter();
    if let Some(oldest) = found.next() {
        row.post = Some(oldest.id);
        row.posted_at = row.posted_at.or(Some(ctx.deps.clock.now()));
    }
    for double in found {
        renew(ctx, &meeting).await?;
        match ctx.deps.chat.delete_post(&double.id).await {
            Ok(()) => info!(post = %double.id, key = %key, "a doubled post was deleted"),
            Err(ChatError::NotFound { .. } | ChatError::Forbidden { .. }) => {}
            Err(error) => return Err(outcome_of(&error)),
        }
    }
    row.tidy_at = None;
    if *key != PostKey::Card {
        keep(ctx, &meeting, key, row).await?;
        return Ok(Outcome::Done);
    }
    // What it shows is not known.
    row.rendered = 0;
    keep(ctx, &meeting, key, row).await?;
    match super::card::refresh(ctx, &meeting).await? {
        // A person deleted it, or it can no longer be edited.
        Outcome::Obsolete => Ok(Outcome::Done),
        outcome => Ok(outcome),
    }
}
