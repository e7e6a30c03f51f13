//! What a refusal of Mattermost means (src/mattermost/README.md, "Errors"). Its texts may hold the id of a hook, which
//! is a secret, so only the error's id goes into the log.

use std::time::Instant;

use super::form::AppError;
use crate::http::{CallOutcome, CallReport, Http, HttpAnswer, Operation, RateLimit};
use crate::ports::ChatError;

/// Longest error id that is repeated, in bytes.
const ERROR_ID_BYTES_MAX: usize = 100;

/// Tells the observer how a call that began at `started` ended.
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

/// What a refusal in Mattermost's own form means.
pub(super) fn classify(answer: &HttpAnswer, error: &AppError) -> ChatError {
    let (status, id) = (answer.status, error.id());
    let why = describe(status, error);
    match status {
        400 if id.contains("permissions_time_limit") => ChatError::NotEditable { why },
        400 if is_archived(id) => ChatError::Suspended {
            why: format!("{why}: the channel is archived"),
        },
        // The thread's root was deleted, or is itself a reply: the same post without a root may stand.
        400 if id.ends_with("create_post.root_id.app_error") => ChatError::NotFound { why },
        401 => ChatError::Unauthorized { why },
        403 => ChatError::Forbidden { why },
        // The bot is not in the channel's team, so it cannot join the channel.
        404 if id == "app.team.get_member.missing.app_error" => ChatError::Forbidden { why },
        404 if error.is_no_route() => ChatError::Refused { why },
        404 if !id.is_empty() => ChatError::NotFound { why },
        // Without a name nothing may be taken for deleted.
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

/// Posting or changing a post in an archived channel: a person may unarchive it (`create_post`, `patch_post` and, before
/// Mattermost 6, `update_post`).
fn is_archived(id: &str) -> bool {
    id.contains("can_not_post_to_deleted") || id.contains("can_not_update_post_in_deleted")
}

/// Status, error id and request id.
fn describe(status: u16, error: &AppError) -> String {
    format!(
        "HTTP {status} {} (request {})",
        outside_word(error.id()),
        outside_word(error.request_id())
    )
}

/// A peer's word, without whatever does not belong into an id, and cut.
pub(super) fn outside_word(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        .take(ERROR_ID_BYTES_MAX)
        .collect()
}

/// What to change when a login is refused so. For other ids Mattermost's own words say enough.
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

/// How metrics count an error.
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
