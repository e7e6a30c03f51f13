//! isRoomActive, getActiveRoomInfo and the health check
//! (src/plugnmeet/README.md, "Polling for an end").

use std::sync::Arc;

use super::room::NATS_WAIT;
use super::understand;
use crate::plugnmeet::Backend;
use crate::plugnmeet::answer::{Answer, common};
use crate::plugnmeet::json::{Object, array};
use crate::plugnmeet::protojson::write;
use crate::plugnmeet::schema::{ROOM, USER_METADATA};
use crate::plugnmeet::session::{Phase, Session};
use crate::plugnmeet::state::Shared;

pub(super) async fn is_room_active(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "room.active", ROOM, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let (status, msg, code, active) = {
        let mut state = shared.lock();
        let nats_down = state.is_down(Backend::Nats);
        match state
            .newest(request.text("room_id"))
            .filter(|session| session.in_nats)
        {
            Some(session) if nats_down && !session.cached => NATS_ANSWER,
            None if nats_down => NATS_ANSWER,
            Some(Session {
                phase: Phase::Running,
                ..
            }) => (true, "room is active", "SUCCESS", true),
            Some(Session {
                phase: Phase::Ending | Phase::EndLost,
                ..
            }) => (true, "room is not active", "ROOM_NOT_ACTIVE", false),
            _ => (true, "room not found", "ROOM_NOT_FOUND", false),
        }
    };
    if !status {
        shared.pause(NATS_WAIT).await;
    }
    Answer::json(common(status, msg, code).put("is_active", active).finish())
}

/// Not an end: the server cannot know (recorded: api-down-nats-is-active-unknown).
const NATS_ANSWER: (bool, &str, &str, bool) = (
    false,
    "error getting room info from NATS",
    "INTERNAL_SERVER_ERROR",
    false,
);

/// Answers as the real server, but a relay must not ask: it says "not found" for live rooms when the database is
/// away, and it writes (src/plugnmeet/README.md, "Polling for an end").
pub(super) fn active_room_info(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    shared.unexpected.note("room.info: getActiveRoomInfo must not be called: it writes, and says not found for live rooms");
    let request = match understand(shared, "room.info", ROOM, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let missing =
        |msg: &str, code: &str| Answer::json(common(false, msg, code).raw("room", "null").finish());
    shared.change(|state| {
        let database_down = state.is_down(Backend::Database);
        let session = state
            .newest(request.text("room_id"))
            .filter(|_| !database_down);
        match session {
            Some(session) if session.phase == Phase::Running && session.in_nats => {
                let people = array(session.participants.iter().map(|one| {
                    let metadata = session
                        .users
                        .get(&one.identity)
                        .map(|user| write(USER_METADATA, &user.metadata));
                    one.info(metadata.as_deref().unwrap_or(""))
                }));
                let room = Object::new()
                    .raw("room_info", &session.room_info())
                    .raw("participants_info", &people);
                Answer::json(
                    common(true, "success", "SUCCESS")
                        .raw("room", &room.finish())
                        .finish(),
                )
            }
            // In the database and not in NATS: this call itself ends the row, so that the next create makes a new
            // session and this one never ends.
            Some(session) if matches!(session.phase, Phase::Running | Phase::EndLost) => {
                session.phase = Phase::Replaced;
                missing("room is not active", "ROOM_NOT_ACTIVE")
            }
            _ => missing("room not found in active state", "ROOM_NOT_FOUND"),
        }
    })
}

pub(super) fn health(shared: &Shared) -> Answer {
    let state = shared.lock();
    let failing = [
        (Backend::Database, "DB connection error"),
        (Backend::Nats, "Nats connection error"),
        (Backend::Redis, "Redis connection error"),
    ];
    match failing.iter().find(|(backend, _)| state.is_down(*backend)) {
        Some((_, text)) => Answer::text(503, text),
        None => Answer::text(200, "Healthy"),
    }
}
