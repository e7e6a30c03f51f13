//! Making, changing and deleting posts: the rules that hold whoever asks (src/mattermost/README.md, "Posts").

use super::core::Core;
use super::error::AppError;
use super::model::{Model, Pending, Post};
use super::{attachment, outgoing};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Longest message in characters (runes).
pub(crate) const MESSAGE_MAX: usize = 16_383;
/// How long a pending_post_id is remembered after its post was saved, in milliseconds.
const PENDING_MS: i64 = 30_000;

/// A post that somebody wants to make.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) user_id: String,
    pub(crate) channel_id: String,
    pub(crate) root_id: String,
    pub(crate) message: String,
    pub(crate) props: Map<String, Value>,
    pub(crate) pending_post_id: String,
    /// Outgoing webhooks see it.
    pub(crate) fires_hooks: bool,
}

/// A made post, or the one that the same pending_post_id made before.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) post: Post,
    pub(crate) is_repeated: bool,
}

/// Makes a post. The caller has checked that the author may write in the channel.
pub(crate) async fn create(core: &Arc<Core>, draft: Draft) -> Result<Made, AppError> {
    let key = draft.pending_post_id.clone();
    let now = core.clock.now_ms();
    let earlier = core.change(|model| {
        refuse_archived(
            model,
            &draft.channel_id,
            "api.post.create_post.can_not_post_to_deleted.error",
            "Can not post to deleted channel.",
        )?;
        claim(model, &key, now)
    })?;
    if let Some(post) = earlier {
        return Ok(Made {
            post,
            is_repeated: true,
        });
    }
    let saving_takes = core.saving_takes();
    if !saving_takes.is_zero() {
        tokio::time::sleep(saving_takes).await;
    }
    let fires_hooks = draft.fires_hooks;
    let made = core.change(|model| {
        let made = save(model, draft, core);
        // A failed create forgets its key, a saved one is remembered from now on.
        if !key.is_empty() {
            model.pending.remove(&key);
            if let Ok(post) = &made {
                let until = core.clock.now_ms() + PENDING_MS;
                model.pending.insert(
                    key,
                    Pending::Saved {
                        post_id: post.id.clone(),
                        until,
                    },
                );
            }
        }
        made
    });
    let post = made?;
    if fires_hooks {
        outgoing::fire(core, &post);
    }
    Ok(Made {
        post,
        is_repeated: false,
    })
}

/// Parts of a post that a patch sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patch {
    pub(crate) message: Option<String>,
    pub(crate) props: Option<Map<String, Value>>,
    pub(crate) is_pinned: Option<bool>,
}

/// Changes a post of `user_id`.
pub(crate) fn patch(
    core: &Core,
    user_id: &str,
    post_id: &str,
    patch: Patch,
) -> Result<Post, AppError> {
    let now = core.clock.now_ms();
    core.change(|model| {
        let old = model.post(post_id).filter(|post| !post.is_deleted()).cloned();
        let old = old.ok_or_else(AppError::permissions)?;
        let is_member = model.channels.get(&old.channel_id).is_some_and(|c| c.members.contains_key(user_id));
        if !model.is_admin(user_id) && (!is_member || old.user_id != user_id) {
            return Err(AppError::permissions());
        }
        refuse_archived(model, &old.channel_id, "api.post.patch_post.can_not_update_post_in_deleted.error", "Can not update a post in a deleted channel.")?;
        let mut new = old.clone();
        if let Some(message) = patch.message {
            check_message(core, &message, "app.post.update.app_error", "Unable to update the Post.")?;
            new.message = message;
        }
        if let Some(props) = patch.props {
            check_props(&props, "app.post.update.app_error", "Unable to update the Post.")?;
            new.props = normalise(props, core);
        }
        new.is_pinned = patch.is_pinned.unwrap_or(new.is_pinned);
        let limit = core.options.edit_time_limit;
        let is_late = limit.is_some_and(|limit| i128::from(now - old.create_at) > limit.as_millis().cast_signed());
        if is_late && new.message != old.message {
            let seconds = limit.unwrap_or_default().as_secs();
            return Err(AppError::new(
                400,
                "api.post.update_post.permissions_time_limit.app_error",
                format!("Post edit is only allowed for {seconds} seconds. Please ask your System Administrator for details."),
            ));
        }
        new.update_at = now.max(old.update_at + 1);
        if new.message != old.message || new.attachments() != old.attachments() {
            new.edit_at = new.update_at;
        }
        model.posts.insert(new.id.clone(), new.clone());
        Ok(new)
    })
}

/// Deletes a post of `user_id` and, if it is a root, its replies.
pub(crate) fn delete(core: &Core, user_id: &str, post_id: &str) -> Result<(), AppError> {
    let now = core.clock.now_ms();
    core.change(|model| {
        let post = model
            .post(post_id)
            .filter(|post| !post.is_deleted())
            .cloned();
        let post = post.ok_or_else(AppError::permissions)?;
        let role = model
            .channels
            .get(&post.channel_id)
            .and_then(|c| c.members.get(user_id))
            .copied();
        let is_allowed = role.is_some() && (post.user_id == user_id || role == Some(true));
        if !is_allowed && !model.is_admin(user_id) {
            return Err(AppError::permissions());
        }
        let mut gone = model.replies.get(post_id).cloned().unwrap_or_default();
        gone.push(post.id);
        for id in gone {
            if let Some(post) = model.posts.get_mut(&id).filter(|post| !post.is_deleted()) {
                post.delete_at = now;
                post.update_at = now.max(post.update_at + 1);
                post.props.insert("deleteBy".to_owned(), user_id.into());
            }
        }
        Ok(())
    })
}

/// Looks the key up and claims it; a post comes back if the key has made one in the last 30 s.
fn claim(model: &mut Model, key: &str, now: i64) -> Result<Option<Post>, AppError> {
    if key.is_empty() {
        return Ok(None);
    }
    match model.pending.get(key) {
        Some(Pending::InFlight) => Err(AppError::new(
            500,
            "api.post.deduplicate_create_post.pending",
            "Rejected post since another client is making the same request.",
        )),
        Some(Pending::Saved { post_id, until }) if now < *until => {
            Ok(model.posts.get(post_id).cloned())
        }
        _ => {
            model.pending.insert(key.to_owned(), Pending::InFlight);
            Ok(None)
        }
    }
}

fn save(model: &mut Model, draft: Draft, core: &Core) -> Result<Post, AppError> {
    check_root(model, &draft)?;
    check_message(
        core,
        &draft.message,
        "app.post.save.app_error",
        "Unable to save the Post.",
    )?;
    check_props(
        &draft.props,
        "app.post.save.app_error",
        "Unable to save the Post.",
    )?;
    let mut post = Post::new(
        &draft.channel_id,
        &draft.user_id,
        &draft.message,
        core.clock.now_ms(),
    );
    post.root_id = draft.root_id;
    post.props = normalise(draft.props, core);
    if model
        .users
        .get(&post.user_id)
        .is_some_and(|user| user.is_bot)
    {
        post.props.insert("from_bot".to_owned(), "true".into());
    }
    if let Some(root) = model.posts.get_mut(&post.root_id) {
        root.update_at = post.create_at.max(root.update_at);
    }
    model.store_post(post.clone());
    Ok(post)
}

fn check_root(model: &Model, draft: &Draft) -> Result<(), AppError> {
    if draft.root_id.is_empty() {
        return Ok(());
    }
    let invalid = || {
        AppError::new(
            400,
            "api.post.create_post.root_id.app_error",
            "Invalid RootId parameter.",
        )
    };
    let root = model
        .post(&draft.root_id)
        .filter(|root| !root.is_deleted())
        .ok_or_else(invalid)?;
    if root.channel_id != draft.channel_id {
        return Err(AppError::new(
            400,
            "api.post.create_post.channel_root_id.app_error",
            "Invalid ChannelId for RootId parameter.",
        ));
    }
    if root.root_id.is_empty() {
        Ok(())
    } else {
        Err(invalid())
    }
}

fn check_message(
    core: &Core,
    message: &str,
    nul_id: &'static str,
    nul_text: &str,
) -> Result<(), AppError> {
    if message.chars().count() > core.options.post_chars_max {
        return Err(AppError::new(
            400,
            "model.post.is_valid.message_length.app_error",
            "Post Message property is longer than the maximum permitted length.",
        ));
    }
    if message.contains('\0') {
        return Err(AppError::new(500, nul_id, nul_text));
    }
    Ok(())
}

/// PostgreSQL refuses U+0000 in JSON as well.
fn check_props(props: &Map<String, Value>, id: &'static str, text: &str) -> Result<(), AppError> {
    fn has_nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(list) => list.iter().any(has_nul),
            Value::Object(map) => map
                .iter()
                .any(|(key, value)| key.contains('\0') || has_nul(value)),
            _ => false,
        }
    }
    if props.values().any(has_nul) {
        Err(AppError::new(500, id, text))
    } else {
        Ok(())
    }
}

fn refuse_archived(
    model: &Model,
    channel_id: &str,
    id: &'static str,
    text: &str,
) -> Result<(), AppError> {
    let channel = model
        .channels
        .get(channel_id)
        .ok_or_else(AppError::permissions)?;
    if channel.is_archived() {
        Err(AppError::new(400, id, text))
    } else {
        Ok(())
    }
}

fn normalise(mut props: Map<String, Value>, core: &Core) -> Map<String, Value> {
    if let Some(attachments) = props.get("attachments") {
        let stored = attachment::normalise(attachments, &core.unexpected);
        props.insert("attachments".to_owned(), stored);
    }
    props
}
