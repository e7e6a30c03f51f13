//! What a refusal of Mattermost means (mattermost.md 3.5, 3.6, 5). Its texts may hold the id of a hook, which is
//! a secret, so only the error's id goes into the log.

use std::time::Instant;

use serde::Deserialize;

use crate::http::{Answer, CallReport, Http, RateLimit};
use crate::ports::ChatError;

/// Longest error id that is repeated, in bytes.
const ERROR_ID_BYTES_MAX: usize = 100;

/// Mattermost's own error body; what a proxy says has none.
#[derive(Deserialize)]
pub(super) struct AppError {
    id: String,
    #[serde(default)]
    request_id: String,
}

impl AppError {
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

/// Tells the observer how a call that began at `started` ended.
pub(super) fn report<T>(
    http: &Http,
    operation: &'static str,
    started: Instant,
    rate_limit: Option<RateLimit>,
    result: &Result<T, ChatError>,
) {
    http.report(&CallReport {
        target: "mattermost",
        operation,
        outcome: result.as_ref().err().map_or("ok", outcome),
        duration: started.elapsed(),
        rate_limit,
    });
}

/// What an answer of a hook other than 2xx means. Unlike posts of an account, what it shows cannot be looked up, so it
/// matters more whether the request got through at all.
pub(super) fn classify_hook(answer: &Answer) -> ChatError {
    turned_away(answer).unwrap_or_else(|| classify(answer))
}

/// The error, if a proxy says 503 on its own account: it had nobody to give the request to. Mattermost's own 503 is its
/// JSON; 502 and 504 are said after a request was passed on as well, and so is 503 by Envoy, in words that name a reset.
pub(super) fn turned_away(answer: &Answer) -> Option<ChatError> {
    let is_passed_on = || {
        let body = String::from_utf8_lossy(&answer.body);
        body.contains("reset before headers")
    };
    let is_mattermosts = || serde_json::from_slice::<AppError>(&answer.body).is_ok();
    let is_turned_away = answer.status == 503 && !is_mattermosts() && !is_passed_on();
    is_turned_away.then(|| ChatError::TurnedAway {
        why: describe(answer.status, None),
        after: answer.retry_after,
    })
}

/// What an answer other than 2xx means.
pub(super) fn classify(answer: &Answer) -> ChatError {
    let status = answer.status;
    let error = serde_json::from_slice::<AppError>(&answer.body).ok();
    let id = error.as_ref().map_or("", |error| error.id.as_str());
    let why = describe(status, error.as_ref());
    match status {
        300..=399 => ChatError::Refused {
            why: format!("HTTP {status}: a redirect; mattermost.url must be the final address"),
        },
        400 if id.contains("permissions_time_limit") => ChatError::NotEditable { why },
        // The thread's root was deleted, or is itself a reply: the same post without a root may stand.
        400 if id.ends_with("create_post.root_id.app_error") => ChatError::NotFound { why },
        401 => ChatError::Unauthorized { why },
        403 => ChatError::Forbidden { why },
        // The bot is not in the channel's team, so it cannot join the channel.
        404 if id == "app.team.get_member.missing.app_error" => ChatError::Forbidden { why },
        404 if id == "api.context.404.app_error" => ChatError::Refused { why },
        404 if !id.is_empty() => ChatError::NotFound { why },
        // Not Mattermost's own word: a proxy whose server is away. Nothing may be taken for deleted by that.
        404 | 408 | 425 | 500 | 502..=599 => ChatError::Unavailable {
            why,
            after: answer.retry_after,
        },
        429 => ChatError::Throttled {
            after: answer
                .retry_after
                .or(answer.rate_limit.map(|limit| limit.reset)),
        },
        _ => ChatError::Refused { why },
    }
}

/// Whether a post was refused for the length of its text.
pub(super) fn is_too_long(error: &ChatError) -> bool {
    matches!(error, ChatError::Refused { why } if why.contains("is_valid.message_length"))
}

/// Status, error id and request id.
fn describe(status: u16, error: Option<&AppError>) -> String {
    let Some(error) = error else {
        return format!("HTTP {status} without an error of Mattermost");
    };
    format!(
        "HTTP {status} {} (request {})",
        outside_word(&error.id),
        outside_word(&error.request_id)
    )
}

/// A peer's word, without whatever does not belong into an id, and cut.
pub(super) fn outside_word(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        .take(ERROR_ID_BYTES_MAX)
        .collect()
}

/// What to change when a login is refused so (mattermost.md 5.1; of other ids Mattermost's own words say enough).
pub(super) fn login_hint(why: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 7] = [
        ("login.invalid_credentials", "name or password is wrong"),
        (
            "login_attempts.too_many",
            "the account is locked: reset its password",
        ),
        (
            "login.bot_login_forbidden",
            "a bot cannot log in: make a token for it and write that into mattermost.bot_token",
        ),
        ("login.inactive", "the account is deactivated"),
        (
            "login.not_verified",
            "the account's e-mail address is not verified",
        ),
        (
            "mfa",
            "the account has a second factor, which the relay cannot give: use a bot, or an account without",
        ),
        (
            "login.use_auth_service",
            "the account logs in somewhere else: use a bot, or an account with a password in Mattermost",
        ),
    ];
    let hint = HINTS.iter().find(|(id, _)| why.contains(id));
    hint.map(|(_, hint)| *hint)
}

/// The word for an error in metrics.
pub(super) const fn outcome(error: &ChatError) -> &'static str {
    match error {
        ChatError::Unreachable { .. } => "unreachable",
        ChatError::Unavailable { .. } | ChatError::TurnedAway { .. } => "unavailable",
        ChatError::Throttled { .. } => "throttled",
        ChatError::Unauthorized { .. } => "unauthorized",
        ChatError::Forbidden { .. } => "forbidden",
        ChatError::NotFound { .. } => "not_found",
        ChatError::NotEditable { .. } => "not_editable",
        ChatError::Failed { .. } | ChatError::Refused { .. } => "refused",
    }
}
