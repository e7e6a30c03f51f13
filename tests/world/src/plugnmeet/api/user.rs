//! POST /auth/room/getJoinToken (src/plugnmeet/README.md, "Join tokens").

use std::sync::Arc;

use uuid::Uuid;

use super::room::NATS_WAIT;
use super::understand;
use crate::plugnmeet::Backend;
use crate::plugnmeet::answer::{Answer, common};
use crate::plugnmeet::protojson::{Message, Value};
use crate::plugnmeet::schema::JOIN_TOKEN;
use crate::plugnmeet::session::{Phase, Session, User};
use crate::plugnmeet::state::{Shared, State};
use crate::plugnmeet::token::{JoinClaims, Refused, sign, verify};
use crate::plugnmeet::webhook::RoomPart;

pub(super) async fn join_token(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "room.token", JOIN_TOKEN, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let (answer, waits) = shared.change(|state| token_unlocked(shared, state, &request));
    if waits {
        shared.pause(NATS_WAIT).await;
    }
    answer
}

fn token_unlocked(shared: &Arc<Shared>, state: &mut State, request: &Message) -> (Answer, bool) {
    let nats_down = state.is_down(Backend::Nats);
    let room_id = request.text("room_id");
    let running = state
        .newest(room_id)
        .filter(|session| session.phase == Phase::Running && session.in_nats);
    let Some(session) = running.filter(|session| !nats_down || session.cached) else {
        return (
            Answer::common(false, "room is not active", "ROOM_NOT_FOUND"),
            nats_down,
        );
    };
    if nats_down {
        return (Answer::internal("context deadline exceeded"), true);
    }
    let user = request.message("user_info").cloned().unwrap_or_default();
    let own_ids = session
        .metadata
        .message("room_features")
        .is_some_and(|features| features.is_true("auto_gen_user_id"));
    let asked_id = user.text("user_id").to_owned();
    let user_id = if own_ids {
        Uuid::new_v4().to_string()
    } else {
        asked_id.clone()
    };
    let name = user.text("name");
    if let Some(msg) = reserved(name, &user_id) {
        shared.unexpected.note(format!("room.token: {msg}"));
        return (Answer::internal(&msg), false);
    }
    if session.blocked.contains(&user_id) {
        return (
            Answer::common(
                false,
                "this user is blocked to join this session",
                "USER_BLOCKED",
            ),
            false,
        );
    }
    leave_reason(shared, session, &user_id, "PARTICIPANT_REMOVED");
    let is_admin = user.is_true("is_admin");
    session.users.insert(
        user_id.clone(),
        User {
            metadata: user_metadata(session, &user, &asked_id),
        },
    );
    let now = i64::try_from(shared.now()).unwrap_or(i64::MAX);
    let claims = JoinClaims {
        exp: now + i64::try_from(shared.options.join_token_validity.as_secs()).unwrap_or(0),
        is_admin,
        is_hidden: user.is_true("is_hidden"),
        iss: shared.options.api_key.clone(),
        name: name.to_owned(),
        nbf: now,
        room_id: room_id.to_owned(),
        sub: user_id.clone(),
        user_id,
    };
    let token = sign(&shared.options.api_secret, &claims);
    (
        Answer::json(
            common(true, "success", "SUCCESS")
                .put("token", token)
                .finish(),
        ),
        false,
    )
}

/// Takes a person out of a room, with LiveKit's reason; nothing happens when they are not in.
pub(crate) fn leave_reason(
    shared: &Arc<Shared>,
    session: &mut Session,
    identity: &str,
    reason: &str,
) -> bool {
    let Some(at) = session
        .participants
        .iter()
        .position(|one| one.identity == identity)
    else {
        return false;
    };
    // The event counts the person as still there (recorded: webhook-14).
    let participant = session.participants[at].left(reason);
    shared.emit(
        session,
        "participant_left",
        RoomPart::LiveKit,
        &[("participant", participant)],
    );
    session.participants.remove(at);
    true
}

/// What the browser's token check says: the claims, or the notification shown.
pub(crate) fn check_join_token(shared: &Shared, token: &str) -> Result<JoinClaims, &'static str> {
    verify::<JoinClaims>(&shared.options.api_key, &shared.options.api_secret, token).map_err(
        |why| match why {
            Refused::Expired => "notifications.token-expired",
            _ => "notifications.invalid-token",
        },
    )
}

fn user_metadata(session: &Session, user: &Message, asked_id: &str) -> Message {
    let mut metadata = Message::default();
    metadata.set_bool("record_webcam", true);
    let is_admin = user.is_true("is_admin");
    let mut locks = Message::default();
    if let Some(defaults) = session
        .metadata
        .message("default_lock_settings")
        .filter(|_| !is_admin)
    {
        locks = defaults.clone();
    }
    metadata.set("lock_settings", Value::Message(locks));
    metadata.set("raised_hand", Value::Message(Message::default()));
    if let Some(asked) = user.message("user_metadata") {
        metadata.merge(asked.clone());
    }
    metadata.set_bool("is_admin", is_admin);
    metadata.set_text("metadata_id", Uuid::new_v4().to_string());
    if metadata.text("ex_user_id").is_empty() {
        metadata.set_text("ex_user_id", asked_id);
    }
    metadata
}

/// Why a name or user id is refused, all as INTERNAL_SERVER_ERROR and for good (recorded: api-token-reserved-*).
fn reserved(name: &str, user_id: &str) -> Option<String> {
    if name == "PLUGNMEET_RECORDER_AUTH" {
        return Some(format!("name: {name} is reserved for internal use only"));
    }
    if !crate::plugnmeet::protojson::is_identifier(user_id) {
        return Some(
            "user_id should only contain ASCII letters (a-z A-Z), digits (0-9) or -_".to_owned(),
        );
    }
    if user_id.contains("-FIELD_") {
        return Some("user_id cannot contain the reserved pattern '-FIELD_'".to_owned());
    }
    if user_id.starts_with("user_") {
        return Some("user_id cannot start with the reserved pattern 'user_'".to_owned());
    }
    if ["ingres_", "pnm_agent-", "pnm_tts_agent-", "sip_"]
        .iter()
        .any(|prefix| user_id.starts_with(prefix))
    {
        return Some(format!(
            "user_id: {user_id} is reserved for internal use only"
        ));
    }
    user_id
        .ends_with("-native")
        .then(|| "user_id: suffix -native is reserved for internal use only".to_owned())
}
