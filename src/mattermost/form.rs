//! Checks whether an answer comes from Mattermost itself. A proxy, a login page or a wrong server may answer in its
//! place with any status. An answer without Mattermost's own format counts as an outage, never as a success and never
//! as a refusal.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors;
use crate::http::{Http, HttpAnswer};
use crate::ports::ChatError;

/// The setting that holds the address of the REST API and of response URLs.
pub(super) const SERVER: &str = "mattermost.url";

/// Mattermost's own error body. Answers of other servers do not have it.
#[derive(Deserialize)]
pub(super) struct AppError {
    id: String,
    #[serde(default)]
    request_id: String,
    #[serde(rename = "status_code")]
    _status_code: u16,
}

impl AppError {
    /// The error in the body of the answer, if the body has Mattermost's format.
    pub(super) fn of(answer: &HttpAnswer) -> Option<Self> {
        serde_json::from_slice(&answer.body).ok()
    }

    /// The stable name of the error.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The id of the request in the server's log.
    pub(super) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Whether the server has no route with the path that was called.
    pub(super) fn is_no_route(&self) -> bool {
        self.id == "api.context.404.app_error"
    }
}

/// The answer to a successful call that returns no data.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    #[serde(rename = "status")]
    _status: OkWord,
}

#[derive(Deserialize)]
enum OkWord {
    OK,
}

/// Reads an answer of the REST API: a success has the type `T`, a refusal has Mattermost's error body.
pub(super) fn read<T: DeserializeOwned>(http: &Http, answer: &HttpAnswer) -> Result<T, ChatError> {
    if answer.is_success() {
        let body = serde_json::from_slice(&answer.body).ok();
        return body.inspect(|_| http.peer_answered()).ok_or_else(|| {
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

/// Reads an answer of a hook: a success is `ok`, a refusal has Mattermost's error body, which is returned.
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

/// An answer of a hook other than `ok`.
pub(super) enum HookRefusal {
    /// Mattermost itself refused the call.
    Own(AppError),
    /// Another server answered; the error that this means.
    Strange(ChatError),
}

/// Checks an answer of an endpoint whose answers have no known format, such as a plugin's. A redirect or an HTML page
/// is not its own answer. A success counts as a page only if its body is one, because frameworks send any text as
/// `text/html`.
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

/// The error for a call of the REST API that another server answered. Whether the call was carried out is unknown.
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

/// The error for a call of a hook that another server answered. A post of a hook cannot be looked up, so it matters
/// whether the request reached Mattermost. A server that answers with a page, a redirect or a refusal has not forwarded
/// the request. 502 and 504 also occur after a request was forwarded. A success that is neither `ok` nor a page may be
/// Mattermost's, rewritten on its way.
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
        // Envoy sends 503 with a text about a reset after it has forwarded the request.
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

/// Reports that another server answered. A proxy whose server is down answers 5xx, which does not indicate a wrong
/// address.
fn note_foreign(http: &Http, answer: &HttpAnswer, setting: &'static str) {
    if !matches!(answer.status, 408 | 425 | 500..=599) {
        http.foreign_answered(setting, answer);
    }
}

fn describe(answer: &HttpAnswer, setting: &str) -> String {
    let status = answer.status;
    let summary = format!("HTTP {status} without an error of Mattermost");
    match status {
        300..=399 => format!("{summary}: a redirect; {setting} must be the final address"),
        408 | 425 | 500..=599 => summary,
        _ => format!("{summary}: another server answered; check {setting}"),
    }
}

/// Whether a hook reports success.
fn is_ok(answer: &HttpAnswer) -> bool {
    answer.status == 200 && answer.body.trim_ascii() == b"ok"
}

/// Whether the answer is an HTML page.
fn is_page(answer: &HttpAnswer) -> bool {
    let kind = answer.headers.get(reqwest::header::CONTENT_TYPE);
    let is_html = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    is_html || is_markup(answer)
}

fn is_markup(answer: &HttpAnswer) -> bool {
    answer.body.trim_ascii_start().starts_with(b"<")
}
