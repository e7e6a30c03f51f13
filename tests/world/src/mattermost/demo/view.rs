//! One channel as the page draws it.

use super::super::markdown;
use super::super::model::{Channel, ChannelKind, Ephemeral, Model, Post, User};
use super::super::panel::{DemoPanel, Effect};
use serde_json::{Value, json};

/// More root posts than this are not drawn; older ones are left out.
const ROOTS_MAX: usize = 200;

/// Everything the page needs for `channel` as `user` sees it; `None`: no such user, or not to be seen.
pub(super) fn channel(
    model: &Model,
    user: &str,
    channel: &str,
    shows_names: bool,
) -> Option<Value> {
    let me = model.user(user)?;
    let channel = model
        .channel(channel)
        .filter(|channel| channel.members.contains_key(&me.id))?;
    let mut roots: Vec<(i64, Value)> = model
        .all_posts(&channel.id)
        .iter()
        .filter(|post| !post.is_deleted() && post.root_id.is_empty())
        .map(|post| (post.create_at, root(model, me, post, shows_names)))
        .collect();
    let shown = model.ephemerals(&me.id);
    let here = shown
        .iter()
        .filter(|one| one.channel_id == channel.id && one.root_id.is_empty());
    roots.extend(here.map(|one| (one.at, ephemeral(me, one, shows_names))));
    roots.sort_by_key(|(at, _)| *at);
    let skipped = roots.len().saturating_sub(ROOTS_MAX);
    let posts: Vec<Value> = roots
        .into_iter()
        .skip(skipped)
        .map(|(_, post)| post)
        .collect();
    let team = model.team_of(channel).or_else(|| model.teams.first());
    Some(json!({
        "team": team.map(|team| team.display_name.clone()),
        "me": person(me),
        "people": people(model),
        "channels": channels(model, me),
        "channel": {
            "name": channel.name, "label": label(model, me, channel), "kind": channel.kind.letter(),
            "members": channel.members.len(), "is_archived": channel.is_archived(),
        },
        "posts": posts,
    }))
}

/// The box beside the chat; actions are known by their place and label.
pub(super) fn panel(panel: &DemoPanel) -> Value {
    let actions: Vec<Value> = panel
        .actions
        .iter()
        .map(|action| match &action.effect {
            Effect::Link(url) => {
                json!({"label": action.label, "is_danger": action.is_danger, "url": url})
            }
            Effect::Call(_) => json!({"label": action.label, "is_danger": action.is_danger}),
        })
        .collect();
    json!({"title": panel.title, "lines": panel.lines, "actions": actions})
}

fn people(model: &Model) -> Vec<Value> {
    let mut people: Vec<&User> = model
        .users
        .values()
        .filter(|user| !user.is_bot && !user.is_disabled())
        .collect();
    people.sort_by(|a, b| a.username.cmp(&b.username));
    people.into_iter().map(person).collect()
}

fn channels(model: &Model, me: &User) -> Vec<Value> {
    let mut mine: Vec<(u8, String, Value)> = model
        .channels
        .values()
        .filter(|channel| channel.members.contains_key(&me.id) && !channel.is_archived())
        .map(|channel| {
            let label = label(model, me, channel);
            let value = json!({
                "name": channel.name, "label": label, "kind": channel.kind.letter(),
                "last_post_at": channel.last_post_at,
            });
            (
                u8::from(channel.kind.is_closed()),
                label.to_lowercase(),
                value,
            )
        })
        .collect();
    mine.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    mine.into_iter().map(|(_, _, value)| value).collect()
}

fn label(model: &Model, me: &User, channel: &Channel) -> String {
    if !channel.kind.is_closed() {
        return channel.display_name.clone();
    }
    if channel.kind == ChannelKind::Group {
        let others = channel.members.keys().filter(|id| **id != me.id);
        let mut names: Vec<&str> = others
            .filter_map(|id| model.users.get(id))
            .map(|user| user.username.as_str())
            .collect();
        names.sort_unstable();
        return names.join(", ");
    }
    let other = channel
        .members
        .keys()
        .find(|id| **id != me.id)
        .unwrap_or(&me.id);
    model
        .users
        .get(other)
        .map(|user| user.username.clone())
        .unwrap_or_default()
}

fn root(model: &Model, me: &User, post: &Post, shows_names: bool) -> Value {
    let mut drawn = drawn(model, post, shows_names);
    let mut replies: Vec<(i64, Value)> = model
        .thread(&post.id)
        .iter()
        .skip(1)
        .map(|reply| (reply.create_at, self::drawn(model, reply, shows_names)))
        .collect();
    drawn["reply_count"] = json!(replies.len());
    let shown = model.ephemerals(&me.id);
    let here = shown.iter().filter(|one| one.root_id == post.id);
    replies.extend(here.map(|one| (one.at, ephemeral(me, one, shows_names))));
    replies.sort_by_key(|(at, _)| *at);
    drawn["replies"] = replies.into_iter().map(|(_, reply)| reply).collect();
    drawn
}

fn drawn(model: &Model, post: &Post, shows_names: bool) -> Value {
    let user = model.users.get(&post.user_id);
    let is_hook = post.prop("from_webhook") == Some("true");
    let mut name = user.map(|user| user.username.clone()).unwrap_or_default();
    if let Some(other) = post
        .prop("override_username")
        .filter(|_| shows_names && is_hook)
    {
        name = other.to_owned();
    }
    json!({
        "id": post.id, "at": post.create_at,
        "author": if post.is_system() { "System" } else { &name },
        "is_bot": is_hook || user.is_some_and(|user| user.is_bot),
        "face": if post.is_system() { "system" } else if user.is_some_and(|user| user.is_bot) { "bot" } else { "" },
        "is_system": post.is_system(), "is_edited": post.is_edited(), "only_you": false,
        "html": markdown::render(&post.message),
        "attachments": post.attachments().iter().map(attachment).collect::<Vec<_>>(),
        "replies": [], "reply_count": 0,
    })
}

/// Shown under the caller's own name with BOT, unless names of integrations are switched on.
fn ephemeral(me: &User, shown: &Ephemeral, shows_names: bool) -> Value {
    let is_named = shows_names && !shown.username.is_empty();
    json!({
        "id": format!("ephemeral-{}", shown.at), "at": shown.at,
        "author": if is_named { &shown.username } else { &me.username },
        "is_bot": true, "face": "", "is_system": false, "is_edited": false, "only_you": true,
        "html": markdown::render(&shown.text),
        "attachments": shown.attachments.iter().map(attachment).collect::<Vec<_>>(),
        "replies": [], "reply_count": 0,
    })
}

fn attachment(attachment: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let html = |value: &Value| markdown::render(value.as_str().unwrap_or_default());
    let fields: Vec<Value> = attachment["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| {
            json!({"title": text(&field["title"]), "html": html(&field["value"]), "is_short": field["short"] == true})
        })
        .collect();
    let color = match attachment["color"].as_str().unwrap_or_default() {
        "good" => "#339970",
        "warning" => "#cc8f00",
        "danger" => "#d24b4e",
        other => other,
    };
    json!({
        "color": color, "pretext": html(&attachment["pretext"]), "author": text(&attachment["author_name"]),
        "title": text(&attachment["title"]), "link": text(&attachment["title_link"]),
        "html": html(&attachment["text"]), "fields": fields, "footer": text(&attachment["footer"]),
    })
}

fn person(user: &User) -> Value {
    json!({"username": user.username, "display_name": user.display_name()})
}
