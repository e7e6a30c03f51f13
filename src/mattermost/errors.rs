//! Classifies the errors of Mattermost (src/mattermost/README.md, "Errors"). Their texts may hold the id of a hook,
//! which is a secret, so only the error's id is logged.

use std::time::Instant;

use super::form::AppError;
use crate::http::{CallOutcome, CallReport, Http, HttpAnswer, Operation, RateLimit};
use crate::ports::ChatError;

/// Longest error id that is logged, in bytes.
const ERROR_ID_BYTES_MAX: usize = 100;

/// Reports the outcome of a call that began at `started` to the observer.
pub(super) fn report<T>(
    http: &Http,
    operation: Operation,
    started: Instant,
    rate_limit: Option<RateLimit>,
    result: &Result<T, ChatError>,
) {
    http.report(&CallReport {
        operation,
        outcome: result.as_ref().err().map_or(CallOutcome::Success, outcome),
        duration: started.elapsed(),
        rate_limit,
    });
}

/// The port's error for an answer with Mattermost's own error body.
pub(super) fn classify(answer: &HttpAnswer, error: &AppError) -> ChatError {
    let (status, id) = (answer.status, error.id());
    let why = describe(status, error);
    match status {
        400 if id.contains("permissions_time_limit") => ChatError::NotEditable { why },
        400 if is_archived(id) => ChatError::Suspended {
            why: format!("{why}: the channel is archived"),
        },
        // The thread's root was deleted, or is itself a reply. The same post without a root may succeed.
        400 if id.ends_with("create_post.root_id.app_error") => ChatError::NotFound { why },
        401 => ChatError::Unauthorized { why },
        403 => ChatError::Forbidden { why },
        // The bot is not in the channel's team, so it cannot join the channel.
        404 if id == "app.team.get_member.missing.app_error" => ChatError::Forbidden { why },
        404 if error.is_no_route() => ChatError::Refused { why },
        404 if !id.is_empty() => ChatError::NotFound { why },
        // A 404 without an error id does not prove that something is deleted.
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

/// Whether a post was refused because its text is too long.
pub(super) fn is_too_long(error: &ChatError) -> bool {
    matches!(error, ChatError::Refused { why } if why.contains("is_valid.message_length"))
}

/// Whether the channel of the post is archived; a person may unarchive it. The ids are of `create_post`, `patch_post`
/// and, before Mattermost 6, `update_post`.
fn is_archived(id: &str) -> bool {
    id.contains("can_not_post_to_deleted") || id.contains("can_not_update_post_in_deleted")
}

/// A text for the log: status, error id and request id.
fn describe(status: u16, error: &AppError) -> String {
    format!(
        "HTTP {status} {} (request {})",
        sanitized_id(error.id()),
        sanitized_id(error.request_id())
    )
}

/// A text of a peer with only the characters of an id, cut to [`ERROR_ID_BYTES_MAX`].
pub(super) fn sanitized_id(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        .take(ERROR_ID_BYTES_MAX)
        .collect()
}

/// What to change when a login is refused with this error. Other ids are clear enough by themselves.
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
            "the account has a second factor, which the relay cannot supply: use a bot, or an account without one",
        ),
        (
            "login.use_auth_service",
            "the account logs in somewhere else: use a bot, or an account with a password in Mattermost",
        ),
    ];
    let hint = HINTS.iter().find(|(id, _)| why.contains(id));
    hint.map(|(_, hint)| *hint)
}

/// The outcome as which metrics count an error.
const fn outcome(error: &ChatError) -> CallOutcome {
    match error {
        ChatError::Unreachable { .. } => CallOutcome::Unreachable,
        ChatError::Unavailable { .. } | ChatError::TurnedAway { .. } => CallOutcome::ServerError,
        ChatError::Throttled { .. } => CallOutcome::RateLimited,
        ChatError::Unauthorized { .. } => CallOutcome::Unauthorized,
        ChatError::Forbidden { .. }
        | ChatError::NotFound { .. }
        | ChatError::NotEditable { .. }
        | ChatError::Failed { .. }
        | ChatError::Suspended { .. }
        | ChatError::Refused { .. } => CallOutcome::Refused,
    }
}
