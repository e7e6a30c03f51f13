//! Handles a channel in which the bot cannot post. The bot finds out why, joins the channel if it can, and otherwise
//! tells the person what to change.

use std::time::Duration;

use tracing::{info, warn};

use crate::domain::retry::Outcome;
use crate::domain::say::{self, CannotPost, Spot};
use crate::domain::{Meeting, PostKey, PostRow, TriggerSource};
use crate::ports::{ChannelKind, ChatError};

use super::answer::{answer_through, is_lost};
use super::{JobContext, StepResult, keep, outcome_of};

/// Pause before a card is tried again while the bot cannot post in the channel and the meeting is over.
const OUTSIDE_OVER_AGAIN_AFTER: Duration = Duration::from_secs(600);
/// A person gets at most one direct message about a channel within this time.
const MESSAGE_AGAIN_AFTER: Duration = Duration::from_secs(3600);
/// The general reason why nothing can be posted. Only the attempts for the card find out the exact reason.
pub(super) const FORBIDDEN: &str = "Mattermost does not let the bot post in the channel: is it a member, and may members post there?";
const ARCHIVED: &str =
    "the channel is archived; the card is written again when the channel is unarchived";

/// What this attempt has done to join the channel.
#[derive(Debug, Default)]
pub(super) struct Entry {
    has_joined: bool,
}

/// Why the bot cannot post in a channel.
enum Obstacle {
    /// The obstacle is removed: the bot has just joined.
    None,
    /// The channel is archived.
    Archived,
    /// A person can remove the obstacle, and gets a message about it.
    Person(CannotPost),
}

/// Handles an answer that forbids the bot to post. The bot joins a public channel by itself; otherwise the person gets
/// a message about what to change. `None`: the next round posts again.
pub(super) async fn outside(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    row: &mut PostRow,
    entry: &mut Entry,
) -> StepResult<Option<Outcome>> {
    let is_first_time = row.outside_since.is_none();
    if is_first_time {
        row.outside_since = Some(ctx.deps.clock.now());
        keep(ctx, meeting, &PostKey::Card, row.clone()).await?;
    }
    match find_obstacle(ctx, meeting, entry).await? {
        Obstacle::None => {
            if is_first_time {
                info!(channel = %meeting.place.channel, "joined the channel");
            }
            Ok(None)
        }
        Obstacle::Archived => {
            if is_first_time {
                warn!(channel = %meeting.place.channel, "{ARCHIVED}");
            }
            let why = ARCHIVED.to_owned();
            Ok(Some(Outcome::Resting { after: None, why }))
        }
        Obstacle::Person(obstacle) => {
            notify(ctx, meeting, obstacle).await?;
            Ok(Some(rest_outside(ctx, meeting, obstacle.why())))
        }
    }
}

async fn find_obstacle(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    entry: &mut Entry,
) -> StepResult<Obstacle> {
    let (chat, place) = (&ctx.deps.chat, &meeting.place);
    let kind = match chat.channel_kind(&place.channel).await {
        Ok(kind) => Some(kind),
        Err(ChatError::Forbidden { .. } | ChatError::NotFound { .. }) => None,
        Err(error) => return Err(outcome_of(&error)),
    };
    let is_member = match kind {
        Some(ChannelKind::Archived) => return Ok(Obstacle::Archived),
        // Joining again is harmless, and shows whether the bot is a member.
        Some(ChannelKind::Public) if entry.has_joined => true,
        Some(ChannelKind::Public) => match chat.join_channel(&place.channel).await {
            Ok(()) => {
                entry.has_joined = true;
                return Ok(Obstacle::None);
            }
            Err(ChatError::Forbidden { .. } | ChatError::NotFound { .. }) => false,
            Err(error) => return Err(outcome_of(&error)),
        },
        Some(ChannelKind::Private | ChannelKind::Direct) => {
            let asked = chat.is_channel_member(&place.channel).await;
            asked.map_err(|error| outcome_of(&error))?
        }
        None => false,
    };
    if is_member {
        return Ok(Obstacle::Person(CannotPost::MayNotPost));
    }
    let is_in_team = match &place.team {
        Some(team) => {
            let asked = chat.is_team_member(team).await;
            asked.map_err(|error| outcome_of(&error))?
        }
        None => true,
    };
    Ok(Obstacle::Person(match kind {
        _ if !is_in_team => CannotPost::NotInTeam,
        Some(ChannelKind::Public) => CannotPost::MayNotJoin,
        _ => CannotPost::NotInChannel,
    }))
}

/// The outcome of a job that waits until a person has acted.
pub(super) fn rest_outside(ctx: &JobContext<'_>, meeting: &Meeting, why: &str) -> Outcome {
    let after = if meeting.state().is_running() {
        ctx.settings.outside_again_after
    } else {
        OUTSIDE_OVER_AGAIN_AFTER
    };
    Outcome::Resting {
        after: Some(after),
        why: why.to_owned(),
    }
}

/// Records since when a channel accepts no posts for a reason that a person can reverse. It is logged once until a post
/// succeeds again.
pub(super) async fn note_suspended(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    key: &PostKey,
    row: &mut PostRow,
    error: &ChatError,
) -> StepResult<()> {
    if !matches!(error, ChatError::Suspended { .. }) || row.outside_since.is_some() {
        return Ok(());
    }
    let was_logged = meeting
        .post(&PostKey::Card)
        .is_some_and(|card| card.outside_since.is_some());
    if !was_logged {
        warn!(%error, channel = %meeting.place.channel, key = %key,
            "the channel accepts no posts for now; its jobs wait and are tried again from time to time");
    }
    row.outside_since = Some(ctx.deps.clock.now());
    keep(ctx, meeting, key, row.clone()).await
}

/// Sends the person a message about what to change. It is sent once for each meeting through the response URL, or as a
/// direct message at most once for each channel and hour.
async fn notify(ctx: &JobContext<'_>, meeting: &Meeting, obstacle: CannotPost) -> StepResult<()> {
    let mut row = meeting.post(&PostKey::Invite).cloned().unwrap_or_default();
    let Some(request) = meeting.first_request().filter(|_| !row.answered) else {
        return Ok(());
    };
    let (chat, place) = (&ctx.deps.chat, &meeting.place);
    warn!(channel = %place.channel, why = obstacle.why(),
        "the card cannot be posted; the person gets a message about what to change");
    let own = chat
        .own_account()
        .await
        .map_err(|error| outcome_of(&error))?;
    let link = ctx.deps.links.join_own(request.id, &request.by.user_id);
    let mut spot = Spot {
        team: &place.team_name,
        channel: None,
        bot: &own.user_name,
    };
    let title = &meeting.rule.title;
    let sent = match &request.via {
        TriggerSource::SlashCommand { hook: Some(hook) } => {
            let text = say::cannot_post(obstacle, &spot, title, &link, request.id);
            answer_through(ctx, hook, request.received_at, &text).await
        }
        TriggerSource::SlashCommand { hook: None } | TriggerSource::OutgoingWebhook { .. } => {
            let address = chat.channel_address(place).await;
            spot.channel = Some((&place.channel_name, address));
            let text = say::cannot_post(obstacle, &spot, title, &link, request.id);
            let since = ctx.deps.clock.now().minus(MESSAGE_AGAIN_AFTER);
            let name = format!("outside:{}", place.channel);
            chat.direct_message(&request.by.user_id, &name, &text, since)
                .await
        }
    };
    if let Err(error) = sent {
        if !is_lost(&error) {
            return Err(outcome_of(&error));
        }
        warn!(%error, "the person cannot be notified");
        ctx.deps.observer.answer_lost();
    }
    row.answered = true;
    keep(ctx, meeting, &PostKey::Invite, row).await
}
