//! A room's metadata: the server's defaults, a request merged over them, and the secrets it comes to hold.

use uuid::Uuid;

use super::Options;
use super::protojson::{Message, Value, read, write};
use super::schema::METADATA;

/// Every feature that is on unless said otherwise, and the limits (recorded: api-create-minimal). All others are off.
const DEFAULTS: &str = r#"{"room_features":{"allow_webcams":true,"allow_screen_share":true,
"allow_view_other_webcams":true,"allow_view_other_users_list":true,"enable_analytics":true,"allow_virtual_bg":true,
"allow_raise_hand":true,"allow_reactions":true,"auto_gen_user_id":false,
"recording_features":{"is_allow":true,"is_allow_cloud":true,"is_allow_local":true},
"chat_features":{"is_allow":true,"is_allow_file_upload":true,"allowed_file_types":["jpg","pdf","png"],
"max_file_size":"50"},"shared_note_pad_features":{"is_allow":true},
"whiteboard_features":{"is_allow":true,"max_allowed_file_size":"30"},
"external_media_player_features":{"is_allow":true},"waiting_room_features":{},
"breakout_room_features":{"is_allow":true,"allowed_number_rooms":6},
"display_external_link_features":{"is_allow":true},"ingress_features":{"is_allow":true},
"end_to_end_encryption_features":{},"polls_features":{"is_allow":true},
"insights_features":{"is_allow":true,"transcription_features":{"is_allow":true,"max_selected_trans_langs":2},
"chat_translation_features":{"is_allow":true,"max_selected_trans_langs":5},
"ai_features":{"is_allow":true,"ai_text_chat_features":{"is_allow":true},
"meeting_summarization_features":{"is_allow":true}}},"sip_dial_in_features":{"is_allow":true},
"external_broadcasting_features":{"is_allow":true,"is_allow_rtmp":true}},
"default_lock_settings":{"lock_screen_sharing":true,"lock_whiteboard":true,"lock_shared_notepad":true},
"copyright_conf":{"display":true,"text":"Powered by plugNmeet"}}"#;

/// The metadata of a new room: `asked` merged over the defaults, then what the server decides itself.
///
/// With `options.canaries`, the secrets that a real room may hold are all there and start with `CANARY-`.
pub(crate) fn new_metadata(mut asked: Message, started_at: u64, options: &Options) -> Message {
    let mut metadata = read(METADATA, DEFAULTS.as_bytes())
        .map(|reading| reading.message)
        .unwrap_or_default();
    // Ignored unless the server's configuration lets a room override it.
    asked.set("copyright_conf", Value::Message(Message::default()));
    metadata.merge(asked);
    metadata.set("started_at", Value::Number(started_at));
    renew_id(&mut metadata);
    let features = metadata.message_mut("room_features");
    encrypt(features);
    if options.dial_in {
        dial_in(features);
    }
    if options.canaries {
        plant(features);
    }
    metadata
}

/// The metadata as the JSON text in answers and webhooks.
pub(crate) fn metadata_text(metadata: &Message) -> String {
    write(METADATA, metadata)
}

/// Every change of a room's metadata gives it a new version id.
pub(crate) fn renew_id(metadata: &mut Message) {
    metadata.set_text("metadata_id", Uuid::new_v4().to_string());
}

/// The metadata of the `number`th breakout room of `parent_id` (recorded: webhook-11): the parent's, with the same
/// `webhook_url` and `extra_data`.
pub(crate) fn breakout_metadata(
    parent: &Message,
    parent_id: &str,
    number: usize,
    started_at: u64,
) -> Message {
    let mut metadata = parent.clone();
    metadata.set_text("room_title", format!("Group {number}"));
    metadata.unset("welcome_message");
    metadata.set_text("parent_room_id", parent_id);
    metadata.set_bool("is_breakout_room", true);
    metadata.set("started_at", Value::Number(started_at));
    renew_id(&mut metadata);
    let features = metadata.message_mut("room_features");
    features.set_bool("allow_rtmp", false);
    features.set("room_duration", Value::Number(30));
    features.set_bool("enable_analytics", false);
    features.set(
        "external_broadcasting_features",
        Value::Message(Message::default()),
    );
    metadata
}

// The server makes the key itself, and encryption switches off what would need the plain media (recorded:
// api-create-e2ee, api-create-e2ee-self).
fn encrypt(features: &mut Message) {
    let encryption = features.message_mut("end_to_end_encryption_features");
    if !encryption.is_true("is_enabled") {
        return;
    }
    let own_key = encryption.is_true("enabled_self_insert_encryption_key");
    if !own_key {
        encryption.set_text(
            "encryption_key",
            format!("CANARY-key-{}", &Uuid::new_v4().simple().to_string()[..21]),
        );
    }
    features
        .message_mut("sip_dial_in_features")
        .set_bool("is_allow", false);
    features
        .message_mut("ingress_features")
        .set_bool("is_allow", false);
    if own_key {
        features
            .message_mut("recording_features")
            .set_bool("is_allow_cloud", false);
        features
            .message_mut("external_broadcasting_features")
            .set_bool("is_allow", false);
        let insights = features.message_mut("insights_features");
        insights
            .message_mut("transcription_features")
            .set_bool("is_allow", false);
        let summary = insights
            .message_mut("ai_features")
            .message_mut("meeting_summarization_features");
        summary.set_bool("is_allow", false);
    }
}

// Recorded: api-create-sip-pin.
fn dial_in(features: &mut Message) {
    let sip = features.message_mut("sip_dial_in_features");
    if sip.is_true("is_allow") && sip.is_true("enable_dial_in_on_create") {
        sip.set_bool("is_active", true);
        sip.set_text("dispatch_rule_id", "SDR_xjsqLTk9jZis");
        sip.set_text("pin", "CANARY-pin-018593");
        sip.set("phone_numbers", Value::Texts(vec!["+15550100".to_owned()]));
    }
}

fn plant(features: &mut Message) {
    let ingress = features.message_mut("ingress_features");
    ingress.set_text("url", "rtmp://127.0.0.1/live");
    ingress.set_text("stream_key", "CANARY-stream-key");
    features
        .message_mut("sip_dial_in_features")
        .set_text("pin", "CANARY-pin-018593");
    features
        .message_mut("end_to_end_encryption_features")
        .set_text("encryption_key", "CANARY-encryption-key");
    let summary = features
        .message_mut("insights_features")
        .message_mut("ai_features")
        .message_mut("meeting_summarization_features");
    if summary.text("summarization_prompt").is_empty() {
        summary.set_text("summarization_prompt", "CANARY-prompt");
    }
}
