//! The options of a room. Every feature is sent by name, because servers treat omitted features differently
//! (src/plugnmeet/README.md, "Features").

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The options of every room. On servers from 2.3 on, recording, chat, notes, whiteboard, polls, ingress, insights,
/// SIP, broadcasting and breakout rooms cannot be switched off. Older servers respect a `false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RoomSettings {
    /// Ends an empty room this many seconds after it was created. A value below 120 counts as 1800. Absent: 1800.
    pub empty_timeout_seconds: Option<NonZeroU32>,
    /// Most people in a room. Absent: as many as the server allows.
    pub max_participants: Option<NonZeroU32>,
    /// Ends a room this many minutes after it began. Absent: never.
    pub duration_minutes: Option<NonZeroU32>,
    /// Shown to everybody who joins.
    pub welcome_message: Option<String>,
    /// People join muted.
    pub mute_on_start: bool,
    /// People who are not moderators wait until a moderator admits them.
    pub waiting_room: bool,
    /// The text that waiting people see.
    pub waiting_room_message: Option<String>,
    /// Webcams.
    pub webcams: bool,
    /// Only moderators may use webcams.
    pub admin_only_webcams: bool,
    /// Sharing a screen.
    pub screen_share: bool,
    /// Recording.
    pub recording: bool,
    /// Recording on the server.
    pub cloud_recording: bool,
    /// Recording in the browser.
    pub local_recording: bool,
    /// Recording on the server starts automatically when a moderator joins.
    pub auto_cloud_recording: bool,
    /// Chat.
    pub chat: bool,
    /// Files in the chat.
    pub chat_file_upload: bool,
    /// Shared notes.
    pub shared_notepad: bool,
    /// Whiteboard.
    pub whiteboard: bool,
    /// Playing a video from another site together.
    pub external_media_player: bool,
    /// Showing a page of another site together.
    pub external_link: bool,
    /// Breakout rooms.
    pub breakout_rooms: bool,
    /// Polls.
    pub polls: bool,
    /// Raising a hand.
    pub raise_hand: bool,
    /// Reactions.
    pub reactions: bool,
    /// Virtual backgrounds.
    pub virtual_background: bool,
    /// Streaming into the room.
    pub ingress: bool,
    /// Streaming out of the room.
    pub broadcasting: bool,
    /// Joining by telephone.
    pub sip_dial_in: bool,
    /// Transcription.
    pub transcription: bool,
    /// Translation of the chat.
    pub chat_translation: bool,
    /// Text chat with an AI.
    pub ai_text_chat: bool,
    /// AI summary; a moderator must switch it on in the room.
    pub summary: bool,
    /// Numbers about the meeting; servers from 2.3 on always collect them.
    pub analytics: bool,
    /// Encryption between the browsers; it switches SIP and ingress off.
    pub end_to_end_encryption: bool,
    /// What people who are not moderators may not do.
    pub locks: LockSettings,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            empty_timeout_seconds: None,
            max_participants: None,
            duration_minutes: None,
            welcome_message: None,
            mute_on_start: false,
            waiting_room: false,
            waiting_room_message: None,
            webcams: true,
            admin_only_webcams: false,
            screen_share: true,
            recording: true,
            cloud_recording: true,
            local_recording: true,
            auto_cloud_recording: false,
            chat: true,
            chat_file_upload: true,
            shared_notepad: true,
            whiteboard: true,
            external_media_player: true,
            external_link: true,
            breakout_rooms: true,
            polls: true,
            raise_hand: true,
            reactions: true,
            virtual_background: true,
            ingress: true,
            broadcasting: true,
            sip_dial_in: true,
            transcription: true,
            chat_translation: true,
            ai_text_chat: true,
            summary: true,
            analytics: true,
            end_to_end_encryption: false,
            locks: LockSettings::default(),
        }
    }
}

/// What people who are not moderators may not do until a moderator unlocks it. Absent: the default of the server
/// (screen sharing, whiteboard and notes are locked).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LockSettings {
    /// Microphone.
    #[serde(
        rename(serialize = "lock_microphone"),
        skip_serializing_if = "Option::is_none"
    )]
    pub microphone: Option<bool>,
    /// Webcam.
    #[serde(
        rename(serialize = "lock_webcam"),
        skip_serializing_if = "Option::is_none"
    )]
    pub webcam: Option<bool>,
    /// Sharing a screen.
    #[serde(
        rename(serialize = "lock_screen_sharing"),
        skip_serializing_if = "Option::is_none"
    )]
    pub screen_sharing: Option<bool>,
    /// Chat.
    #[serde(
        rename(serialize = "lock_chat"),
        skip_serializing_if = "Option::is_none"
    )]
    pub chat: Option<bool>,
    /// Whiteboard.
    #[serde(
        rename(serialize = "lock_whiteboard"),
        skip_serializing_if = "Option::is_none"
    )]
    pub whiteboard: Option<bool>,
    /// Shared notes.
    #[serde(
        rename(serialize = "lock_shared_notepad"),
        skip_serializing_if = "Option::is_none"
    )]
    pub shared_notepad: Option<bool>,
}

impl RoomSettings {
    /// The complete `metadata.room_features`. `auto_gen_user_id` is always off, so that a participant's identity is the
    /// user id that the relay sent.
    pub(super) fn features(&self) -> Value {
        let mut features = json!({
            "allow_webcams": self.webcams,
            "mute_on_start": self.mute_on_start,
            "allow_screen_share": self.screen_share,
            "allow_view_other_webcams": true,
            "allow_view_other_users_list": true,
            "admin_only_webcams": self.admin_only_webcams,
            "enable_analytics": self.analytics,
            "allow_virtual_bg": self.virtual_background,
            "allow_raise_hand": self.raise_hand,
            "allow_reactions": self.reactions,
            "auto_gen_user_id": false,
            "recording_features": {
                "is_allow": self.recording,
                "is_allow_cloud": self.cloud_recording,
                "is_allow_local": self.local_recording,
                "enable_auto_cloud_recording": self.auto_cloud_recording,
            },
            "chat_features": {
                "is_allow": self.chat,
                "is_allow_file_upload": self.chat_file_upload,
            },
            "shared_note_pad_features": { "is_allow": self.shared_notepad },
            "whiteboard_features": { "is_allow": self.whiteboard },
            "external_media_player_features": { "is_allow": self.external_media_player },
            "waiting_room_features": { "is_active": self.waiting_room },
            "breakout_room_features": { "is_allow": self.breakout_rooms },
            "display_external_link_features": { "is_allow": self.external_link },
            "ingress_features": { "is_allow": self.ingress },
            "polls_features": { "is_allow": self.polls },
            "end_to_end_encryption_features": { "is_enabled": self.end_to_end_encryption },
            "sip_dial_in_features": { "is_allow": self.sip_dial_in },
            "external_broadcasting_features": {
                "is_allow": self.broadcasting,
                "is_allow_rtmp": self.broadcasting,
            },
            "insights_features": {
                "is_allow": self.transcription
                    || self.chat_translation
                    || self.ai_text_chat
                    || self.summary,
                "transcription_features": { "is_allow": self.transcription },
                "chat_translation_features": { "is_allow": self.chat_translation },
                "ai_features": {
                    "is_allow": self.ai_text_chat || self.summary,
                    "ai_text_chat_features": { "is_allow": self.ai_text_chat },
                    "meeting_summarization_features": { "is_allow": self.summary },
                },
            },
        });
        if let Some(minutes) = self.duration_minutes {
            features["room_duration"] = json!(minutes);
        }
        if let Some(message) = &self.waiting_room_message {
            features["waiting_room_features"]["waiting_room_msg"] = json!(message);
        }
        features
    }
}
