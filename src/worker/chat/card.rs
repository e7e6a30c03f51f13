//! The job `RefreshCard`: posts the card, or updates it to the present state of the meeting.

use std::time::Duration;

use tracing::{debug, info, warn};

use crate::domain::card::{self, CardFrame, Late, WhyLate};
use crate::domain::meeting::{Request, State};
use crate::domain::post::Frozen;
use crate::domain::retry::Outcome;
use crate::domain::{Meeting, PostId, PostKey, PostRow, Rendered, Timestamp, TriggerSource, say};
use crate::ports::ChatError;

use super::outside::{Entry, FORBIDDEN, note_suspended, outside, rest_outside};
use super::posting::{Made, NotPosted, post_once};
use super::{JobContext, StepResult, is_unknown, keep, load, outcome_of, renew};

/// How many times one job renders a meeting that keeps changing. The next job continues after that.
const ROUNDS_MAX: u32 = 5;

/// Renders the *current* state, whichever version the job was created for, and renders it again if the meeting changed
/// meanwhile.
pub(super) async fn refresh(ctx: &JobContext<'_>, owing: &Meeting) -> StepResult<Outcome> {
    let mut entry = Entry::default();
    for round in 0..ROUNDS_MAX {
        let meeting = load(ctx, owing.id).await?;
        let mut row = meeting.post(&PostKey::Card).cloned().unwrap_or_default();
        match row.frozen {
            Some(Frozen::Deleted | Frozen::Lapsed) => return Ok(Outcome::Obsolete),
            Some(Frozen::NotEditable) => return post_final(ctx, &meeting, &row).await,
            None if row.rendered >= meeting.version => {
                return Ok(if round == 0 {
                    Outcome::Obsolete
                } else {
                    Outcome::Done
                });
            }
            None => {}
        }
        let ended = match row.post.clone() {
            None => first(ctx, &meeting, &mut row, &mut entry).await?,
            Some(post) => patch(ctx, &meeting, &mut row, &post, &mut entry).await?,
        };
        if let Some(outcome) = ended {
            return Ok(outcome);
        }
        if !ctx.has_changed_since(row.rendered) {
            return Ok(Outcome::Done);
        }
    }
    Ok(Outcome::Busy {
        after: Duration::from_secs(1),
    })
}

/// Posts the first card. `Some`: the job ends with this outcome.
async fn first(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    row: &mut PostRow,
    entry: &mut Entry,
) -> StepResult<Option<Outcome>> {
    if row.first_tried_at.is_none() && row.root.is_none() {
        let root = match meeting.first_request() {
            Some(request) => thread_root(ctx, meeting, request).await,
            None => Ok(None),
        };
        match root {
            Ok(root) => row.root = root,
            Err(NotPosted::Outside) => return outside(ctx, meeting, row, entry).await,
            Err(NotPosted::Met(outcome)) => return Err(outcome),
        }
    }
    let content = render(ctx, meeting, row).await;
    match post_once(ctx, meeting, &PostKey::Card, row, content).await {
        // The existing card may show an older version. The next round updates it.
        Ok(Made::Before) => Ok(None),
        Ok(Made::Now) => {
            let after = ctx.deps.clock.now().since(meeting.requested_at);
            if let Some(request) = meeting.first_request() {
                ctx.deps.observer.card_posted(&request.via, after);
            }
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            info!(after_ms, state = meeting.state().as_str(), "card posted");
            Ok(None)
        }
        Err(NotPosted::Outside) => outside(ctx, meeting, row, entry).await,
        Err(NotPosted::Met(outcome)) => Err(outcome),
    }
}

async fn patch(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    row: &mut PostRow,
    post: &PostId,
    entry: &mut Entry,
) -> StepResult<Option<Outcome>> {
    let content = render(ctx, meeting, row).await;
    renew(ctx, meeting).await?;
    let name = super::post_name(meeting, &PostKey::Card);
    match ctx.deps.chat.patch_post(post, &name, content).await {
        Ok(()) => {
            row.rendered = meeting.version;
            row.outside_since = None;
            if ctx.is_redelivered {
                // The server may still carry out an earlier change after this one, because the process that sent it
                // ended before the answer.
                row.tidy_at = Some(ctx.deps.clock.now().plus(ctx.settings.tidy_after));
            }
            keep(ctx, meeting, &PostKey::Card, row.clone()).await?;
            let after = ctx.deps.clock.now().since(meeting.changed_at);
            ctx.deps
                .observer
                .card_updated(!meeting.state().is_running(), after);
            debug!(
                version = meeting.version,
                state = meeting.state().as_str(),
                "card updated"
            );
            Ok(None)
        }
        Err(ChatError::NotFound { .. }) => {
            info!("a person deleted the card; nothing more is posted for this meeting");
            row.frozen = Some(Frozen::Deleted);
            keep(ctx, meeting, &PostKey::Card, row.clone()).await?;
            Ok(Some(Outcome::Done))
        }
        Err(ChatError::NotEditable { .. }) => {
            warn!("the card can no longer be edited; a reply will announce the end");
            row.frozen = Some(Frozen::NotEditable);
            keep(ctx, meeting, &PostKey::Card, row.clone()).await?;
            post_final(ctx, meeting, row).await.map(Some)
        }
        Err(ChatError::Forbidden { .. }) => outside(ctx, meeting, row, entry).await,
        Err(error) => {
            note_suspended(ctx, meeting, &PostKey::Card, row, &error).await?;
            if is_unknown(&error) {
                // A slow server may still carry out this change after a later one. The card is checked again later.
                row.tidy_at = Some(ctx.deps.clock.now().plus(ctx.settings.tidy_after));
                keep(ctx, meeting, &PostKey::Card, row.clone()).await?;
            }
            Err(outcome_of(&error))
        }
    }
}

/// Posts the one reply with the final state of a card that can no longer be edited.
async fn post_final(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    card: &PostRow,
) -> StepResult<Outcome> {
    if meeting.state().is_running() {
        return Ok(Outcome::Done);
    }
    let mut row = meeting.post(&PostKey::Final).cloned().unwrap_or_default();
    row.root = card.root.clone().or_else(|| card.post.clone());
    let content = say::final_reply(&meeting.card_view(), &frame(ctx, meeting, card, None));
    match post_once(ctx, meeting, &PostKey::Final, &mut row, content).await {
        Ok(_) => Ok(Outcome::Done),
        Err(NotPosted::Outside) => Ok(rest_outside(ctx, meeting, FORBIDDEN)),
        Err(NotPosted::Met(outcome)) => Err(outcome),
    }
}

/// The root of the thread of a request. It is known for a command, and for a first post that was read before it was
/// applied. Any other post is read now.
pub(super) async fn thread_root(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    request: &Request,
) -> Result<Option<PostId>, NotPosted> {
    let is_first = meeting
        .first_request()
        .is_some_and(|first| first.id == request.id);
    let post = match &request.via {
        TriggerSource::OutgoingWebhook { post, placed, .. } if !(is_first && *placed) => post,
        TriggerSource::OutgoingWebhook { .. } | TriggerSource::SlashCommand { .. } => {
            return Ok(meeting.place.thread.clone());
        }
    };
    match ctx.deps.chat.read_post(post).await {
        Ok(view) => Ok(view.root),
        Err(ChatError::NotFound { .. }) => Ok(None),
        Err(ChatError::Forbidden { .. }) => Err(NotPosted::Outside),
        Err(error) => Err(outcome_of(&error).into()),
    }
}

async fn render(ctx: &JobContext<'_>, meeting: &Meeting, row: &PostRow) -> Rendered {
    let starter = starter_name(ctx, meeting).await;
    card::render(&meeting.card_view(), &frame(ctx, meeting, row, starter))
}

/// The starter's name as the server displays it.
pub(super) async fn starter_name(ctx: &JobContext<'_>, meeting: &Meeting) -> Option<String> {
    // Without an answer the card shows the username, because it must not wait for the name.
    ctx.deps.chat.person_name(&meeting.starter()?.user_id).await
}

/// The meeting's link that is the same for everybody.
pub(super) fn open_link(ctx: &JobContext<'_>, meeting: &Meeting) -> String {
    let first = meeting.first_request();
    first
        .map(|request| ctx.deps.links.join(request.id))
        .unwrap_or_default()
}

fn frame(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    row: &PostRow,
    starter: Option<String>,
) -> CardFrame {
    let posted_at = row.posted_at.unwrap_or_else(|| ctx.deps.clock.now());
    CardFrame {
        join_link: open_link(ctx, meeting),
        starter_name: starter,
        time_zone: ctx.settings.face.time_zone.clone(),
        late: late_by(ctx, meeting, posted_at).map(|by| Late {
            by,
            why: why_late(ctx, meeting, row),
        }),
    }
}

/// The reason why the card is late, as far as the stored facts show it.
fn why_late(ctx: &JobContext<'_>, meeting: &Meeting, row: &PostRow) -> WhyLate {
    let was_caught_up = meeting
        .first_request()
        .is_some_and(|request| request.via.is_caught_up());
    let was_outside = row.outside_since.is_some()
        || meeting
            .post(&PostKey::Invite)
            .is_some_and(|invite| invite.answered);
    let was_tried = row.first_tried_at.is_some_and(|tried_at| {
        tried_at.since(meeting.requested_at) < ctx.settings.face.late_after
    });
    if was_caught_up {
        WhyLate::FoundLate
    } else if was_outside {
        WhyLate::BotOutside
    } else if was_tried {
        WhyLate::NotTaken
    } else {
        WhyLate::Unknown
    }
}

/// How late the card was posted, if the card should say so. The time until the room exists does not count.
fn late_by(ctx: &JobContext<'_>, meeting: &Meeting, posted_at: Timestamp) -> Option<Duration> {
    let late = posted_at.since(meeting.requested_at);
    let is_shown = meeting.state() != State::Failed;
    (is_shown && late >= ctx.settings.face.late_after).then_some(late)
}
