//! Outgoing webhooks: which posts fire them, what is sent, what becomes of the answer
//! (src/mattermost/README.md, "Outgoing webhooks" and "Which posts fire").

use super::core::Core;
use super::error::AppError;
use super::gostyle::{form_encode, json_encode};
use super::integration::{self, Inbound, Outbound};
use super::journal::Delivery;
use super::model::{ChannelKind, Model, OutgoingHook, Post, TriggerWhen};
use super::posting::{self, Draft, MESSAGE_MAX};
use super::server::Reply;
use super::slack;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The twelve fields in the order of the JSON form; none is ever left out.
#[derive(Clone, Debug, Serialize)]
struct Payload {
    token: String,
    team_id: String,
    team_domain: String,
    channel_id: String,
    channel_name: String,
    /// Milliseconds here, seconds in the form.
    timestamp: i64,
    user_id: String,
    user_name: String,
    post_id: String,
    text: String,
    trigger_word: String,
    file_ids: String,
}

/// Sends `post` to every hook that it fires, in the background: one attempt each, one after another.
pub(crate) fn fire(core: &Arc<Core>, post: &Post) {
    if core.loses_outgoing.load(Ordering::SeqCst) {
        return;
    }
    let calls = core.read(|model| matching(model, post));
    if calls.is_empty() {
        return;
    }
    let (core, post) = (Arc::clone(core), post.clone());
    tokio::spawn(async move {
        for (hook, payload) in calls {
            for url in &hook.callback_urls {
                deliver(&core, &hook, &payload, url, &post).await;
            }
        }
    });
}

/// The webhooks of a team, with their tokens, for whoever manages those of others: by default administrators.
pub(crate) fn list(core: &Core, me: &str, query: &str) -> Result<Reply, AppError> {
    let parameters: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    for name in parameters.keys() {
        if !["team_id", "page", "per_page"].contains(&name.as_str()) {
            core.unexpected
                .note(format!("GET /hooks/outgoing with {name}: not modelled"));
        }
    }
    let team_id = parameters.get("team_id").cloned().unwrap_or_default();
    core.read(|model| {
        let is_admin = model.users.get(me).is_some_and(|user| {
            user.roles
                .split_whitespace()
                .any(|role| role == "system_admin")
        });
        if !is_admin {
            return Err(AppError::permissions());
        }
        let number = |name: &str, default: usize| {
            let given = parameters.get(name).and_then(|value| value.parse().ok());
            given.unwrap_or(default)
        };
        let (page, per_page) = (number("page", 0), number("per_page", 60).min(200));
        let hooks = model.hooks.iter().filter(|hook| hook.team_id == team_id);
        let hooks = hooks.skip(page * per_page).take(per_page);
        let wire: Vec<Value> = hooks.map(wire).collect();
        Ok(Reply::json(200, &Value::from(wire)))
    })
}

/// As recorded (outgoing-list-200).
fn wire(hook: &OutgoingHook) -> Value {
    json!({
        "id": hook.id, "token": hook.token, "create_at": 1_795_245_931_418_i64,
        "update_at": 1_795_245_931_418_i64, "delete_at": 0, "creator_id": hook.creator_id,
        "channel_id": hook.channel_id, "team_id": hook.team_id, "trigger_words": hook.trigger_words,
        "trigger_when": match hook.trigger_when { TriggerWhen::ExactMatch => 0, TriggerWhen::StartsWith => 1 },
        "callback_urls": hook.callback_urls, "display_name": "meetrelay", "description": "",
        "content_type": hook.content_type, "username": "", "icon_url": "",
    })
}

fn matching(model: &Model, post: &Post) -> Vec<(OutgoingHook, Payload)> {
    let Some(channel) = model.channels.get(&post.channel_id) else {
        return Vec::new();
    };
    if channel.kind != ChannelKind::Public || post.is_system() {
        return Vec::new();
    }
    let first_word = post.message.split_whitespace().next().unwrap_or_default();
    let mut trigger_word = String::new();
    let mut hooks = Vec::new();
    for hook in model.hooks.iter().filter(|hook| {
        hook.team_id == channel.team_id
            && (hook.channel_id.is_empty() || hook.channel_id == channel.id)
    }) {
        let word = hook
            .trigger_words
            .iter()
            .find(|word| match hook.trigger_when {
                TriggerWhen::ExactMatch => word.as_str() == first_word,
                TriggerWhen::StartsWith => {
                    !first_word.is_empty() && first_word.starts_with(word.as_str())
                }
            });
        let is_for_all = hook.trigger_words.is_empty() && !hook.channel_id.is_empty();
        if word.is_none() && !is_for_all {
            continue;
        }
        // One variable for all hooks of a post: each request carries the word of the last one.
        trigger_word = word.cloned().unwrap_or_default();
        hooks.push(hook.clone());
    }
    let team_domain = model
        .team_of(channel)
        .map(|team| team.name.clone())
        .unwrap_or_default();
    let user_name = model
        .users
        .get(&post.user_id)
        .map(|user| user.username.clone());
    let payload = Payload {
        token: String::new(),
        team_id: channel.team_id.clone(),
        team_domain,
        channel_id: channel.id.clone(),
        channel_name: channel.name.clone(),
        timestamp: post.create_at,
        user_id: post.user_id.clone(),
        user_name: user_name.unwrap_or_default(),
        post_id: post.id.clone(),
        text: post.message.clone(),
        trigger_word,
        file_ids: String::new(),
    };
    let with_token = |hook: OutgoingHook| {
        let payload = Payload {
            token: hook.token.clone(),
            ..payload.clone()
        };
        (hook, payload)
    };
    hooks.into_iter().map(with_token).collect()
}

async fn deliver(core: &Arc<Core>, hook: &OutgoingHook, payload: &Payload, url: &str, post: &Post) {
    let is_json = hook.content_type == JSON;
    let outbound = Outbound {
        is_get: false,
        url: url.to_owned(),
        content_type: Some(if is_json { JSON } else { FORM }),
        token: None,
        body: if is_json {
            json_encode(payload)
        } else {
            form(payload)
        },
    };
    let (at_ms, start) = (core.clock.now_ms(), Instant::now());
    let answer = integration::call(core, &outbound).await;
    let told = answer.as_ref().map_err(Clone::clone);
    let request_id = answer
        .as_ref()
        .ok()
        .and_then(|answer| answer.request_id.clone());
    core.journal.sent(Delivery {
        at_ms,
        kind: "outgoing",
        url: outbound.url,
        body: outbound.body,
        post_id: post.id.clone(),
        response_id: String::new(),
        answer: told.map(|answer| {
            (
                answer.status,
                String::from_utf8_lossy(&answer.body).into_owned(),
            )
        }),
        request_id,
        took: start.elapsed(),
    });
    core.touch();
    if let Ok(answer) = answer {
        post_answer(core, hook, post, &answer).await;
    }
}

fn form(payload: &Payload) -> String {
    let seconds = (payload.timestamp / 1000).to_string();
    form_encode(&[
        ("token", &payload.token),
        ("team_id", &payload.team_id),
        ("team_domain", &payload.team_domain),
        ("channel_id", &payload.channel_id),
        ("channel_name", &payload.channel_name),
        ("timestamp", &seconds),
        ("user_id", &payload.user_id),
        ("user_name", &payload.user_name),
        ("post_id", &payload.post_id),
        ("text", &payload.text),
        ("trigger_word", &payload.trigger_word),
        ("file_ids", &payload.file_ids),
    ])
}

/// What an integration may answer. The status and the content type do not matter
/// (src/mattermost/README.md, "Answers to outgoing webhooks").
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HookAnswer {
    text: Option<String>,
    username: Option<String>,
    icon_url: Option<String>,
    props: Option<Map<String, Value>>,
    attachments: Option<Vec<Value>>,
    response_type: Option<String>,
}

/// Posts an answer as the hook's creator. Such posts fire no hooks.
async fn post_answer(core: &Arc<Core>, hook: &OutgoingHook, post: &Post, answer: &Inbound) {
    // The first JSON value counts, whatever follows it; anything else is one line in the server's log.
    let mut values = serde_json::Deserializer::from_slice(&answer.body).into_iter::<HookAnswer>();
    let Some(Ok(answer)) = values.next() else {
        return;
    };
    let attachments = answer.attachments.unwrap_or_default();
    if answer.text.is_none() && attachments.is_empty() {
        return;
    }
    let text = slack::rewrite(&answer.text.unwrap_or_default(), |id| username(core, id));
    let mut props = answer.props.unwrap_or_default();
    props.insert("from_webhook".to_owned(), "true".into());
    props.insert("webhook_display_name".to_owned(), "".into());
    if core.options.username_override {
        let name = answer.username.filter(|name| !name.is_empty());
        props.insert(
            "override_username".to_owned(),
            name.unwrap_or("webhook".to_owned()).into(),
        );
        if let Some(icon) = answer.icon_url.filter(|icon| !icon.is_empty()) {
            props.insert("override_icon_url".to_owned(), icon.into());
        }
    }
    let is_reply = answer.response_type.as_deref() == Some("comment");
    let parts = slack::split(&text, MESSAGE_MAX);
    let last = parts.len() - 1;
    for (index, message) in parts.into_iter().enumerate() {
        let mut props = props.clone();
        if index == last && !attachments.is_empty() {
            props.insert("attachments".to_owned(), attachments.clone().into());
        }
        let draft = Draft {
            user_id: hook.creator_id.clone(),
            channel_id: post.channel_id.clone(),
            // A reply to a reply is refused and the answer lost, as on the real server.
            root_id: if is_reply {
                post.id.clone()
            } else {
                String::new()
            },
            message,
            props,
            ..Draft::default()
        };
        if let Err(error) = posting::create(core, draft).await {
            tracing::debug!(id = error.id, "answer of an outgoing webhook is lost");
            return;
        }
    }
}

fn username(core: &Core, id: &str) -> Option<String> {
    core.read(|model| model.users.get(id).map(|user| user.username.clone()))
}
