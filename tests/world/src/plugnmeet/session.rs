//! One session of a room: what the real server keeps of it in its database, in NATS and in LiveKit.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::json::Object;
use super::metadata::metadata_text;
use super::participant::Participant;
use super::protojson::{Message, Value};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It can be joined.
    Running,
    /// An end is being carried out: isRoomActive says ROOM_NOT_ACTIVE.
    Ending,
    /// The server stopped while it was ending: nothing ends it by itself
    /// (src/plugnmeet/README.md, "Sessions that never end").
    EndLost,
    /// Another sid took its row over; it is never ended.
    Replaced,
    /// It is over.
    Ended,
}

/// The user record that getJoinToken leaves in a room.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) metadata: Message,
}

/// A session and everything the fake knows of it.
pub(crate) struct Session {
    pub(crate) sid: String,
    pub(crate) room_id: String,
    pub(crate) title: String,
    pub(crate) creation_time: u64,
    /// When LiveKit's room started: the first join of media, never if nobody came.
    pub(crate) livekit_started: Option<u64>,
    pub(crate) ended: Option<u64>,
    pub(crate) phase: Phase,
    /// Whether NATS still knows the room; the database always does.
    pub(crate) in_nats: bool,
    /// Whether this server process has the room in its cache, so that it answers without NATS.
    pub(crate) cached: bool,
    /// Redis lost its webhook data: its events are sent to nobody.
    pub(crate) is_mute: bool,
    pub(crate) empty_timeout: u64,
    pub(crate) max_participants: Option<u64>,
    pub(crate) metadata: Message,
    pub(crate) webhook_url: Option<String>,
    pub(crate) breakout: bool,
    pub(crate) breakouts: usize,
    pub(crate) participants: Vec<Participant>,
    /// Everyone who was ever in, as identity and name, for the analytics.
    pub(crate) attended: BTreeMap<String, String>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) blocked: BTreeSet<String>,
    /// The record id of the recording that runs.
    pub(crate) recording: Option<String>,
    /// Counts joins, so that a timer started at an earlier emptiness knows that it is stale.
    pub(crate) joins: u64,
}

impl Session {
    /// A fresh session with a new sid.
    pub(crate) fn new(room_id: &str, metadata: Message, now: u64) -> Self {
        Self {
            sid: Uuid::new_v4().to_string(),
            room_id: room_id.to_owned(),
            title: metadata.text("room_title").to_owned(),
            creation_time: now,
            livekit_started: None,
            ended: None,
            phase: Phase::Running,
            in_nats: true,
            cached: true,
            is_mute: false,
            empty_timeout: 1800,
            max_participants: None,
            webhook_url: metadata.text_if_set("webhook_url").map(str::to_owned),
            metadata,
            breakout: false,
            breakouts: 0,
            participants: Vec::new(),
            attended: BTreeMap::new(),
            users: BTreeMap::new(),
            blocked: BTreeSet::new(),
            recording: None,
            joins: 0,
        }
    }

    /// `room_info` of create and getActiveRoomInfo (recorded: api-create-minimal, api-active-info-live).
    pub(crate) fn room_info(&self) -> String {
        Object::new()
            .put("room_title", &self.title)
            .put("room_id", &self.room_id)
            .put("sid", &self.sid)
            .put("joined_participants", self.participants.len().to_string())
            .put("is_running", u8::from(matches!(self.phase, Phase::Running)))
            .put("is_recording", u8::from(self.recording.is_some()))
            .put("is_active_rtmp", 0)
            .put("webhook_url", self.webhook_url.as_deref().unwrap_or(""))
            .put("is_breakout_room", u8::from(self.breakout))
            .put("parent_room_id", self.metadata.text("parent_room_id"))
            .put("creation_time", self.creation_time.to_string())
            .put("metadata", metadata_text(&self.metadata))
            .finish()
    }

    /// The room as a test sees it.
    pub(crate) fn view(&self) -> RoomView {
        let extra_data = match self.metadata.get("extra_data") {
            Some(Value::TextMap(map)) => map.clone(),
            _ => BTreeMap::new(),
        };
        RoomView {
            room_id: self.room_id.clone(),
            sid: self.sid.clone(),
            title: self.title.clone(),
            creation_time: self.creation_time,
            ended: self.ended,
            phase: self.phase,
            participants: self
                .participants
                .iter()
                .map(|one| (one.identity.clone(), one.name.clone()))
                .collect(),
            webhook_url: self.webhook_url.clone(),
            extra_data,
            is_breakout: self.breakout,
            metadata: metadata_text(&self.metadata),
        }
    }
}

/// A copy of one session's state.
#[derive(Clone)]
pub struct RoomView {
    /// The room's id.
    pub room_id: String,
    /// The session's id.
    pub sid: String,
    /// `room_title`.
    pub title: String,
    /// When it was created, unix seconds.
    pub creation_time: u64,
    /// When it ended, unix seconds.
    pub ended: Option<u64>,
    /// Where it stands.
    pub phase: Phase,
    /// Who is in, as (identity, name), bots included.
    pub participants: Vec<(String, String)>,
    /// `metadata.webhook_url`.
    pub webhook_url: Option<String>,
    /// `metadata.extra_data`.
    pub extra_data: BTreeMap<String, String>,
    /// Whether it is a breakout room.
    pub is_breakout: bool,
    /// The whole metadata as JSON text, secrets included.
    pub metadata: String,
}

impl RoomView {
    /// Whether people can join it.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }
}
