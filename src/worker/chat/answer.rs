//! Answers to one person: about second starts, refused ends, and failures that no card shows.

use std::time::Duration;

use tracing::{info, warn};

use crate::domain::apply::{Reply, Saying};
use crate::domain::meeting::{Request, RequestPurpose};
use crate::domain::owed::{end_has_failed, is_answer_due};
use crate::domain::presentation::HOOK_LIFE;
use crate::domain::retry::Outcome;
use crate::domain::say::EndAsked;
use crate::domain::{
    DeliveryMethod, Fact, Meeting, MeetingId, PostKey, PostRow, Presentation, Rendered, RequestId,
    ResponseHook, Timestamp, TriggerSource, UserId, say,
};
use crate::ports::ChatError;

use super::announcing::{Exit, announce};
use super::card::thread_root;
use super::posting::{NotPosted, post_once};
use super::{JobContext, StepResult, keep, load, outcome_of};
use crate::worker::WorkerContext;
use crate::worker::jobs::JobReport;

/// A channel gets at most one line about the running meeting in this interval.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Answers one request, once.
pub(super) async fn answer(
    ctx: &JobContext<'_>,
    id: MeetingId,
    request: RequestId,
) -> StepResult<Outcome> {
    let meeting = load(ctx, id).await?;
    let key = PostKey::Answer(request);
    let mut row = meeting.post(&key).cloned().unwrap_or_default();
    let request = meeting.request(request);
    let Some(request) = request.filter(|request| is_answer_due(&meeting, request, &row)) else {
        return Ok(Outcome::Obsolete);
    };
    let has_failed = end_has_failed(&meeting, request);
    match &request.via {
        TriggerSource::SlashCommand { hook: Some(hook) } => {
            let Some(text) = text_for(ctx, &meeting, request) else {
                return Ok(Outcome::Obsolete);
            };
            if let Err(error) = answer_through(ctx, hook, request.received_at, &text).await {
                if !is_lost(&error) {
                    return Err(outcome_of(&error));
                }
                warn!(%error, "the person cannot be answered: the response URL does not work");
                ctx.deps.observer.answer_lost();
            }
        }
        TriggerSource::SlashCommand { hook: None } => {}
        TriggerSource::OutgoingWebhook { .. } if has_recent_line(ctx, &meeting) => {
            info!("the channel got a line about the running meeting a moment ago");
        }
        TriggerSource::OutgoingWebhook { .. } => {
            let link = ctx.deps.links.join(request.id);
            post_line(ctx, &meeting, request, &mut row, &link).await?;
        }
    }
    row.answered = true;
    row.rendered = if has_failed {
        meeting.version.max(1)
    } else {
        0
    };
    keep(ctx, &meeting, &key, row).await?;
    Ok(Outcome::Done)
}

/// Posts one line for everybody in the channel about the running meeting.
async fn post_line(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    request: &Request,
    row: &mut PostRow,
    link: &str,
) -> StepResult<()> {
    let key = &PostKey::Answer(request.id);
    let title = &meeting.rule.title;
    match meeting.presentation(ctx.delivery_method()) {
        Presentation::Card => {
            // The line is posted in the thread of the request.
            if row.first_tried_at.is_none() {
                match thread_root(ctx, meeting, request).await {
                    Ok(root) => row.root = root,
                    Err(NotPosted::Outside) => return Ok(()),
                    Err(NotPosted::Met(outcome)) => return Err(outcome),
                }
            }
            let message = say::running_line(title, link);
            let content = Rendered {
                message,
                ..Rendered::default()
            };
            match post_once(ctx, meeting, key, row, content).await {
                // It cannot be posted now, and later it would be outdated.
                Ok(_) | Err(NotPosted::Outside | NotPosted::Met(Outcome::Resting { .. })) => Ok(()),
                Err(NotPosted::Met(outcome)) => Err(outcome),
            }
        }
        Presentation::Notices => {
            let content = say::running_notice(title, link);
            announce(ctx, meeting, key, row, Exit::DeliveryMethod, content)
                .await
                .map(drop)
        }
        // No outgoing webhook fires in a direct message.
        Presentation::ThroughHook(_) | Presentation::LinkOnly => Ok(()),
    }
}

/// Checks whether a person other than the starter may end the meeting. Channel admins and system admins may.
pub(super) async fn check_right(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    request: RequestId,
) -> JobReport {
    let Some(asked) = meeting.request(request) else {
        return JobReport::of(Outcome::Obsolete);
    };
    if ctx.delivery_method() == DeliveryMethod::Notices {
        // This delivery method cannot look up roles.
        let meeting = meeting.id;
        return JobReport::learned(Fact::EndRefused { meeting, request });
    }
    let may = is_admin(ctx, meeting, &asked.by.user_id).await;
    let meeting = meeting.id;
    match may {
        Ok(true) => JobReport::learned(Fact::EndAllowed { meeting, request }),
        Ok(false) | Err(ChatError::NotFound { .. }) => {
            JobReport::learned(Fact::EndRefused { meeting, request })
        }
        Err(error) => JobReport::of(outcome_of(&error)),
    }
}

/// Whether a person is an admin of the meeting's channel or of the server. The account is checked first, because a
/// channel keeps the roles of members whose accounts are deactivated.
async fn is_admin(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    user: &UserId,
) -> Result<bool, ChatError> {
    let chat = &ctx.deps.chat;
    let account = match chat.account(user).await {
        Ok(account) if account.is_deactivated => return Ok(false),
        Ok(account) if account.is_system_admin => return Ok(true),
        Ok(_) => Ok(false),
        // The role in the channel may still decide.
        Err(error @ ChatError::Forbidden { .. }) => Err(error),
        Err(error) => return Err(error),
    };
    match chat.is_channel_admin(&meeting.place.channel, user).await {
        Ok(true) => Ok(true),
        // The bot cannot read the channel's members.
        Ok(false) | Err(ChatError::Forbidden { .. } | ChatError::NotFound { .. }) => account,
        Err(error) => Err(error),
    }
}

/// Sends a reply that belongs to no meeting.
pub(in crate::worker) async fn reply(ctx: &WorkerContext, reply: &Reply) -> Outcome {
    let text = match &reply.saying {
        Saying::NothingToEnd => say::nothing_to_end(reply.request),
        Saying::NoRoom => say::no_room_for_end(reply.request),
        Saying::ChooseToEnd { words, running } => say::choose_to_end(words, running, reply.request),
    };
    match answer_through(ctx, &reply.hook, reply.request.made_at(), &text).await {
        Ok(()) => Outcome::Done,
        Err(error) if is_lost(&error) => {
            warn!(%error, event.id = %reply.request, "the person cannot be answered: the response URL does not work");
            ctx.deps.observer.answer_lost();
            Outcome::Done
        }
        Err(error) => outcome_of(&error),
    }
}

/// Answers a command through its response URL, which was received at `given_at` (zero: unknown). An expired URL is not
/// called.
pub(super) async fn answer_through(
    ctx: &WorkerContext,
    hook: &ResponseHook,
    given_at: Timestamp,
    text: &str,
) -> Result<(), ChatError> {
    let is_known = given_at > Timestamp::from_millis(0);
    if is_known && ctx.deps.clock.now() >= given_at.plus(HOOK_LIFE) {
        let minutes = HOOK_LIFE.as_secs() / 60;
        return Err(ChatError::NotFound {
            why: format!("the response URL is older than {minutes} minutes"),
        });
    }
    ctx.deps.chat.answer_command(hook, text).await
}

/// Whether the answer can never arrive, because the response URL has expired or was never valid.
pub(super) fn is_lost(error: &ChatError) -> bool {
    matches!(
        error,
        ChatError::NotFound { .. } | ChatError::Refused { .. } | ChatError::Forbidden { .. }
    )
}

/// The text of the answer. `None`: the posted card or notice gives the answer.
fn text_for(ctx: &JobContext<'_>, meeting: &Meeting, request: &Request) -> Option<String> {
    let title = &meeting.rule.title;
    match request.purpose {
        RequestPurpose::StartWhileRunning => {
            let link = ctx.deps.links.join_own(request.id, &request.by.user_id);
            Some(say::running_offer(title, &link, request.id))
        }
        RequestPurpose::EndRefused => {
            Some(say::end_refused(title, ctx.delivery_method(), request.id))
        }
        RequestPurpose::EndAsked | RequestPurpose::EndAllowed
            if end_has_failed(meeting, request) =>
        {
            Some(say::end_failed(title, request.id))
        }
        RequestPurpose::EndAsked | RequestPurpose::EndAllowed if !meeting.state().is_running() => {
            Some(say::ended_already(title, request.id))
        }
        RequestPurpose::EndAllowed => Some(say::end_asked(&EndAsked {
            meeting: Some((title, true)),
            can_hear: true,
            kind: meeting.place.kind,
            delivery_method: ctx.delivery_method(),
        })),
        RequestPurpose::Start => {
            let link = ctx.deps.links.join_own(request.id, &request.by.user_id);
            Some(say::started_instead(title, &link, request.id))
        }
        RequestPurpose::EndAsked => None,
    }
}

fn has_recent_line(ctx: &JobContext<'_>, meeting: &Meeting) -> bool {
    let now = ctx.deps.clock.now();
    meeting.posts.iter().any(|(key, row)| {
        matches!(key, PostKey::Answer(_))
            && row
                .posted_at
                .is_some_and(|at| at <= now && now.since(at) < LINE_EVERY)
    })
}
