//! A participant as LiveKit shows it in webhooks and lists (recorded: webhook-03, webhook-19, api-active-info-live).

use super::json::Object;

/// One connection of one person or bot.
#[derive(Clone, Debug)]
pub(crate) struct Participant {
    pub(crate) sid: String,
    pub(crate) identity: String,
    pub(crate) name: String,
    /// 0: the connection was never made.
    pub(crate) joined_at_ms: u64,
    /// Agents: no name, hidden, thrown out after the end.
    pub(crate) hidden: bool,
    /// The sid of the microphone's track, and when it was published, unix microseconds.
    pub(crate) track: Option<(String, u64)>,
}

impl Participant {
    /// In participant_joined.
    pub(crate) fn joined(&self) -> String {
        self.common("ACTIVE", 2).finish()
    }

    /// In participant_left.
    pub(crate) fn left(&self, reason: &str) -> String {
        let published = self.track.as_ref().map(|_| true);
        let version = if published.is_some() { 5 } else { 3 };
        self.common("DISCONNECTED", version)
            .put_some("is_publisher", published)
            .put("disconnect_reason", reason)
            .finish()
    }

    /// In track events: who it is and no more.
    pub(crate) fn names(&self) -> String {
        Object::new()
            .put("sid", &self.sid)
            .put("identity", &self.identity)
            .finish()
    }

    /// The track in track events.
    pub(crate) fn track(&self) -> Option<String> {
        let (sid, micros) = self.track.as_ref()?;
        let codec = Object::new()
            .put("mime_type", "audio/opus")
            .put("mid", "0")
            .put("cid", format!("{sid}-c"))
            .put("video_layer_mode", "ONE_SPATIAL_LAYER_PER_STREAM")
            .finish();
        let version = Object::new().put("unix_micro", micros.to_string()).finish();
        let track = Object::new()
            .put("sid", sid)
            .put("name", "mic")
            .put("source", "MICROPHONE")
            .put("mime_type", "audio/opus")
            .put("mid", "0")
            .raw("codecs", &format!("[{codec}]"))
            .put("stream", "camera")
            .raw("version", &version)
            .put("backup_codec_policy", "SIMULCAST");
        Some(track.finish())
    }

    /// In getActiveRoomInfo, where unset fields are written too. Tracks are left out.
    pub(crate) fn info(&self, metadata: &str) -> String {
        let permission = Object::new()
            .raw("can_subscribe", "true")
            .raw("can_publish", "true")
            .raw("can_publish_data", "true")
            .raw("can_publish_sources", "[]")
            .put("hidden", self.hidden)
            .raw("recorder", "false")
            .raw("can_update_metadata", "false")
            .raw("agent", "false")
            .raw("can_subscribe_metrics", "false")
            .raw("can_manage_agent_session", "false")
            .finish();
        Object::new()
            .put("sid", &self.sid)
            .put("identity", &self.identity)
            .put("state", "ACTIVE")
            .raw("tracks", "[]")
            .put("metadata", metadata)
            .put("joined_at", (self.joined_at_ms / 1000).to_string())
            .put("joined_at_ms", self.joined_at_ms.to_string())
            .put("name", &self.name)
            .put("version", 2)
            .raw("permission", &permission)
            .put("region", "")
            .put("is_publisher", self.track.is_some())
            .put("kind", "STANDARD")
            .raw("attributes", "{}")
            .put("disconnect_reason", "UNKNOWN_REASON")
            .raw("kind_details", "[]")
            .raw("data_tracks", "[]")
            .put("client_protocol", 0)
            .raw("capabilities", "[]")
            .finish()
    }

    fn common(&self, state: &str, version: u32) -> Object {
        // Webhooks leave out a zero.
        let joined = Some(self.joined_at_ms).filter(|millis| *millis > 0);
        let permission = Object::new()
            .raw("can_subscribe", "true")
            .raw("can_publish", "true")
            .raw("can_publish_data", "true")
            .put_some("hidden", self.hidden.then_some(true))
            .finish();
        Object::new()
            .put("sid", &self.sid)
            .put("identity", &self.identity)
            .put("state", state)
            .put_some(
                "joined_at",
                joined.map(|millis| (millis / 1000).to_string()),
            )
            .put_some("joined_at_ms", joined.map(|millis| millis.to_string()))
            .put_some("name", Some(&self.name).filter(|name| !name.is_empty()))
            .put("version", version)
            .raw("permission", &permission)
    }
}
