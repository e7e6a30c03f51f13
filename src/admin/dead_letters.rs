//! Dead letters: list, show, replay, discard.

use std::time::Duration;

use warp::reply::Response;

use super::answer::{self, DeadLetterLine, DeadLettersAnswer, Done, time};
use super::call::{ApiCall, ApiRefusal, ok};
use super::redact::redact;
use super::reference;
use crate::domain::Timestamp;
use crate::ports::{DeadFilter, DeadKind, DeadLetter, QueueName};

/// Longest text that can be searched in reasons, in bytes.
const REASON_BYTES_MAX: usize = 200;

/// Lists dead letters. `?queue=`, `kind=`, `meeting=`, `reason=`, `since=` and `before=` (an age or a time) filter
/// them.
pub(super) async fn list(call: &ApiCall) -> Result<Response, ApiRefusal> {
    let store = &call.admin.store;
    let letters = store.dead_letters(filter(call).await?).await?;
    Ok(ok(&DeadLettersAnswer {
        dead_letters: letters.iter().map(line).collect(),
        total: store.count_dead_letters().await?,
    }))
}

pub(super) async fn show(call: &ApiCall, id: &str) -> Result<Response, ApiRefusal> {
    let letter = reference::letter(call, id).await?;
    let mut message = serde_json::from_slice(&letter.body).ok();
    message.iter_mut().for_each(redact);
    Ok(ok(&answer::DeadLetterAnswer {
        line: line(&letter),
        bytes: letter.body.len(),
        message,
    }))
}

/// Replays one. With `?now` a person's request counts as received now.
pub(super) async fn replay(call: &ApiCall, id: &str) -> Result<Response, ApiRefusal> {
    let letter = reference::letter(call, id).await?;
    let reset_age = call.parameter("now").is_some();
    let replayed = call
        .admin
        .repairs
        .replay(&letter.id, &call.by, reset_age)
        .await?;
    Ok(ok(&Done {
        done: "replayed".to_owned(),
        event_id: replayed.event,
        hint: replayed.too_late.map(too_late),
    }))
}

pub(super) async fn discard(call: &ApiCall, id: &str) -> Result<Response, ApiRefusal> {
    let letter = reference::letter(call, id).await?;
    call.admin.repairs.discard(&letter.id, &call.by).await?;
    Ok(ok(&Done {
        done: "discarded".to_owned(),
        event_id: None,
        hint: None,
    }))
}

pub(super) fn line(letter: &DeadLetter) -> DeadLetterLine {
    DeadLetterLine {
        id: letter.id.clone(),
        kind: letter.kind.as_str().to_owned(),
        queue: letter.queue.clone(),
        meeting_id: letter.meeting.map(|id| id.to_string()),
        reason: letter.reason.clone(),
        buried_at: time(letter.buried_at),
        attempts: letter.attempts,
    }
}

fn too_late(over: Duration) -> String {
    let over = Duration::from_secs(over.as_secs().max(1));
    format!(
        "the request is {} older than its rule's start_deadline: the person is answered that it is too late (with --now \
         a room is made all the same)",
        humantime::format_duration(over)
    )
}

async fn filter(call: &ApiCall) -> Result<DeadFilter, ApiRefusal> {
    let meeting = match call.parameter("meeting") {
        Some(text) => Some(reference::meeting(call, &text).await?.id),
        None => None,
    };
    Ok(DeadFilter {
        queue: call
            .parameter("queue")
            .map(|name| queue(&name))
            .transpose()?,
        kind: call.parameter("kind").map(|name| kind(&name)).transpose()?,
        meeting,
        reason: call
            .parameter("reason")
            .map(|text| reason(&text))
            .transpose()?,
        since: call
            .parameter("since")
            .map(|text| moment(call, &text))
            .transpose()?,
        before: call
            .parameter("before")
            .map(|text| moment(call, &text))
            .transpose()?,
        limit: call.limit()?,
    })
}

fn queue(name: &str) -> Result<String, ApiRefusal> {
    let is_known = QueueName::ALL.iter().any(|queue| queue.as_str() == name);
    is_known
        .then(|| name.to_owned())
        .ok_or_else(|| ApiRefusal::bad("queue must be events, conference, chat or chat.later"))
}

fn kind(name: &str) -> Result<DeadKind, ApiRefusal> {
    [DeadKind::Event, DeadKind::Job, DeadKind::Unreadable]
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| ApiRefusal::bad("kind must be event, job or unreadable"))
}

fn reason(text: &str) -> Result<String, ApiRefusal> {
    if text.len() > REASON_BYTES_MAX {
        return Err(ApiRefusal::bad("reason must have at most 200 bytes"));
    }
    Ok(text.to_owned())
}

/// A time, or an age counted from now.
fn moment(call: &ApiCall, text: &str) -> Result<Timestamp, ApiRefusal> {
    if let Ok(age) = humantime::parse_duration(text) {
        return Ok(call.admin.clock.now().minus(age));
    }
    text.parse::<jiff::Timestamp>()
        .map(|at| Timestamp::from_millis(at.as_millisecond()))
        .map_err(|_| {
            ApiRefusal::bad(
                "since and before must be ages like 2h or times like 2026-01-31T08:00:00Z",
            )
        })
}
