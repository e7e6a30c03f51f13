//! The web page at `/`: a channel as a chat client shows it, with live updates and a composer.
//!
//! Its requests are no part of the fake's API: they meet no fault and no rate limit and stand in no log.

use super::command;
use super::core::Core;
use super::gostyle::json_encode;
use super::panel::{ActionOutcome, Effect};
use super::posting::{self, Draft};
use super::server::Reply;
use axum::body::Bytes;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

mod view;

/// How long a page waits for news before it asks again.
const NEWS_WITHIN: Duration = Duration::from_secs(20);
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The answer to a request of the page; `None`: it is none.
pub(crate) async fn answer(core: &Arc<Core>, head: &Parts, body: &Bytes) -> Option<Reply> {
    let reply = match (head.method.clone(), head.uri.path()) {
        (Method::GET, "/") => page(core, head.uri.query().unwrap_or_default()),
        (Method::GET, "/demo/chat.css") => file(
            "text/css; charset=utf-8",
            include_str!("../../assets/chat.css"),
        ),
        (Method::GET, "/demo/chat.js") => file(
            "text/javascript; charset=utf-8",
            include_str!("../../assets/chat.js"),
        ),
        (Method::GET, "/demo/state") => state(core, head.uri.query().unwrap_or_default()).await,
        (Method::POST, "/demo/send") => post(head, send(core, body)).await,
        (Method::POST, "/demo/action") => post(head, act(core, body)).await,
        _ => return None,
    };
    Some(reply)
}

/// Carries out a write; the JSON content type keeps foreign pages' forms out.
async fn post(head: &Parts, work: impl Future<Output = Result<Value, String>>) -> Reply {
    if head
        .headers
        .get(CONTENT_TYPE)
        .is_none_or(|value| value != "application/json")
    {
        return Reply::json(415, &json!({"error": "send JSON"}));
    }
    match work.await {
        Ok(value) => Reply::json(200, &value),
        Err(error) => Reply::json(400, &json!({"error": error})),
    }
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct RequestPurpose {
    user: String,
    channel: String,
    after: u64,
}

impl Default for RequestPurpose {
    fn default() -> Self {
        Self {
            user: "alice".to_owned(),
            channel: "weekly".to_owned(),
            after: 0,
        }
    }
}

async fn state(core: &Arc<Core>, query: &str) -> Reply {
    let purpose: RequestPurpose = serde_urlencoded::from_str(query).unwrap_or_default();
    let mut version = core.version();
    let news = version.wait_for(|version| *version > purpose.after);
    let _ = tokio::time::timeout(NEWS_WITHIN, news).await;
    match drawn(core, &purpose) {
        Some(state) => Reply::json(200, &state),
        None => Reply::json(404, &json!({"error": "no such user or channel"})),
    }
}

/// The page with the state in it, so that its first picture is complete.
fn page(core: &Core, query: &str) -> Reply {
    let purpose: RequestPurpose = serde_urlencoded::from_str(query).unwrap_or_default();
    let state = drawn(core, &purpose).unwrap_or_default();
    // Escaped, so that no text of a post can end the script element.
    let html = include_str!("../../assets/chat.html").replace("{{state}}", &json_encode(&state));
    let mut reply = Reply::new(200, "text/html; charset=utf-8", html);
    reply
        .headers
        .push(("Content-Security-Policy".to_owned(), POLICY.to_owned()));
    reply
        .headers
        .push(("Cache-Control".to_owned(), "no-store".to_owned()));
    reply
}

fn drawn(core: &Core, purpose: &RequestPurpose) -> Option<Value> {
    // The version first: what changes while the view is drawn is news then.
    let version = *core.version().borrow();
    let shows_names = core.options.username_override;
    let view =
        core.read(|model| view::channel(model, &purpose.user, &purpose.channel, shows_names))?;
    Some(json!({"version": version, "view": view, "panel": view::panel(&core.panel())}))
}

#[derive(Debug, Deserialize)]
struct Typed {
    user: String,
    channel: String,
    text: String,
    #[serde(default)]
    root_id: String,
}

/// Does what the client does with a typed line: a command if it begins with a slash, else a post.
async fn send(core: &Arc<Core>, body: &[u8]) -> Result<Value, String> {
    let typed: Typed = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let found = core.read(|model| {
        Some((
            model.user(&typed.user)?.clone(),
            model.channel(&typed.channel)?.clone(),
        ))
    });
    let (user, channel) = found.ok_or("no such user or channel")?;
    if !channel.members.contains_key(&user.id) {
        return Err("You are not in this channel.".to_owned());
    }
    if typed.text.starts_with('/') {
        let answer = command::execute(core, &user, &channel, &typed.text, &typed.root_id).await;
        if answer.status != 200 {
            return Err(answer.error_text);
        }
        return Ok(json!({"goto": answer.goto_location}));
    }
    let draft = Draft {
        user_id: user.id,
        channel_id: channel.id,
        root_id: typed.root_id,
        message: typed.text,
        fires_hooks: true,
        ..Draft::default()
    };
    let made = posting::create(core, draft)
        .await
        .map_err(|error| error.message)?;
    Ok(json!({"id": made.post.id}))
}

#[derive(Debug, Deserialize)]
struct Press {
    index: usize,
    label: String,
}

/// Runs a button of the panel; the label guards against a panel that has changed meanwhile.
async fn act(core: &Arc<Core>, body: &[u8]) -> Result<Value, String> {
    let press: Press = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let panel = core.panel();
    let action = panel
        .actions
        .get(press.index)
        .filter(|action| action.label == press.label);
    let Some(Effect::Call(call)) = action.map(|action| &action.effect) else {
        return Err("This button is no longer there.".to_owned());
    };
    match call().await {
        Ok(ActionOutcome::Told(text)) => Ok(json!({"told": text})),
        Ok(ActionOutcome::Opened(url)) => Ok(json!({"goto": url})),
        Err(error) => Err(format!("{error:#}")),
    }
}

fn file(content_type: &'static str, text: &'static str) -> Reply {
    let mut reply = Reply::new(200, content_type, text);
    reply
        .headers
        .push(("Cache-Control".to_owned(), "no-cache".to_owned()));
    reply
}
