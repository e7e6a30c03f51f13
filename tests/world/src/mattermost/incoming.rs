//! Incoming webhooks: `POST /hooks/{id}` as recorded (src/mattermost/README.md, "Incoming webhooks"). Whoever knows the
//! id may post.

use super::FakeMattermost;
use super::attachment::{self, note_unknown};
use super::core::Core;
use super::error::AppError;
use super::id::new_id;
use super::model::{Channel, Model};
use super::posting::{self, Draft, MESSAGE_MAX};
use super::server::{BODY_MAX, Reply};
use super::slack;
use serde_json::{Map, Value};
use std::sync::Arc;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const KEYS: [&str; 10] = [
    "text",
    "username",
    "icon_url",
    "icon_emoji",
    "channel",
    "props",
    "attachments",
    "type",
    "priority",
    "root_id",
];
/// Props that the server sets itself or drops.
const DROPPED: [&str; 4] = [
    "override_username",
    "override_icon_url",
    "from_webhook",
    "attachments",
];

/// What the server keeps of incoming webhooks.
#[derive(Clone, Debug, Default)]
pub(crate) struct IncomingHooks {
    pub(crate) all: Vec<IncomingHook>,
    /// ServiceSettings.EnableIncomingWebhooks is off.
    is_disabled: bool,
}

/// A registered incoming webhook.
#[derive(Clone, Debug)]
pub(crate) struct IncomingHook {
    id: String,
    display_name: String,
    team_id: String,
    pub(crate) channel_id: String,
    /// Who registered it: posts are this user's.
    creator_id: String,
    is_locked: bool,
}

/// What was asked for, decoded.
struct Payload {
    text: String,
    channel: String,
    username: String,
    props: Map<String, Value>,
    attachments: Vec<Value>,
}

/// `POST /hooks/{id}`: 200 `ok`, or the error, whose text repeats the id.
pub(crate) async fn receive(
    core: &Arc<Core>,
    id: &str,
    content_type: &str,
    body: &[u8],
) -> Result<Reply, AppError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    // Anything else, none too, is taken for JSON.
    let media_type = if media_type == FORM { FORM } else { JSON };
    let payload = read(core, media_type, body).map_err(|()| {
        AppError::new(
            400,
            "web.incoming_webhook.decode.app_error",
            format!(
                "Failed to decode the payload of media type {media_type} for incoming webhook {id}."
            ),
        )
    })?;
    handle(core, id, payload).await.map_err(|status| {
        AppError::new(
            status,
            "web.incoming_webhook.general.app_error",
            format!(
                "Failed to handle the payload of media type {media_type} for incoming webhook {id}."
            ),
        )
    })?;
    Ok(Reply::new(200, "text/plain", "ok"))
}

fn read(core: &Core, media_type: &str, body: &[u8]) -> Result<Payload, ()> {
    if body.len() > BODY_MAX {
        return Err(());
    }
    let given: Map<String, Value> = if media_type == FORM {
        let mut pairs = url::form_urlencoded::parse(body);
        let (_, payload) = pairs.find(|(name, _)| name == "payload").ok_or(())?;
        serde_json::from_str(&payload).map_err(|_| ())?
    } else {
        serde_json::from_slice(body).map_err(|_| ())?
    };
    note_unknown(&given, &KEYS, "incoming webhook", &core.unexpected);
    let text = |name: &str| match given.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(()),
    };
    let attachments = match given.get("attachments") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.clone(),
        Some(_) => return Err(()),
    };
    let attachments = attachments
        .iter()
        .map(|one| attachment::decode(one, &core.unexpected).map_err(|_| ()));
    let props = match given.get("props") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(props)) => props.clone(),
        Some(_) => return Err(()),
    };
    Ok(Payload {
        text: text("text")?,
        channel: text("channel")?,
        username: text("username")?,
        props,
        attachments: attachments.collect::<Result<_, _>>()?,
    })
}

/// Posts it; the error is the status alone, which is all that the real server tells.
async fn handle(core: &Arc<Core>, id: &str, payload: Payload) -> Result<(), u16> {
    if core.read(|model| model.incoming.is_disabled) {
        return Err(501);
    }
    if payload.text.is_empty() && payload.attachments.is_empty() {
        return Err(400);
    }
    let now = core.clock.now_ms();
    let (hook, channel) = core.change(|model| {
        let hook = model.incoming.all.iter().find(|hook| hook.id == id);
        let hook = hook.cloned().ok_or(400_u16)?;
        let channel = channel(model, &hook, &payload.channel, now)?;
        Ok::<_, u16>((hook, channel))
    })?;
    let mut props = payload.props;
    props.retain(|name, _| !DROPPED.contains(&name.as_str()));
    props.insert("from_webhook".to_owned(), "true".into());
    props.insert("webhook_display_name".to_owned(), hook.display_name.into());
    if core.options.username_override {
        let name = Some(payload.username).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| "webhook".to_owned());
        props.insert("override_username".to_owned(), name.into());
    }
    let post = Shown {
        author: &hook.creator_id,
        channel: &channel,
        text: &payload.text,
        attachments: payload.attachments,
        props,
    };
    show(core, post).await.map_err(|_| 500)
}

/// The channel that a name means: a slug, `#slug`, `@person`, or none for the hook's own.
fn channel(model: &mut Model, hook: &IncomingHook, name: &str, now: i64) -> Result<String, u16> {
    let found = if let Some(person) = name.strip_prefix('@') {
        let user = model.users.values().find(|user| user.username == person);
        let other = user.ok_or(400_u16)?.id.clone();
        let id = model.direct_channel(&hook.creator_id, &other, now);
        model.channels.get(&id)
    } else if name.is_empty() {
        model.channels.get(&hook.channel_id)
    } else {
        let slug = name.strip_prefix('#').unwrap_or(name);
        let mut channels = model.channels.values();
        channels.find(|channel| channel.team_id == hook.team_id && channel.name == slug)
    };
    let channel: &Channel = found
        .filter(|channel| !channel.is_archived())
        .ok_or(404_u16)?;
    if hook.is_locked && channel.id != hook.channel_id {
        return Err(403);
    }
    if model.may_read(&hook.creator_id, channel) {
        Ok(channel.id.clone())
    } else {
        Err(403)
    }
}

/// What an integration shows in a channel.
pub(super) struct Shown<'a> {
    pub(super) author: &'a str,
    pub(super) channel: &'a str,
    pub(super) text: &'a str,
    pub(super) attachments: Vec<Value>,
    pub(super) props: Map<String, Value>,
}

/// Posts it with Mattermost's rewriting, a long text in several posts; fires no outgoing webhooks.
pub(super) async fn show(core: &Arc<Core>, shown: Shown<'_>) -> Result<(), AppError> {
    let mut attachments = shown.attachments;
    for attachment in &mut attachments {
        rewrite_in(core, attachment);
    }
    let parts = slack::split(&rewrite(core, shown.text), MESSAGE_MAX);
    let last = parts.len() - 1;
    for (index, message) in parts.into_iter().enumerate() {
        let mut props = shown.props.clone();
        if index == last && !attachments.is_empty() {
            props.insert("attachments".to_owned(), attachments.clone().into());
        }
        let draft = Draft {
            user_id: shown.author.to_owned(),
            channel_id: shown.channel.to_owned(),
            message,
            props,
            ..Draft::default()
        };
        posting::create(core, draft).await?;
    }
    Ok(())
}

fn rewrite(core: &Core, text: &str) -> String {
    slack::rewrite(text, |id| {
        core.read(|model| model.users.get(id).map(|user| user.username.clone()))
    })
}

fn rewrite_in(core: &Core, attachment: &mut Value) {
    let change = |value: &mut Value| {
        if let Some(text) = value.as_str() {
            *value = rewrite(core, text).into();
        }
    };
    for key in ["text", "pretext"] {
        change(&mut attachment[key]);
    }
    let fields = attachment["fields"].as_array_mut();
    for field in fields.into_iter().flatten() {
        change(&mut field["value"]);
    }
}

impl FakeMattermost {
    /// Registers an incoming webhook of this channel as `creator`; gives its whole address, which is the secret.
    /// A locked one posts in its own channel only.
    pub fn register_incoming_hook(&self, creator: &str, channel: &str, is_locked: bool) -> String {
        let (creator, channel) = (self.user(creator), self.channel(channel));
        let hook = IncomingHook {
            id: new_id(),
            display_name: "meetings".to_owned(),
            team_id: channel.team_id,
            channel_id: channel.id,
            creator_id: creator.id,
            is_locked,
        };
        let address = format!("{}/hooks/{}", self.url(), hook.id);
        self.core.change(|model| model.incoming.all.push(hook));
        address
    }

    /// Locks every incoming webhook to its channel, or unlocks it.
    pub fn lock_incoming_hooks(&self, is_locked: bool) {
        self.core.change(|model| {
            for hook in &mut model.incoming.all {
                hook.is_locked = is_locked;
            }
        });
    }

    /// Deletes every incoming webhook: from now on 400.
    pub fn delete_incoming_hooks(&self) {
        self.core.change(|model| model.incoming.all.clear());
    }

    /// Switches incoming webhooks on or off for the whole server: 501.
    pub fn enable_incoming_hooks(&self, is_enabled: bool) {
        self.core
            .change(|model| model.incoming.is_disabled = !is_enabled);
    }
}
