//! `room_features`, in the order the server writes them (recorded: api-create-minimal, -e2ee, -sip-pin).

use crate::plugnmeet::protojson::Kind::{
    Bool, Choice, Message, Text, Texts, Unsigned32, Unsigned64,
};
use crate::plugnmeet::protojson::{Field, Rule, field};

const fn internal(field: Field) -> Field {
    field.rule(Rule::Internal)
}

pub(super) static FEATURES: &[Field] = &[
    field("allow_webcams", Bool),
    field("mute_on_start", Bool),
    field("allow_screen_share", Bool),
    field("allow_rtmp", Bool).optional(),
    field("allow_view_other_webcams", Bool),
    field("allow_view_other_users_list", Bool),
    field("admin_only_webcams", Bool),
    field("room_duration", Unsigned64).optional(),
    field("enable_analytics", Bool),
    field("allow_virtual_bg", Bool).optional(),
    field("allow_raise_hand", Bool).optional(),
    field("allow_reactions", Bool).optional(),
    field("auto_gen_user_id", Bool).optional(),
    field("recording_features", Message(RECORDING)),
    field("chat_features", Message(CHAT)),
    field("shared_note_pad_features", Message(NOTE_PAD)),
    field("whiteboard_features", Message(WHITEBOARD)),
    field("external_media_player_features", Message(MEDIA_PLAYER)),
    field(
        "waiting_room_features",
        Message(&[field("is_active", Bool), field("waiting_room_msg", Text)]),
    ),
    field("breakout_room_features", Message(BREAKOUT)),
    field("display_external_link_features", Message(EXTERNAL_LINK)),
    field("ingress_features", Message(INGRESS)),
    field("end_to_end_encryption_features", Message(ENCRYPTION)),
    field(
        "polls_features",
        Message(&[field("is_allow", Bool), internal(field("is_active", Bool))]),
    ),
    field("insights_features", Message(INSIGHTS)),
    field("sip_dial_in_features", Message(SIP)),
    field(
        "external_broadcasting_features",
        Message(&[field("is_allow", Bool), field("is_allow_rtmp", Bool)]),
    ),
];

static RECORDING: &[Field] = &[
    field("is_allow", Bool),
    field("is_allow_cloud", Bool),
    field("enable_auto_cloud_recording", Bool),
    field("is_allow_local", Bool),
    field("only_record_admin_webcams", Bool),
];

static CHAT: &[Field] = &[
    field("is_allow", Bool),
    field("is_allow_file_upload", Bool),
    field("allowed_file_types", Texts),
    field("max_file_size", Unsigned64).optional(),
];

static NOTE_PAD: &[Field] = &[
    field("is_allow", Bool),
    internal(field("is_active", Bool)),
    internal(field("visible", Bool)),
    internal(field("note_pad_id", Text)),
];

static WHITEBOARD: &[Field] = &[
    field("is_allow", Bool),
    internal(field("visible", Bool)),
    field("preload_file", Text).optional().rule(Rule::Uri),
    internal(field("whiteboard_file_id", Text)),
    internal(field("file_name", Text)),
    internal(field("file_path", Text)),
    internal(field("total_pages", Unsigned32)),
    field("max_allowed_file_size", Unsigned64).optional(),
];

static MEDIA_PLAYER: &[Field] = &[
    field("is_allow", Bool),
    internal(field("is_active", Bool)),
    internal(field("shared_by", Text).optional()),
    internal(field("url", Text).optional()),
];

static BREAKOUT: &[Field] = &[
    field("is_allow", Bool),
    internal(field("is_active", Bool)),
    field("allowed_number_rooms", Unsigned32),
];

static EXTERNAL_LINK: &[Field] = &[
    field("is_allow", Bool),
    internal(field("is_active", Bool)),
    field("link", Text).optional(),
    field("shared_by", Text).optional(),
];

static INGRESS: &[Field] = &[
    field("is_allow", Bool),
    field(
        "input_type",
        Choice(&["RTMP_INPUT", "WHIP_INPUT", "URL_INPUT"]),
    ),
    internal(field("url", Text)),
    internal(field("stream_key", Text)),
];

static ENCRYPTION: &[Field] = &[
    field("is_enabled", Bool),
    field("included_chat_messages", Bool),
    field("included_whiteboard", Bool),
    field("enabled_self_insert_encryption_key", Bool),
    internal(field("encryption_key", Text).optional()),
];

static INSIGHTS: &[Field] = &[
    field("is_allow", Bool),
    field("transcription_features", Message(TRANSCRIPTION)),
    field("chat_translation_features", Message(CHAT_TRANSLATION)),
    field("ai_features", Message(AI)),
];

static TRANSCRIPTION: &[Field] = &[
    field("is_allow", Bool),
    field("is_allow_translation", Bool),
    field("is_allow_speech_synthesis", Bool),
    internal(field("is_enabled", Bool)),
    internal(field("allowed_spoken_langs", Texts)),
    internal(field("allowed_speech_users", Texts)),
    internal(field("is_enabled_translation", Bool)),
    field("max_selected_trans_langs", Unsigned32),
    internal(field("allowed_trans_langs", Texts)),
    internal(field("is_enabled_speech_synthesis", Bool)),
];

static CHAT_TRANSLATION: &[Field] = &[
    field("is_allow", Bool),
    internal(field("is_enabled", Bool)),
    internal(field("allowed_trans_langs", Texts)),
    field("max_selected_trans_langs", Unsigned32),
];

static AI: &[Field] = &[
    field("is_allow", Bool),
    field("ai_text_chat_features", Message(AI_CHAT)),
    field("meeting_summarization_features", Message(SUMMARIZATION)),
];

static AI_CHAT: &[Field] = &[
    field("is_allow", Bool),
    internal(field("is_enabled", Bool)),
    internal(field("is_allowed_everyone", Bool)),
    internal(field("allowed_user_ids", Texts)),
    field("is_notepad_ai_disabled", Bool),
    field("is_whiteboard_ai_disabled", Bool),
];

static SUMMARIZATION: &[Field] = &[
    field("is_allow", Bool),
    field("summarization_prompt", Text),
    internal(field("is_enabled", Bool)),
];

static SIP: &[Field] = &[
    field("is_allow", Bool),
    field("enable_dial_in_on_create", Bool),
    field("hide_phone_number", Bool),
    internal(field("is_active", Bool)),
    internal(field("phone_numbers", Texts)),
    internal(field("pin", Text).optional()),
    internal(field("dispatch_rule_id", Text).optional()),
];
