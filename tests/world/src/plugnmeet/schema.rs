//! The fields of every request the fake understands, and of a room's metadata.

mod features;

use super::protojson::Kind::{Bool, Choice, Message, Text, TextMap, Texts, Unsigned32, Unsigned64};
use super::protojson::{Field, Rule, field};
use features::FEATURES;

/// POST /auth/room/create.
pub(crate) static CREATE_ROOM: &[Field] = &[
    field("room_id", Text).rule(Rule::RoomId),
    field("empty_timeout", Unsigned32)
        .optional()
        .rule(Rule::AboveZero),
    field("max_participants", Unsigned32)
        .optional()
        .rule(Rule::AboveZero),
    field("metadata", Message(METADATA)).rule(Rule::Required),
];

/// `metadata` of a room, in the order the server writes it (recorded: api-create-full).
pub(crate) static METADATA: &[Field] = &[
    field("room_title", Text).rule(Rule::Required),
    field("welcome_message", Text).optional(),
    field("is_recording", Bool).rule(Rule::Internal),
    field("is_active_rtmp", Bool).rule(Rule::Internal),
    field("parent_room_id", Text).rule(Rule::Internal),
    field("is_breakout_room", Bool).rule(Rule::Internal),
    field("webhook_url", Text).optional().rule(Rule::Uri),
    field("started_at", Unsigned64).rule(Rule::Internal),
    field("logout_url", Text).optional().rule(Rule::Uri),
    field("room_features", Message(FEATURES)).rule(Rule::Required),
    field("default_lock_settings", Message(LOCKS)),
    field(
        "copyright_conf",
        Message(&[field("display", Bool), field("text", Text)]),
    ),
    field("metadata_id", Text).optional().rule(Rule::Internal),
    field("extra_data", TextMap),
];

static LOCKS: &[Field] = &[
    field("lock_microphone", Bool).optional(),
    field("lock_webcam", Bool).optional(),
    field("lock_screen_sharing", Bool).optional(),
    field("lock_chat", Bool).optional(),
    field("lock_chat_send_message", Bool).optional(),
    field("lock_chat_file_share", Bool).optional(),
    field("lock_private_chat", Bool).optional(),
    field("lock_whiteboard", Bool).optional(),
    field("lock_shared_notepad", Bool).optional(),
];

/// POST /auth/room/getJoinToken.
pub(crate) static JOIN_TOKEN: &[Field] = &[
    field("room_id", Text).rule(Rule::RoomId),
    field("user_info", Message(USER)).rule(Rule::Required),
];

static USER: &[Field] = &[
    field("name", Text).rule(Rule::Required),
    field("user_id", Text),
    field("is_admin", Bool),
    field("is_hidden", Bool),
    field("client_type", Choice(&["WEB", "NATIVE"])),
    field("user_metadata", Message(USER_METADATA)),
];

/// `user_metadata` of a user, in the order the server writes it (recorded: api-active-info-live).
pub(crate) static USER_METADATA: &[Field] = &[
    field("profile_pic", Text).optional().rule(Rule::Uri),
    field("is_admin", Bool),
    field("record_webcam", Bool).optional(),
    field("is_presenter", Bool).rule(Rule::Internal),
    field(
        "raised_hand",
        Message(&[field("is_raised", Bool), field("raised_at", Unsigned64)]),
    ),
    field("wait_for_approval", Bool).rule(Rule::Internal),
    field("preferred_lang", Text).optional(),
    field("lock_settings", Message(LOCKS)),
    field("metadata_id", Text).optional().rule(Rule::Internal),
    field("extra_data", TextMap),
    field("ex_user_id", Text).optional(),
];

/// isRoomActive, getActiveRoomInfo, endRoom.
pub(crate) static ROOM: &[Field] = &[field("room_id", Text).rule(Rule::Required)];

/// POST /auth/recording/fetch.
pub(crate) static FETCH_RECORDINGS: &[Field] = &[
    field("room_ids", Texts),
    field("room_sid", Text).optional(),
    field("from", Unsigned32),
    field("limit", Unsigned32),
    field("order_by", Text),
];

/// POST /auth/artifact/fetch.
pub(crate) static FETCH_ARTIFACTS: &[Field] = &[
    field("room_ids", Texts),
    field("room_sid", Text).optional(),
    field("type", Choice(ARTIFACT_TYPES)).optional(),
    field("from", Unsigned64),
    field("limit", Unsigned64),
    field("order_by", Text),
];

/// RoomArtifactType by number (src/plugnmeet/README.md, "Artifacts").
pub(crate) static ARTIFACT_TYPES: &[&str] = &[
    "UNKNOWN_ARTIFACT",
    "MEETING_ANALYTICS",
    "MEETING_SUMMARY",
    "MEETING_SUMMARY_USAGE",
    "SPEECH_TRANSCRIPTION",
    "SPEECH_TRANSCRIPTION_USAGE",
    "SYNTHESIZED_SPEECH_USAGE",
    "CHAT_TRANSLATION_USAGE",
    "AI_TEXT_CHAT_INTERACTION_USAGE",
    "AI_TEXT_CHAT_SUMMARIZATION_USAGE",
];

/// POST /auth/recording/getDownloadToken.
pub(crate) static RECORD: &[Field] = &[field("record_id", Text).rule(Rule::Required)];

/// POST /auth/artifact/getDownloadToken.
pub(crate) static ARTIFACT: &[Field] = &[field("artifact_id", Text).rule(Rule::Required)];
