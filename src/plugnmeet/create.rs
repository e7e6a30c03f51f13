//! Creates a room (src/plugnmeet/README.md, "Creating a room").

use serde::Deserialize;
use serde_json::{Value, json};

use super::PlugNmeetSettings;
use super::answer::{AnswerBody, unreadable};
use crate::domain::{MeetingId, RoomId, Sid, Timestamp};
use crate::ports::{ConferenceError, CreatedRoom, NewRoom};

/// Longest title that plugNmeet's database can store, in characters.
const TITLE_CHARS_MAX: usize = 255;

/// Longest room id that still allows the suffix of a breakout room, in bytes.
const ROOM_ID_BYTES_MAX: usize = 56;

/// The body of the call. Invalid values are refused here, because plugNmeet would report some of them as a passing
/// failure.
pub(super) fn body(room: &NewRoom, settings: &PlugNmeetSettings) -> Result<Value, ConferenceError> {
    check_room_id(&room.room)?;
    let title: String = room
        .title
        .chars()
        .filter(|c| *c != '\0')
        .take(TITLE_CHARS_MAX)
        .collect();
    if title.trim().is_empty() {
        return Err(refused("a room needs a title"));
    }
    let mut metadata = json!({
        "room_title": title,
        "webhook_url": settings.webhook_url,
        "extra_data": { "relay_meeting_id": room.meeting },
        "room_features": settings.room.features(),
        "default_lock_settings": settings.room.locks,
    });
    if let Some(url) = &room.logout_url {
        metadata["logout_url"] = json!(url);
    }
    if let Some(message) = &settings.room.welcome_message {
        metadata["welcome_message"] = json!(message);
    }
    let mut body = json!({ "room_id": room.room, "metadata": metadata });
    // For some fields an explicit zero or null is an error, so a setting without a value is omitted.
    if let Some(seconds) = settings.room.empty_timeout_seconds {
        body["empty_timeout"] = json!(seconds);
    }
    if let Some(people) = settings.room.max_participants {
        body["max_participants"] = json!(people);
    }
    Ok(body)
}

/// The session in the answer. For a room that already runs, plugNmeet returns the existing session; it must belong to
/// this meeting.
pub(super) fn read(
    envelope: AnswerBody,
    meeting: MeetingId,
) -> Result<CreatedRoom, ConferenceError> {
    let info: RoomInfo = envelope.succeeded()?.take("room_info")?;
    let owner = owner(&info.metadata);
    if owner.is_some_and(|owner| owner != meeting.to_string()) {
        return Err(refused(
            "the room exists already and belongs to something else",
        ));
    }
    Ok(CreatedRoom {
        sid: info.sid,
        created_at: seconds(&info.creation_time).ok_or_else(|| unreadable("creation_time"))?,
    })
}

#[derive(Deserialize)]
struct RoomInfo {
    sid: Sid,
    /// Seconds since the epoch, as text or number.
    creation_time: Value,
    /// JSON within a string.
    #[serde(default)]
    metadata: String,
}

/// `extra_data.relay_meeting_id` of a room's metadata, if it can be read.
fn owner(metadata: &str) -> Option<String> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let owner = metadata
        .get("extra_data")?
        .get("relay_meeting_id")?
        .as_str()?;
    Some(owner.to_owned())
}

fn seconds(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::String(text) => text.parse().ok()?,
        other => other.as_i64()?,
    };
    (seconds > 0).then(|| Timestamp::from_millis(seconds.saturating_mul(1000)))
}

fn check_room_id(room: &RoomId) -> Result<(), ConferenceError> {
    let id = room.as_str();
    let is_fit = id.len() <= ROOM_ID_BYTES_MAX
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && !id.starts_with("user_");
    if is_fit {
        Ok(())
    } else {
        Err(refused("plugNmeet does not accept this room id"))
    }
}

fn refused(why: &str) -> ConferenceError {
    ConferenceError::Refused {
        why: why.to_owned(),
    }
}
