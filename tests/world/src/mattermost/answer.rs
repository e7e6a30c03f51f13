//! What an integration answers to a command, at once or later through the response URL
//! (src/mattermost/README.md, "Answers to slash commands" and "Response URLs").

use super::attachment::{self, note_unknown};
use super::core::Core;
use super::error::AppError;
use super::model::{Ephemeral, Model};
use super::posting::{self, Draft};
use super::slack;
use crate::Unexpected;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// How long a response URL works, in milliseconds.
const LIFETIME_MS: i64 = 30 * 60 * 1000;
/// How often a response URL works.
const USES_MAX: u32 = 5;
const KEYS: [&str; 12] = [
    "response_type",
    "text",
    "username",
    "channel_id",
    "icon_url",
    "type",
    "props",
    "goto_location",
    "trigger_id",
    "skip_slack_parsing",
    "attachments",
    "extra_responses",
];

/// Mattermost's CommandResponse.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CommandResponse {
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) response_type: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) text: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) username: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) channel_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) goto_location: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) skip_slack_parsing: bool,
    #[serde(deserialize_with = "null_is_default")]
    props: Map<String, Value>,
    #[serde(deserialize_with = "null_is_default")]
    attachments: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    extra_responses: Vec<CommandResponse>,
}

/// For whom and where an answer is meant.
#[derive(Clone, Debug)]
pub(crate) struct Addressee {
    pub(crate) user_id: String,
    pub(crate) channel_id: String,
    pub(crate) root_id: String,
    pub(crate) command_username: String,
}

impl CommandResponse {
    /// JSON if the content type says so, else plain text; `None`: nothing was said.
    pub(crate) fn read(
        content_type: &str,
        body: &[u8],
        unexpected: &Unexpected,
    ) -> Result<Option<Self>, ()> {
        if content_type.split(';').next().unwrap_or_default().trim() != "application/json" {
            let text = String::from_utf8_lossy(body).into_owned();
            if text.trim_start().starts_with('{') {
                unexpected.note(format!(
                    "command answer is JSON, but its type is {content_type:?}: shown as plain text"
                ));
            }
            return Ok((!text.is_empty()).then(|| Self {
                text,
                ..Self::default()
            }));
        }
        let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
        let value = values.next().ok_or(())?.map_err(|_| ())?;
        if let Some(given) = value.as_object() {
            note_unknown(given, &KEYS, "command answer", unexpected);
            if !matches!(
                given.get("response_type").and_then(Value::as_str),
                None | Some("" | "ephemeral" | "in_channel")
            ) {
                unexpected.note("command answer has an unknown response_type");
            }
        }
        let mut response: Self = serde_json::from_value(value).map_err(|_| ())?;
        let decoded = response
            .attachments
            .iter()
            .map(|one| attachment::decode(one, unexpected));
        response.attachments = decoded.collect::<Result<_, _>>().map_err(|_| ())?;
        Ok(Some(response))
    }

    pub(crate) fn kind(&self) -> &'static str {
        if self.response_type == "in_channel" {
            "in_channel"
        } else {
            "ephemeral"
        }
    }
}

/// Shows an answer and its extra answers.
pub(crate) async fn show(
    core: &Arc<Core>,
    to: &Addressee,
    response: &CommandResponse,
) -> Result<(), AppError> {
    show_one(core, to, response).await?;
    for extra in &response.extra_responses {
        show_one(core, to, extra).await?;
    }
    Ok(())
}

async fn show_one(
    core: &Arc<Core>,
    to: &Addressee,
    response: &CommandResponse,
) -> Result<(), AppError> {
    let name_of =
        |id: &str| core.read(|model| model.users.get(id).map(|user| user.username.clone()));
    let text = if response.skip_slack_parsing {
        response.text.clone()
    } else {
        slack::rewrite(&response.text, name_of)
    };
    let is_elsewhere = !response.channel_id.is_empty() && response.channel_id != to.channel_id;
    let channel_id = if is_elsewhere {
        response.channel_id.clone()
    } else {
        to.channel_id.clone()
    };
    let is_member = core.read(|model| {
        model
            .channels
            .get(&channel_id)
            .is_some_and(|c| c.members.contains_key(&to.user_id))
    });
    if is_elsewhere && !is_member {
        return Err(AppError::permissions());
    }
    let root_id = if is_elsewhere {
        String::new()
    } else {
        to.root_id.clone()
    };
    let username = if response.username.is_empty() {
        &to.command_username
    } else {
        &response.username
    };
    if response.kind() == "ephemeral" {
        if !text.is_empty() || !response.attachments.is_empty() {
            let shown = Ephemeral {
                user_id: to.user_id.clone(),
                channel_id,
                root_id,
                text,
                attachments: response.attachments.clone(),
                username: username.clone(),
                at: core.clock.now_ms(),
            };
            core.change(|model| model.ephemerals.push(shown));
        }
        return Ok(());
    }
    let mut props = response.props.clone();
    props.insert("from_webhook".to_owned(), "true".into());
    if !response.attachments.is_empty() {
        props.insert(
            "attachments".to_owned(),
            response.attachments.clone().into(),
        );
    }
    if core.options.username_override && !username.is_empty() {
        props.insert("override_username".to_owned(), username.clone().into());
    }
    let draft = Draft {
        user_id: to.user_id.clone(),
        channel_id,
        root_id,
        message: text,
        props,
        pending_post_id: String::new(),
        fires_hooks: true,
    };
    posting::create(core, draft).await.map(|_| ())
}

/// `POST /hooks/commands/{id}`: 200 `ok`, or the error. A body that cannot be read is not counted as a use.
pub(crate) async fn respond_late(
    core: &Arc<Core>,
    id: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(), AppError> {
    let response = CommandResponse::read(content_type, body, &core.unexpected).map_err(|()| {
        AppError::new(
            400,
            "web.command_webhook.parse.app_error",
            format!("Unable to parse incoming data for webhook {id}."),
        )
    })?;
    let refused = |status| {
        AppError::new(
            status,
            "web.command_webhook.general.app_error",
            format!("Failed to handle command webhook {id}."),
        )
    };
    let now = core.clock.now_ms();
    let to = core.change(|model| {
        let command_of = |id: &str, model: &Model| {
            model
                .commands
                .iter()
                .find(|c| c.id == id && !c.is_deleted)
                .cloned()
        };
        let hook = model
            .response_urls
            .get(id)
            .filter(|hook| now < hook.create_at + LIFETIME_MS);
        let hook = hook.cloned().ok_or_else(|| refused(404))?;
        let command = command_of(&hook.command_id, model).ok_or_else(|| refused(400))?;
        if hook.used >= USES_MAX {
            return Err(refused(400));
        }
        if let Some(hook) = model.response_urls.get_mut(id) {
            hook.used += 1;
        }
        Ok(Addressee {
            user_id: hook.user_id,
            channel_id: hook.channel_id,
            root_id: hook.root_id,
            command_username: command.username,
        })
    })?;
    show(core, &to, &response.unwrap_or_default())
        .await
        .map_err(|_| refused(500))
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
