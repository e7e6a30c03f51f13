//! Converts an event of plugNmeet into a [`Fact`].

use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::domain::event::SessionRef;
use crate::domain::{ArtifactKind, EndSaid, Fact, RoomId, Timestamp};
use crate::ingress::fields::clean_name;
use crate::ingress::observe::{Ignored, Source, Trigger};

use super::wire::{EnumWord, Head, Metadata, Number, WebhookBody, WebhookRoom};

/// Longest name of a participant that is kept, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Longest event id that is used as it is, in bytes; real ones have 36.
const EVENT_ID_BYTES_MAX: usize = 64;

/// The first second of the year 2100.
const YEAR_2100: i64 = 4_102_444_800;

/// The content of an authenticated body.
pub(super) struct WebhookContent {
    pub(super) trigger: Trigger,
    /// plugNmeet's id of the event, or a hash of the body if there is no valid id.
    pub(super) event_id: String,
    pub(super) fact: Result<Fact, Ignored>,
}

/// The body is not an event.
pub(super) struct NoEvent;

/// Reads a body. `now` is used where the body has no valid time.
pub(super) fn read(body: &[u8], now: Timestamp) -> Result<WebhookContent, NoEvent> {
    // serde would also take an array for a struct.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(NoEvent);
    }
    let head: Head = serde_json::from_slice(body).map_err(|_| NoEvent)?;
    let name = head.event.unwrap_or_default();
    let trigger = trigger(&name);
    let event_id = head
        .id
        .filter(|id| is_event_id(id))
        .unwrap_or_else(|| format!("sha256-{}", hex::encode(Sha256::digest(body))));
    let fact = if is_used(trigger) {
        let body: WebhookBody = serde_json::from_slice(body).map_err(|_| NoEvent)?;
        fact(trigger, body, now)
    } else {
        Err(Ignored::NoUse)
    };
    Ok(WebhookContent {
        trigger,
        event_id,
        fact,
    })
}

fn is_event_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= EVENT_ID_BYTES_MAX
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The event with this name, in upper or lower case (src/plugnmeet/README.md, "Events").
fn trigger(name: &str) -> Trigger {
    let webhooks = Trigger::ALL
        .iter()
        .filter(|trigger| trigger.source() == Source::Plugnmeet);
    webhooks
        .copied()
        .find(|trigger| trigger.as_str().eq_ignore_ascii_case(name))
        .unwrap_or(Trigger::UnknownEvent)
}

fn is_used(trigger: Trigger) -> bool {
    matches!(
        trigger,
        Trigger::RoomCreated
            | Trigger::RoomStarted
            | Trigger::ParticipantJoined
            | Trigger::ParticipantLeft
            | Trigger::StartRecording
            | Trigger::EndRecording
            | Trigger::RecordingProceeded
            | Trigger::SessionEnded
            | Trigger::RoomFinished
            | Trigger::ArtifactCreated
    )
}

fn fact(trigger: Trigger, body: WebhookBody, now: Timestamp) -> Result<Fact, Ignored> {
    let said_at = time(body.created_at).unwrap_or(now);
    let session = session(trigger, body.room.unwrap_or_default(), said_at)?;
    let participant = body.participant.unwrap_or_default();
    let recording = body.recording_info.unwrap_or_default();
    let artifact = body.room_artifact.unwrap_or_default();
    Ok(match trigger {
        Trigger::RoomCreated | Trigger::RoomStarted => Fact::SessionSeen { session },
        Trigger::ParticipantJoined => Fact::PersonJoined {
            session,
            participant: id(participant.sid)?,
            identity: id(participant.identity)?,
            name: name(participant.name),
        },
        Trigger::ParticipantLeft => Fact::PersonLeft {
            session,
            // protojson omits a zero.
            never_joined: [participant.joined_at, participant.joined_at_ms]
                .into_iter()
                .flatten()
                .all(|Number(at)| at <= 0),
            participant: id(participant.sid)?,
            identity: id(participant.identity)?,
            name: name(participant.name),
        },
        Trigger::StartRecording | Trigger::EndRecording => Fact::RecordingSwitched {
            session,
            record: id(recording.record_id)?,
            on: trigger == Trigger::StartRecording && is_success(recording.recorder_msg),
        },
        Trigger::RecordingProceeded => Fact::ArtifactCreated {
            session,
            artifact: id(recording.record_id)?,
            kind: ArtifactKind::Recording,
        },
        Trigger::ArtifactCreated => Fact::ArtifactCreated {
            session,
            kind: artifact.kind.and_then(kind_of).ok_or(Ignored::NoUse)?,
            artifact: id(artifact.artifact_id)?,
        },
        Trigger::SessionEnded | Trigger::RoomFinished => Fact::SessionEnded {
            session,
            said: if trigger == Trigger::SessionEnded {
                EndSaid::SessionEnded
            } else {
                EndSaid::RoomFinished
            },
            ended_at: said_at,
        },
        _ => return Err(Ignored::NoUse),
    })
}

fn session(trigger: Trigger, room: WebhookRoom, said_at: Timestamp) -> Result<SessionRef, Ignored> {
    let room_id = match room.room_id.filter(|id| !id.is_empty()) {
        Some(id) => Some(id.parse::<RoomId>().map_err(|_| Ignored::BadId)?),
        None => None,
    };
    // LiveKit's events carry the start of its own room instead (src/plugnmeet/README.md, "Webhook bodies").
    let has_creation_time = matches!(trigger, Trigger::RoomCreated | Trigger::SessionEnded);
    Ok(SessionRef {
        sid: id(room.sid)?,
        breakout_of: breakout_of(room.metadata.as_deref(), room_id.as_ref()),
        room: room_id,
        created_at: time(room.creation_time).filter(|_| has_creation_time),
        said_at,
    })
}

/// The parent of a breakout room. Metadata is JSON within a JSON string, and empty if plugNmeet has lost it. Metadata
/// that cannot be parsed counts as absent.
fn breakout_of(metadata: Option<&str>, room: Option<&RoomId>) -> Option<RoomId> {
    let metadata: Metadata = serde_json::from_str(metadata?).ok()?;
    if metadata.is_breakout_room != Some(true) {
        return None;
    }
    metadata
        .parent_room_id
        .and_then(|id| id.parse().ok())
        .or_else(|| room?.breakout_parent())
        .or_else(|| room.cloned())
}

fn kind_of(word: EnumWord) -> Option<ArtifactKind> {
    match word {
        EnumWord::Name(name) => ArtifactKind::of_plugnmeet(Some(&name), None),
        EnumWord::Number(number) => ArtifactKind::of_plugnmeet(None, Some(number)),
    }
}

/// Whether a recording has started. Only the recorder's message reports a failure (src/plugnmeet/README.md,
/// "Recordings"). An absent message is the empty default and counts as a success.
fn is_success(message: Option<String>) -> bool {
    message.is_none_or(|message| message.is_empty() || message.eq_ignore_ascii_case("success"))
}

fn id<T: FromStr>(text: Option<String>) -> Result<T, Ignored> {
    text.unwrap_or_default().parse().map_err(|_| Ignored::BadId)
}

fn name(text: Option<String>) -> String {
    clean_name(&text.unwrap_or_default(), NAME_CHARS_MAX)
}

/// A time in seconds since the epoch. 0 means that there is none, and so does any value outside the years 1970 to 2100,
/// such as one in milliseconds.
fn time(seconds: Option<Number>) -> Option<Timestamp> {
    let Number(seconds) = seconds?;
    (1..YEAR_2100)
        .contains(&seconds)
        .then(|| Timestamp::from_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_1970_to_2100_count_as_missing() {
        let now = Timestamp::from_seconds(1_795_269_720);
        for (sent, expected) in [
            ("1795269000", Some(1_795_269_000)),
            ("\"1795269000\"", Some(1_795_269_000)),
            ("1", Some(1)),
            ("4102444799", Some(4_102_444_799)),
            ("4102444800", None),
            ("1795269000000", None),
            ("\"1795269000000\"", None),
            ("0", None),
            ("\"-1\"", None),
            ("-9223372036854775808", None),
            ("9223372036854775807", None),
            ("\"9223372036854775807\"", None),
            ("1e15", None),
        ] {
            let body = format!(
                r#"{{"event":"session_ended","id":"e1","created_at":{sent},"room":{{"sid":"s1","creation_time":{sent}}}}}"#
            );
            let Ok(WebhookContent {
                fact:
                    Ok(Fact::SessionEnded {
                        ended_at, session, ..
                    }),
                ..
            }) = read(body.as_bytes(), now)
            else {
                panic!("{sent} is not an event");
            };
            let expected = expected.map(Timestamp::from_seconds);
            assert_eq!(ended_at, expected.unwrap_or(now), "{sent}");
            assert_eq!(session.said_at, expected.unwrap_or(now), "{sent}");
            assert_eq!(session.created_at, expected, "{sent}");
        }
    }
}
