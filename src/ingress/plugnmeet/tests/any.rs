//! Property tests with events that plugNmeet never sends.

use super::*;
use crate::any::{bytes, damaged, json};

const KEYS: [&str; 22] = [
    "event",
    "id",
    "created_at",
    "room",
    "sid",
    "room_id",
    "creation_time",
    "metadata",
    "is_breakout_room",
    "parent_room_id",
    "participant",
    "identity",
    "name",
    "recording_info",
    "record_id",
    "recorder_msg",
    "room_artifact",
    "type",
    "artifact_id",
    "CANARY",
    "",
    "Event",
];

fn read(body: &[u8]) {
    let Ok(parsed) = facts::read(body, NOW) else {
        return;
    };
    assert!(parsed.event_id.len() <= 71, "{}", parsed.event_id);
    if let Ok(Fact::PersonJoined { name, .. } | Fact::PersonLeft { name, .. }) = &parsed.fact {
        assert!(name.chars().count() <= 100 && !name.chars().any(char::is_control));
    }
    let fact = format!("{:?}", parsed.fact);
    assert!(fact.len() < 3000, "what is kept is bounded: {}", fact.len());
}

fn recordings() -> Vec<Vec<u8>> {
    let names = vectors_in("plugnmeet/recorded", "webhook-").into_iter();
    names.map(|name| recorded(&name).3.to_vec()).collect()
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in bytes()) {
        read(&body);
    }

    #[test]
    fn any_json_is_read_or_refused(body in json(&KEYS)) {
        read(body.as_bytes());
    }

    #[test]
    fn any_members_of_a_known_event_are_read_or_refused(
        event in prop::sample::select(vec!["room_created", "participant_joined", "artifact_created", "session_ended", "end_recording"]),
        room in json(&KEYS),
        metadata in json(&KEYS),
        other in json(&KEYS),
    ) {
        let metadata = serde_json::Value::from(metadata);
        read(format!(r#"{{"event":"{event}","room":{room},"participant":{other}}}"#).as_bytes());
        let whole = format!(
            r#"{{"event":"{event}","room":{{"sid":"s1","room_id":"r1","metadata":{metadata}}},"room_artifact":{other}}}"#
        );
        read(whole.as_bytes());
    }

    #[test]
    fn any_damaged_recording_is_read_or_refused(body in damaged(recordings())) {
        read(&body);
    }
}
