//! Whether an answer is Mattermost's own word. A proxy, a login page or a wrong server may answer in its place with any
//! status: whatever has not Mattermost's own form is an outage of the path, never a success and never a refusal.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors;
use crate::http::{Http, HttpAnswer};
use crate::ports::ChatError;

/// The setting with the address of the REST API and of response URLs.
pub(super) const SERVER: &str = "mattermost.url";

/// Mattermost's own error body; what others say has none.
#[derive(Deserialize)]
pub(super) struct AppError {
    id: String,
    #[serde(default)]
    request_id: String,
    #[serde(rename = "status_code")]
    _status_code: u16,
}

impl AppError {
    /// The error that stands in the answer, if it is Mattermost's.
    pub(super) fn of(answer: &HttpAnswer) -> Option<Self> {
        serde_json::from_slice(&answer.body).ok()
    }

    /// The stable name of the error.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The request as the server's log names it.
    pub(super) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Whether there is nothing at the address that was called.
    pub(super) fn is_no_route(&self) -> bool {
        self.id == "api.context.404.app_error"
    }
}

/// What a call that only succeeds or fails is answered with.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    #[serde(rename = "status")]
    _status: OkWord,
}

#[derive(Deserialize)]
enum OkWord {
    OK,
}

/// Reads an answer of the REST API: a success has the shape `T`, a refusal Mattermost's error.
pub(super) fn read<T: DeserializeOwned>(http: &Http, answer: &HttpAnswer) -> Result<T, ChatError> {
    if answer.is_success() {
        let said = serde_json::from_slice(&answer.body).ok();
        return said.inspect(|_| http.peer_answered()).ok_or_else(|| {
            note_foreign(http, answer, SERVER);
            ChatError::Unreachable {
                why: format!(
                    "the answer is unreadable: HTTP {} without the expected JSON",
                    answer.status
                ),
                sent: true,
            }
        });
    }
    Err(match AppError::of(answer) {
        Some(error) => {
            http.peer_answered();
            errors::classify(answer, &error)
        }
        None => foreign(http, answer),
    })
}

/// Reads an answer of a hook: a success is `ok`, a refusal Mattermost's error, which is given with the answer.
pub(super) fn read_hook(
    http: &Http,
    answer: &HttpAnswer,
    setting: &'static str,
) -> Result<(), HookRefusal> {
    if is_ok(answer) {
        http.peer_answered();
        return Ok(());
    }
    match AppError::of(answer).filter(|_| !answer.is_success()) {
        Some(error) => {
            http.peer_answered();
            Err(HookRefusal::Own(error))
        }
        None => Err(HookRefusal::Strange(strange_to_hook(http, answer, setting))),
    }
}

/// How a hook was not answered with `ok`.
pub(super) enum HookRefusal {
    /// By Mattermost itself.
    Own(AppError),
    /// By something else; what that means.
    Strange(ChatError),
}

/// The same for an endpoint whose answers have no form that could be known, such as a plugin's: a redirect and a page
/// for people are not its own. A success is a page only if its body is one: frameworks say `text/html` of any text.
pub(super) fn check_endpoint(
    http: &Http,
    answer: &HttpAnswer,
    setting: &'static str,
) -> Result<(), ChatError> {
    let is_strange = match answer.status {
        200..=299 => is_markup(answer),
        300..=399 => true,
        500.. => false,
        _ => is_page(answer) && AppError::of(answer).is_none(),
    };
    if is_strange {
        return Err(strange_to_hook(http, answer, setting));
    }
    http.peer_answered();
    Ok(())
}

/// What another than Mattermost says to a call of the REST API. Whether the call was carried out is unknown.
fn foreign(http: &Http, answer: &HttpAnswer) -> ChatError {
    if answer.status == 429 {
        return throttled(answer);
    }
    note_foreign(http, answer, SERVER);
    ChatError::Unavailable {
        why: describe(answer, SERVER),
        after: answer.retry_after,
    }
}

/// What another than Mattermost says to a call of a hook. Unlike posts of an account, what a hook shows cannot be looked
/// up, so it matters more whether the request got through: a page, a redirect and a refusal are made by whoever did not
/// pass the request on. 502 and 504 are said after a request was passed on as well, and a success that is neither `ok`
/// nor a page may be Mattermost's, rewritten on its way.
fn strange_to_hook(http: &Http, answer: &HttpAnswer, setting: &'static str) -> ChatError {
    let status = answer.status;
    if status == 429 {
        return throttled(answer);
    }
    note_foreign(http, answer, setting);
    let (why, after) = (describe(answer, setting), answer.retry_after);
    let is_turned_away = match status {
        200..=299 => is_markup(answer),
        408 | 425 => false,
        // Envoy says it in words that name a reset, after it has passed the request on.
        503 => !String::from_utf8_lossy(&answer.body).contains("reset before headers"),
        500..=599 => false,
        _ => true,
    };
    if is_turned_away {
        ChatError::TurnedAway { why, after }
    } else {
        ChatError::Unavailable { why, after }
    }
}

fn throttled(answer: &HttpAnswer) -> ChatError {
    let reset = answer.rate_limit.map(|limit| limit.reset);
    ChatError::Throttled {
        after: answer.retry_after.or(reset),
    }
}

/// A proxy whose server is down says 5xx, and that is no sign of a wrong address.
fn note_foreign(http: &Http, answer: &HttpAnswer, setting: &'static str) {
    if !matches!(answer.status, 408 | 425 | 500..=599) {
        http.foreign_answered(setting, answer);
    }
}

fn describe(answer: &HttpAnswer, setting: &str) -> String {
    let status = answer.status;
    let said = format!("HTTP {status} without an error of Mattermost");
    match status {
        300..=399 => format!("{said}: a redirect; {setting} must be the final address"),
        408 | 425 | 500..=599 => said,
        _ => format!("{said}: not its own answer; is {setting} right?"),
    }
}

/// Whether a hook says that it has done what it was asked for.
fn is_ok(answer: &HttpAnswer) -> bool {
    answer.status == 200 && answer.body.trim_ascii() == b"ok"
}

/// A page for people.
fn is_page(answer: &HttpAnswer) -> bool {
    let kind = answer.headers.get(reqwest::header::CONTENT_TYPE);
    let is_html = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    is_html || is_markup(answer)
}

fn is_markup(answer: &HttpAnswer) -> bool {
    answer.body.trim_ascii_start().starts_with(b"<")
}
