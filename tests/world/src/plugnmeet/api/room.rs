//! POST /auth/room/create (src/plugnmeet/README.md, "Creating a room").

use std::sync::Arc;
use std::time::Duration;

use super::{DATABASE_DOWN, understand};
use crate::plugnmeet::Backend;
use crate::plugnmeet::answer::{Answer, common};
use crate::plugnmeet::metadata::new_metadata;
use crate::plugnmeet::protojson::{Message, Value};
use crate::plugnmeet::schema::CREATE_ROOM;
use crate::plugnmeet::session::{Phase, Session};
use crate::plugnmeet::state::{Shared, State};
use crate::plugnmeet::webhook::RoomPart;

/// How long a create waits for a room that is ending.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(15);
/// How long a call hangs on NATS that is away.
pub(super) const NATS_WAIT: Duration = Duration::from_secs(5);
/// How long a call hangs on Redis that is away.
pub(super) const REDIS_WAIT: Duration = Duration::from_millis(1700);

pub(super) async fn create(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "room.create", CREATE_ROOM, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let room_id = request.text("room_id").to_owned();
    if room_id.contains("-FIELD_") {
        return Answer::internal("RoomId cannot contain the reserved pattern '-FIELD_'");
    }
    if room_id.starts_with("user_") {
        return Answer::internal("RoomId cannot start with the reserved pattern 'user_'");
    }
    if room_id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        shared.unexpected.note(format!(
            "room.create: {room_id} has upper case: the database ignores case, NATS does not"
        ));
    }
    if shared.lock().is_down(Backend::Redis) {
        shared.pause(REDIS_WAIT).await;
        return Answer::internal(&format!(
            "lock acquisition cancelled for room '{room_id}': redis communication error for room '{room_id}' lock: \
             redis SetNX error for key pnm:roomCreationLock-{room_id}: dial tcp 127.0.0.1:26379: connect: connection \
             refused"
        ));
    }
    // The lock is free, or an end holds it; looking and creating happen under one guard, so that concurrent creates
    // of one room give one session.
    let attempt = || {
        shared.change(|state| match state.phase(&room_id) {
            Some(Phase::Ending) => None,
            _ => Some(create_unlocked(shared, state, &room_id, &request)),
        })
    };
    // `change` wakes the waiting itself, so the phase is looked at before it.
    let ready = || (shared.lock().phase(&room_id) != Some(Phase::Ending)).then_some(());
    loop {
        if shared
            .wait_until(shared.scaled(LOCK_WAIT), ready)
            .await
            .is_none()
        {
            return Answer::internal(&format!(
                "timeout waiting to acquire lock for room {room_id}, operation is currently locked"
            ));
        }
        if let Some((answer, delay)) = attempt() {
            shared.pause(delay).await;
            return answer;
        }
    }
}

fn create_unlocked(
    shared: &Arc<Shared>,
    state: &mut State,
    room_id: &str,
    request: &Message,
) -> (Answer, Duration) {
    let now = Duration::ZERO;
    if state.is_down(Backend::Database) {
        return (Answer::internal(DATABASE_DOWN), now);
    }
    let nats_down = state.is_down(Backend::Nats);
    if let Some(session) = state.newest(room_id) {
        match session.phase {
            Phase::Running if nats_down => {
                return (Answer::internal("context deadline exceeded"), NATS_WAIT);
            }
            Phase::Running if session.in_nats => return (created(session), now),
            // The server stopped while it was ending this session: the same sid comes back to life.
            Phase::EndLost if !nats_down && session.in_nats => {
                session.phase = Phase::Running;
                return (created(session), now);
            }
            // The row is reused with a new sid; its old one never ends.
            Phase::Running | Phase::EndLost => {
                session.phase = Phase::Replaced;
                let row = (session.title.clone(), session.creation_time);
                state.stale_rows.insert(room_id.to_owned(), row);
            }
            Phase::Ending | Phase::Ended | Phase::Replaced => {}
        }
    }
    let metadata = request.message("metadata").cloned().unwrap_or_default();
    if let Some(column) = too_long(room_id, &metadata) {
        let msg = format!("Error 1406 (22001): Data too long for column '{column}' at row 1");
        return (Answer::internal(&msg), now);
    }
    let time = shared.now();
    if nats_down {
        let row = (metadata.text("room_title").to_owned(), time);
        state.stale_rows.entry(room_id.to_owned()).or_insert(row);
        return (
            Answer::internal("failed to create or update KV bucket: context deadline exceeded"),
            NATS_WAIT,
        );
    }
    let mut session = Session::new(room_id, new_metadata(metadata, time, &shared.options), time);
    // A row that an earlier, failed attempt left behind lends its title and creation time (recorded:
    // api-create-existing-after-nats-outage).
    if let Some((title, creation_time)) = state.stale_rows.remove(room_id) {
        session.title = title;
        session.creation_time = creation_time;
    }
    session.creation_time += shared.options.creation_clock_ahead.as_secs();
    if let Some(timeout) = request
        .number("empty_timeout")
        .filter(|timeout| *timeout >= 120)
    {
        session.empty_timeout = timeout;
    }
    session.max_participants = request.number("max_participants");
    let session = state.add(session);
    shared.emit(session, "room_created", RoomPart::Created, &[]);
    (created(session), now)
}

fn created(session: &Session) -> Answer {
    Answer::json(
        common(true, "success", "SUCCESS")
            .raw("room_info", &session.room_info())
            .finish(),
    )
}

/// The column that overflows: room id 64 characters, title and webhook URL 255.
fn too_long(room_id: &str, metadata: &Message) -> Option<&'static str> {
    let is_long = |name: &str| matches!(metadata.get(name), Some(Value::Text(text)) if text.chars().count() > 255);
    if room_id.len() > 64 {
        Some("roomId")
    } else if is_long("room_title") {
        Some("room_title")
    } else {
        is_long("webhook_url").then_some("webhook_url")
    }
}
