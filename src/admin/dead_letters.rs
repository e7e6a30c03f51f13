//! Dead letters: list, show, replay, discard.

use warp::reply::Response;

use super::answer::{self, DeadLetterLine, DeadLetters, Done, time};
use super::api::{Call, Refused, ok};
use super::redact::redact;
use crate::ports::{DeadFilter, DeadLetter};

pub(super) async fn list(call: &Call) -> Result<Response, Refused> {
    let store = &call.admin.store;
    let letters = store
        .dead_letters(DeadFilter::newest(call.limit()?))
        .await?;
    Ok(ok(&DeadLetters {
        dead_letters: letters.iter().map(line).collect(),
        total: store.count_dead_letters().await?,
    }))
}

pub(super) async fn show(call: &Call, id: &str) -> Result<Response, Refused> {
    let letter = find(call, id).await?;
    let mut message = serde_json::from_slice(&letter.body).ok();
    message.iter_mut().for_each(redact);
    Ok(ok(&answer::DeadLetter {
        line: line(&letter),
        bytes: letter.body.len(),
        message,
    }))
}

pub(super) async fn replay(call: &Call, id: &str) -> Result<Response, Refused> {
    let letter = find(call, id).await?;
    call.admin.operations.replay(letter).await?;
    tracing::info!(message.id = id, by = call.by, "dead letter replayed");
    Ok(done("replayed"))
}

pub(super) async fn discard(call: &Call, id: &str) -> Result<Response, Refused> {
    let letter = find(call, id).await?;
    let reason = letter.reason.clone();
    call.admin.operations.discard(letter).await?;
    tracing::info!(
        message.id = id,
        by = call.by,
        reason,
        "dead letter discarded"
    );
    Ok(done("discarded"))
}

async fn find(call: &Call, id: &str) -> Result<DeadLetter, Refused> {
    let found = call.admin.store.dead_letter(id).await?;
    found.ok_or_else(|| Refused::not_found("such dead letter"))
}

fn done(what: &str) -> Response {
    ok(&Done {
        done: what.to_owned(),
    })
}

fn line(letter: &DeadLetter) -> DeadLetterLine {
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
