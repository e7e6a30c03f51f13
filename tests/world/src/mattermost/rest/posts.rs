//! Posts over REST: permissions and fields; the rules themselves are in `posting`.

use super::super::core::Core;
use super::super::error::AppError;
use super::super::id::new_id;
use super::super::model::{Channel, Ephemeral, Model, Post};
use super::super::posting::{self, Draft, Patch};
use super::super::server::Reply;
use super::{channels, id_param, text};
use crate::mattermost::attachment::note_unknown;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Props that the server sets itself; a careful client leaves them alone.
const RESERVED: [&str; 6] = [
    "from_webhook",
    "override_username",
    "override_icon_url",
    "override_icon_emoji",
    "webhook_display_name",
    "from_bot",
];

pub(super) fn get(core: &Core, me: &str, id: &str) -> Result<Reply, AppError> {
    let id = id_param(id, "post_id")?;
    core.read(|model| {
        let post = readable(model, me, id)?;
        Ok(Reply::json(200, &post.wire(model.reply_count(post), "")))
    })
}

pub(super) fn thread(core: &Core, me: &str, id: &str) -> Result<Reply, AppError> {
    let id = id_param(id, "post_id")?;
    core.read(|model| {
        let post = readable(model, me, id)?;
        let root = if post.root_id.is_empty() {
            &post.id
        } else {
            &post.root_id
        };
        let thread = model.thread(root);
        let mut body = channels::list(model, &thread.iter().collect::<Vec<_>>(), "");
        body["has_next"] = json!(false);
        Ok(Reply::json(200, &body))
    })
}

pub(super) async fn create(
    core: &Arc<Core>,
    me: &str,
    body: Map<String, Value>,
) -> Result<Reply, AppError> {
    note_unknown(
        &body,
        &[
            "channel_id",
            "message",
            "root_id",
            "props",
            "file_ids",
            "pending_post_id",
        ],
        "post",
        &core.unexpected,
    );
    let props = props(core, &body)?.unwrap_or_default();
    let draft = Draft {
        user_id: me.to_owned(),
        channel_id: text(&body, "channel_id", "post")?.to_owned(),
        root_id: text(&body, "root_id", "post")?.to_owned(),
        message: text(&body, "message", "post")?.to_owned(),
        props,
        pending_post_id: text(&body, "pending_post_id", "post")?.to_owned(),
        fires_hooks: true,
    };
    let may_post = core.read(|model| {
        let channel = model.channels.get(&draft.channel_id);
        let may_post = |channel: &Channel| match channel.members.get(me) {
            Some(is_admin) => *is_admin || !channel.is_read_only,
            None => false,
        };
        channel.is_some_and(|channel| may_post(channel) || model.is_admin(me))
    });
    if !may_post {
        return Err(AppError::permissions());
    }
    let pending = draft.pending_post_id.clone();
    let made = posting::create(core, draft).await?;
    // A repeated key gets the first post back, whatever it said, without the key.
    let pending = if made.is_repeated { "" } else { &pending };
    let replies = core.read(|model| model.reply_count(&made.post));
    Ok(Reply::json(201, &made.post.wire(replies, pending)))
}

/// create_post_ephemeral belongs to system admins: a bot gets 403.
pub(super) fn ephemeral(
    core: &Core,
    me: &str,
    body: &Map<String, Value>,
) -> Result<Reply, AppError> {
    note_unknown(
        body,
        &["user_id", "post"],
        "ephemeral post",
        &core.unexpected,
    );
    let user_id = text(body, "user_id", "body")?;
    let post = body
        .get("post")
        .and_then(Value::as_object)
        .ok_or_else(|| AppError::invalid_body("body"))?;
    let (channel_id, message) = (
        text(post, "channel_id", "body")?,
        text(post, "message", "body")?,
    );
    core.change(|model| {
        if !model.is_admin(me) {
            return Err(AppError::permissions());
        }
        let is_member = model
            .channels
            .get(channel_id)
            .is_some_and(|c| c.members.contains_key(user_id));
        if !is_member {
            return Err(AppError::permissions());
        }
        let at = core.clock.now_ms();
        model.ephemerals.push(Ephemeral {
            user_id: user_id.to_owned(),
            channel_id: channel_id.to_owned(),
            root_id: String::new(),
            text: message.to_owned(),
            attachments: Vec::new(),
            username: String::new(),
            at,
        });
        let mut shown = Post::new(channel_id, me, message, at);
        shown.id = new_id();
        shown.update_at = 0;
        shown.kind = "system_ephemeral".to_owned();
        Ok(Reply::json(201, &shown.wire(0, "")))
    })
}

pub(super) fn patch(
    core: &Core,
    me: &str,
    id: &str,
    body: Map<String, Value>,
) -> Result<Reply, AppError> {
    note_unknown(
        &body,
        &["message", "props", "file_ids", "is_pinned", "has_reactions"],
        "post patch",
        &core.unexpected,
    );
    let id = id_param(id, "post_id")?;
    let message = match body.get("message") {
        None | Some(Value::Null) => None,
        Some(_) => Some(text(&body, "message", "post")?.to_owned()),
    };
    let patch = Patch {
        message,
        props: props(core, &body)?,
        is_pinned: body.get("is_pinned").and_then(Value::as_bool),
    };
    let post = posting::patch(core, me, id, patch)?;
    let replies = core.read(|model| model.reply_count(&post));
    Ok(Reply::json(200, &post.wire(replies, "")))
}

pub(super) fn delete(core: &Core, me: &str, id: &str) -> Result<Reply, AppError> {
    posting::delete(core, me, id_param(id, "post_id")?)?;
    Ok(Reply::json(200, &json!({"status": "OK"})))
}

fn readable<'a>(model: &'a Model, me: &str, id: &str) -> Result<&'a Post, AppError> {
    let post = model
        .post(id)
        .filter(|post| !post.is_deleted())
        .ok_or_else(AppError::no_post)?;
    let channel = model
        .channels
        .get(&post.channel_id)
        .ok_or_else(AppError::no_post)?;
    if model.may_read(me, channel) {
        Ok(post)
    } else {
        Err(AppError::permissions())
    }
}

fn props(core: &Core, body: &Map<String, Value>) -> Result<Option<Map<String, Value>>, AppError> {
    let props = match body.get("props") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(props)) => props.clone(),
        Some(_) => return Err(AppError::invalid_body("post")),
    };
    for key in RESERVED.iter().filter(|key| props.contains_key(**key)) {
        core.unexpected
            .note(format!("props.{key} is the server's own"));
    }
    Ok(Some(props))
}
