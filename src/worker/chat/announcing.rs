//! Posting notices, which can be neither looked up nor edited. An attempt is recorded before the notice is posted, and
//! the notice is posted once more when the outcome of the first POST is unknown.

use tracing::{debug, info, warn};

use crate::domain::notice::SENT_MAX;
use crate::domain::post::Frozen;
use crate::domain::retry::Outcome;
use crate::domain::{Meeting, NoticeStep, PostKey, PostRow, Rendered, ResponseHook};
use crate::ports::ChatError;

use super::answer::is_lost;
use super::outside::note_suspended;
use super::{JobContext, StepResult, is_unknown, keep, outcome_of, renew};

/// The way in which a notice is posted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Exit<'m> {
    /// By the configured delivery method, into the meeting's channel.
    DeliveryMethod,
    /// Through the response URL of the starter's command.
    Hook(&'m ResponseHook),
}

/// The final state of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// This attempt posted it.
    Now,
    /// An earlier attempt posted it, or it counts as posted.
    Before,
    /// It cannot be posted any more: the response URL has expired.
    Never,
}

/// Posts the notice of `key` unless it was posted before, and stores its state in `row`.
pub(super) async fn announce(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    exit: Exit<'_>,
    content: Rendered,
) -> StepResult<Announced> {
    let now = ctx.deps.clock.now();
    match row.notice_step(now) {
        NoticeStep::Nothing => return Ok(Announced::Before),
        NoticeStep::Wait(at) => {
            let after = at.since(now);
            return Err(Outcome::Paused {
                after,
                why: "it is unknown whether the notice was posted; it is repeated later",
            });
        }
        NoticeStep::CountAsPosted => {
            count_as_posted(ctx, meeting, key, row).await?;
            return Ok(Announced::Before);
        }
        NoticeStep::Post => {}
    }
    if matches!(exit, Exit::Hook(_)) && now >= meeting.hook_lives_until() {
        return lapse(ctx, meeting, key, row, "it has expired").await;
    }
    renew(ctx, meeting).await?;
    row.begin_notice(ctx.deps.clock.now(), ctx.settings.notice_again_after);
    keep(ctx, meeting, key, row.clone()).await?;
    match post(ctx, meeting, exit, content).await {
        Ok(()) => {
            row.notice_made(ctx.deps.clock.now());
            row.outside_since = None;
            keep(ctx, meeting, key, row.clone()).await?;
            debug!(key = %key, "notice posted");
            Ok(Announced::Now)
        }
        Err(error) if is_unknown(&error) => {
            if row.sent >= SENT_MAX {
                count_as_posted(ctx, meeting, key, row).await?;
            } else {
                let after = ctx.settings.notice_again_after.as_millis();
                let after_ms = u64::try_from(after).unwrap_or(u64::MAX);
                warn!(%error, key = %key, after_ms,
                    "it is unknown whether the notice was posted; it is posted once more and may appear twice");
            }
            Err(outcome_of(&error))
        }
        Err(error) => {
            row.notice_not_made();
            if matches!(exit, Exit::Hook(_)) && is_lost(&error) {
                return lapse(ctx, meeting, key, row, &error.to_string()).await;
            }
            note_suspended(ctx, meeting, key, row, &error).await?;
            keep(ctx, meeting, key, row.clone()).await?;
            Err(outcome_of(&error))
        }
    }
}

async fn post(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    exit: Exit<'_>,
    content: Rendered,
) -> Result<(), ChatError> {
    match exit {
        Exit::DeliveryMethod => ctx.deps.chat.post_notice(&meeting.place, content).await,
        Exit::Hook(hook) => ctx.deps.chat.show_in_channel(hook, content).await,
    }
}

async fn count_as_posted(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
) -> StepResult<()> {
    warn!(key = %key, "it is unknown whether the repeated notice was posted; it counts as posted");
    row.notice_made(ctx.deps.clock.now());
    keep(ctx, meeting, key, row.clone()).await
}

/// Records that the notice cannot be posted any more. The meeting's link shows the same information.
async fn lapse(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    why: &str,
) -> StepResult<Announced> {
    info!(key = %key, why, "the response URL has expired; the meeting's link shows the information");
    ctx.deps.observer.answer_lost();
    row.frozen = Some(Frozen::Lapsed);
    row.again_at = None;
    keep(ctx, meeting, key, row.clone()).await?;
    Ok(Announced::Never)
}
