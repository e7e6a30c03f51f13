//! The bytes of requests, in the shape of the recorded ones (tests/vectors).

use serde_json::json;

use super::plan::{Plan, id};

/// The key pair between the relay and the sink; nothing else knows it.
pub const API_KEY: &str = "load";
/// See [`API_KEY`].
pub const API_SECRET: &str = "load-secret-of-no-server-at-all-0123456789";
/// The token of the outgoing webhook.
pub const HOOK_TOKEN: &str = "t4rfx7hd3fdeibef3juupkload";
/// The token of the slash command.
pub const COMMAND_TOKEN: &str = "sk88n5tpijbp58geza4cq9load";
/// The bot's token.
pub const BOT_TOKEN: &str = "b0tb0tb0tb0tb0tb0tb0tbload";

/// People of the run: more than one, fewer than meetings.
const PEOPLE: u32 = 1000;

/// The four webhooks of a meeting, in order.
pub const WEBHOOKS: [&str; 4] = [
    "room_created",
    "participant_joined",
    "session_ended",
    "room_finished",
];

/// A room that came about.
#[derive(Clone, Debug)]
pub struct Room {
    /// The meeting's number.
    pub number: u32,
    /// plugNmeet's id of the room.
    pub room: String,
    /// plugNmeet's id of the session.
    pub sid: String,
    /// Unix seconds.
    pub created: i64,
}

/// The form of an outgoing webhook (src/mattermost/README.md, "Outgoing webhooks").
pub fn post(plan: &Plan, number: u32, now: i64) -> String {
    let run = plan.run();
    let user = number % PEOPLE;
    format!(
        "channel_id={}&channel_name=load-{number}&file_ids=&post_id={}&team_domain=eng&team_id={}\
         &text=meet+now%3A+Load+{number}&timestamp={now}&token={HOOK_TOKEN}&trigger_word=meet\
         &user_id={}&user_name=user{user}",
        id('c', run, number),
        id('q', run, number),
        id('t', run, 0),
        id('u', run, user),
    )
}

/// The form of a slash command (src/mattermost/README.md, "Slash commands"). `hook` is the letter of its response URL.
pub fn command(plan: &Plan, number: u32, hook: char, chat: &str) -> String {
    let run = plan.run();
    let user = number % PEOPLE;
    let response = format!("{chat}/hooks/commands/{}", id(hook, run, number));
    let response: String = url::form_urlencoded::byte_serialize(response.as_bytes()).collect();
    format!(
        "channel_id={}&channel_name=load-{number}&command=%2Fplugnmeet&response_url={response}\
         &team_domain=eng&team_id={}&text=start+Load+{number}&token={COMMAND_TOKEN}\
         &trigger_id={hook}{run}x{number}&user_id={}&user_name=user{user}",
        id('c', run, number),
        id('t', run, 0),
        id('u', run, user),
    )
}

/// The body of one of a meeting's webhooks (src/plugnmeet/README.md, "Webhook bodies").
pub fn webhook(step: usize, room: &Room, now: i64) -> String {
    let event = WEBHOOKS[step];
    let metadata = json!({
        "room_title": format!("Load {}", room.number),
        "welcome_message": "Hi", "is_recording": false, "is_active_rtmp": false, "parent_room_id": "",
        "is_breakout_room": false, "webhook_url": "https://relay.example.org/plugnmeet/webhook",
        "started_at": room.created.to_string(),
        "room_features": {
            "allow_webcams": true, "mute_on_start": false, "allow_screen_share": true,
            "allow_view_other_webcams": true, "allow_view_other_users_list": true,
            "recording_features": {"is_allow": true, "is_allow_cloud": true, "is_allow_local": true},
            "chat_features": {"is_allow": true, "is_allow_file_upload": true, "max_file_size": "50"},
            "end_to_end_encryption_features": {"is_enabled": false},
        },
    });
    let mut body = json!({
        "event": event,
        "room": {
            "sid": room.sid, "room_id": room.room, "empty_timeout": 1800,
            "creation_time": room.created.to_string(), "metadata": metadata.to_string(),
        },
        "id": format!("{}-{step}", room.sid),
        "created_at": now.to_string(),
    });
    if event == "participant_joined" {
        body["participant"] = json!({
            "sid": format!("PA_{}", room.number), "identity": format!("u{}", room.number),
            "state": "ACTIVE", "joined_at": now.to_string(), "name": "Ana Müller", "version": 3,
            "permission": {"can_subscribe": true, "can_publish": true, "can_publish_data": true},
            "is_publisher": true,
        });
    }
    body.to_string()
}
