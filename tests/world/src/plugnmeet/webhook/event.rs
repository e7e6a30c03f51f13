//! The bodies of webhooks: CommonNotifyEvent in protojson without unset fields
//! (src/plugnmeet/README.md, "Webhook bodies"; recorded: webhook-*).

use std::sync::Arc;

use uuid::Uuid;

use super::Outgoing;
use crate::plugnmeet::json::Object;
use crate::plugnmeet::metadata::metadata_text;
use crate::plugnmeet::session::Session;
use crate::plugnmeet::state::Shared;

/// How much of the room an event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomPart {
    /// sid and room_id: recorder and artifact events.
    Names,
    /// room_created.
    Created,
    /// LiveKit's view: room_started, participants, room_finished.
    LiveKit,
    /// track_published and track_unpublished: creation_time "0", no codecs.
    Track,
    /// session_ended.
    Ended,
    /// session_ended of a room whose NATS state was lost: `"metadata":""`.
    EndedWithoutMetadata,
}

impl Shared {
    /// Sends an event of a session: `parts` are members after `room`, as JSON text.
    pub(crate) fn emit(
        self: &Arc<Self>,
        session: &Session,
        event: &str,
        room: RoomPart,
        parts: &[(&str, String)],
    ) {
        let id = match room {
            RoomPart::LiveKit | RoomPart::Track => format!("EV_{}", short_id()),
            _ => Uuid::new_v4().to_string(),
        };
        self.emit_as(session, event, room, parts, &id, false);
    }

    /// The same, past the room's queue, at once.
    pub(crate) fn emit_forced(
        self: &Arc<Self>,
        session: &Session,
        event: &str,
        parts: &[(&str, String)],
    ) {
        self.emit_as(
            session,
            event,
            RoomPart::Names,
            parts,
            &Uuid::new_v4().to_string(),
            true,
        );
    }

    fn emit_as(
        self: &Arc<Self>,
        session: &Session,
        event: &str,
        room: RoomPart,
        parts: &[(&str, String)],
        id: &str,
        forced: bool,
    ) {
        // recording_proceeded and summaries find their URL in the database.
        if session.is_mute && !forced {
            return;
        }
        let mut body = Object::new()
            .put("event", event)
            .raw("room", &room_json(session, room));
        for (name, part) in parts {
            body = body.raw(name, part);
        }
        let body = body
            .put("id", id)
            .put("created_at", self.now().to_string())
            .finish();
        let outgoing = Outgoing {
            event: event.to_owned(),
            id: id.to_owned(),
            room_id: session.room_id.clone(),
            sid: session.sid.clone(),
            body: body.into(),
            room_url: session.webhook_url.clone(),
            forced,
        };
        self.webhooks.send(self, outgoing);
    }
}

fn room_json(session: &Session, part: RoomPart) -> String {
    let names = Object::new()
        .put("sid", &session.sid)
        .put("room_id", &session.room_id);
    let livekit = session
        .livekit_started
        .unwrap_or(session.creation_time)
        .to_string();
    let created = session.creation_time.to_string();
    let sizes = |object: Object| {
        let max = session.max_participants.unwrap_or(0);
        object
            .put("empty_timeout", session.empty_timeout)
            .put("max_participants", max)
    };
    let metadata = metadata_text(&session.metadata);
    match part {
        RoomPart::Names => names,
        RoomPart::Created => names
            .put("empty_timeout", session.empty_timeout)
            .put_some("max_participants", session.max_participants)
            .put("creation_time", created)
            .put("metadata", metadata),
        RoomPart::LiveKit => sizes(names)
            .put("creation_time", livekit)
            .raw(
                "enabled_codecs",
                r#"[{"mime":"audio/opus"},{"mime":"audio/red"},{"mime":"video/vp8"}]"#,
            )
            .put("metadata", metadata)
            .put("num_participants", session.participants.len()),
        RoomPart::Track => sizes(names)
            .put("creation_time", "0")
            .put("metadata", metadata)
            .put("num_participants", 0),
        RoomPart::Ended => names
            .put("creation_time", created)
            .put("metadata", metadata),
        RoomPart::EndedWithoutMetadata => names.put("creation_time", created).put("metadata", ""),
    }
    .finish()
}

/// Twelve letters and digits, as in LiveKit's ids.
pub(crate) fn short_id() -> String {
    Uuid::new_v4().simple().to_string()[..12].to_owned()
}
