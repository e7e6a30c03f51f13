//! Channels, memberships and the posts in them.

use super::super::core::Core;
use super::super::error::AppError;
use super::super::model::{Channel, ChannelKind, Model, Post};
use super::super::server::Reply;
use super::{id_param, json_body, text};
use crate::mattermost::attachment::note_unknown;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Most posts that a `since` query gives.
const SINCE_MAX: usize = 1000;
/// Most posts of one page.
const PAGE_MAX: usize = 200;
const PAGE_DEFAULT: usize = 60;

pub(super) fn get(core: &Core, me: &str, id: &str) -> Result<Reply, AppError> {
    let id = id_param(id, "channel_id")?;
    core.read(|model| {
        let channel = model.channels.get(id).ok_or_else(AppError::no_channel)?;
        if !model.may_read(me, channel) {
            return Err(AppError::permissions());
        }
        Ok(Reply::json(200, &channel.wire()))
    })
}

/// The channels of a team that I am in, and every direct and group message, but no archived one; none is a 404
/// (`SqlChannelStore.GetChannels`).
pub(super) fn mine(core: &Core, me: &str, team_id: &str, query: &str) -> Result<Reply, AppError> {
    let team_id = id_param(team_id, "team_id")?;
    if !query.is_empty() {
        core.unexpected
            .note(format!("GET channels of a user with {query}: not modelled"));
    }
    core.read(|model| {
        let team = model.teams.iter().find(|team| team.id == team_id);
        if !team.is_some_and(|team| team.members.contains(me)) {
            return Err(AppError::permissions());
        }
        let mut mine: Vec<&Channel> = model
            .channels
            .values()
            .filter(|channel| channel.kind.is_closed() || channel.team_id == team_id)
            .filter(|channel| channel.members.contains_key(me) && !channel.is_archived())
            .collect();
        if mine.is_empty() {
            return Err(AppError::new(
                404,
                "app.channel.get_channels.not_found.app_error",
                "No channels were found.",
            ));
        }
        mine.sort_by(|a, b| a.display_name.cmp(&b.display_name));
        let channels: Vec<Value> = mine.into_iter().map(Channel::wire).collect();
        Ok(Reply::json(200, &json!(channels)))
    })
}

/// Only members may ask for members, in public channels too (recorded: channel-member-bot-outside-403).
pub(super) fn member(core: &Core, me: &str, id: &str, user: &str) -> Result<Reply, AppError> {
    let id = id_param(id, "channel_id")?;
    let user = if user == "me" {
        me
    } else {
        id_param(user, "user_id")?
    };
    core.read(|model| {
        let channel = model.channels.get(id).ok_or_else(AppError::permissions)?;
        if !channel.members.contains_key(me) && !model.is_admin(me) {
            return Err(AppError::permissions());
        }
        let member = channel.member_wire(user).ok_or_else(|| {
            AppError::new(
                404,
                "app.channel.get_member.missing.app_error",
                "No channel member found for that user ID and channel ID.",
            )
        })?;
        Ok(Reply::json(200, &member))
    })
}

pub(super) fn add_member(
    core: &Core,
    me: &str,
    id: &str,
    body: &Map<String, Value>,
) -> Result<Reply, AppError> {
    note_unknown(
        body,
        &["user_id", "post_root_id"],
        "channel member",
        &core.unexpected,
    );
    let id = id_param(id, "channel_id")?;
    let user_id = text(body, "user_id", "user_id")?.to_owned();
    let now = core.clock.now_ms();
    core.change(|model| {
        let channel = model.channels.get(id).ok_or_else(AppError::no_channel)?;
        if channel.kind.is_closed() {
            return Err(AppError::new(
                400,
                "api.channel.add_user_to_channel.type.app_error",
                "Can not add user to this channel type.",
            ));
        }
        model.users.get(&user_id).ok_or_else(AppError::no_user)?;
        may_add(model, channel, me, &user_id)?;
        join(model, id, &user_id, now);
        let member = model
            .channels
            .get(id)
            .and_then(|channel| channel.member_wire(&user_id));
        Ok(Reply::json(201, &member.unwrap_or_default()))
    })
}

/// Makes the user a member and says so in the channel, as the server does.
pub(crate) fn join(model: &mut Model, channel_id: &str, user_id: &str, now: i64) {
    let name = model
        .users
        .get(user_id)
        .map(|user| user.username.clone())
        .unwrap_or_default();
    let Some(channel) = model.channels.get_mut(channel_id) else {
        return;
    };
    if channel.members.contains_key(user_id) {
        return;
    }
    channel.members.insert(user_id.to_owned(), false);
    if !channel.kind.is_closed() {
        let mut post = Post::new(
            channel_id,
            user_id,
            &format!("{name} joined the channel."),
            now,
        );
        post.kind = "system_join_channel".to_owned();
        post.props.insert("username".to_owned(), name.into());
        model.store_post(post);
    }
}

fn may_add(model: &Model, channel: &Channel, me: &str, user_id: &str) -> Result<(), AppError> {
    let in_team = |id: &str| {
        model
            .team_of(channel)
            .is_some_and(|team| team.members.contains(id))
    };
    if !in_team(user_id) {
        return Err(AppError::new(
            404,
            "app.team.get_member.missing.app_error",
            "No team member found for that user ID and team ID.",
        ));
    }
    let is_member = channel.members.contains_key(me);
    let is_allowed = match channel.kind {
        ChannelKind::Public => is_member || me == user_id,
        _ => is_member,
    };
    if is_allowed || model.is_admin(me) {
        Ok(())
    } else {
        Err(AppError::permissions())
    }
}

pub(super) fn direct(core: &Core, me: &str, head: &Parts, body: &[u8]) -> Result<Reply, AppError> {
    let ids: Vec<String> = serde_json::from_value(json_body(core, head, body, "user_ids")?)
        .map_err(|_| AppError::invalid_body("user_ids"))?;
    let [one, other] = ids.as_slice() else {
        return Err(AppError::invalid_body("user_ids"));
    };
    let now = core.clock.now_ms();
    core.change(|model| {
        if one != me && other != me && !model.is_admin(me) {
            return Err(AppError::permissions());
        }
        if !model.users.contains_key(one) || !model.users.contains_key(other) {
            return Err(AppError::no_user());
        }
        let (creator, other) = if other == me {
            (other, one)
        } else {
            (one, other)
        };
        let id = model.direct_channel(creator, other, now);
        Ok(Reply::json(
            201,
            &model
                .channels
                .get(&id)
                .map(Channel::wire)
                .unwrap_or_default(),
        ))
    })
}

pub(super) fn posts(core: &Core, me: &str, id: &str, query: &str) -> Result<Reply, AppError> {
    let id = id_param(id, "channel_id")?;
    let query: HashMap<String, String> = serde_urlencoded::from_str(query).unwrap_or_default();
    for key in query
        .keys()
        .filter(|key| !["since", "page", "per_page"].contains(&key.as_str()))
    {
        core.unexpected
            .note(format!("GET channel posts with {key}: not modelled"));
    }
    let number = |key: &str| query.get(key).map(|text| text.parse::<i64>());
    let since = match number("since") {
        Some(Ok(since)) => Some(since),
        Some(Err(_)) => return Err(AppError::invalid_url("since")),
        None => None,
    };
    let page = usize::try_from(number("page").and_then(Result::ok).unwrap_or(0)).unwrap_or(0);
    let per_page =
        usize::try_from(number("per_page").and_then(Result::ok).unwrap_or(0)).unwrap_or(0);
    let per_page = if per_page == 0 {
        PAGE_DEFAULT
    } else {
        per_page.min(PAGE_MAX)
    };
    core.read(|model| {
        let channel = model.channels.get(id).ok_or_else(AppError::permissions)?;
        if !model.may_read(me, channel) {
            return Err(AppError::permissions());
        }
        let all = model.order.get(id).map(Vec::as_slice).unwrap_or_default();
        let newest_first = all.iter().rev().filter_map(|id| model.posts.get(id));
        // since compares update_at, so it gives older posts that were edited, and deleted ones too.
        let (listed, previous): (Vec<&Post>, &str) = match since {
            Some(since) => (
                newest_first
                    .filter(|post| post.update_at > since)
                    .take(SINCE_MAX)
                    .collect(),
                "",
            ),
            None => {
                let mut rest = newest_first
                    .filter(|post| !post.is_deleted())
                    .skip(page * per_page);
                let listed = rest.by_ref().take(per_page).collect();
                (listed, rest.next().map_or("", |post| post.id.as_str()))
            }
        };
        Ok(Reply::json(200, &list(model, &listed, previous)))
    })
}

/// A post list; the roots of listed replies are in `posts` too, but not in `order`.
pub(super) fn list(model: &Model, listed: &[&Post], previous: &str) -> Value {
    let roots = listed
        .iter()
        .filter_map(|post| model.posts.get(&post.root_id));
    let posts: Map<String, Value> = roots
        .chain(listed.iter().copied())
        .map(|post| (post.id.clone(), post.wire(model.reply_count(post), "")))
        .collect();
    let order: Vec<&str> = listed.iter().map(|post| post.id.as_str()).collect();
    json!({
        "order": order, "posts": posts, "next_post_id": "", "prev_post_id": previous,
        "first_inaccessible_post_time": 0,
    })
}
