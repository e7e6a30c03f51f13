//! Mattermost's error body (AppError) and the errors that recur; ids and texts after the recordings.

use axum::http::StatusCode;

/// An answer that refuses: status, stable id, text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppError {
    pub(crate) status: u16,
    pub(crate) id: &'static str,
    pub(crate) message: String,
}

impl AppError {
    pub(crate) fn new(status: u16, id: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            id,
            message: message.into(),
        }
    }

    /// 401 of every bad session alike: wrong, revoked or missing token, disabled bot.
    pub(crate) fn session_expired() -> Self {
        Self::new(
            401,
            "api.context.session_expired.app_error",
            "Invalid or expired session, please login again.",
        )
    }

    /// 403 without a word about why.
    pub(crate) fn permissions() -> Self {
        Self::new(
            403,
            "api.context.permissions.app_error",
            "You do not have the appropriate permissions.",
        )
    }

    /// 400: the body (or the named part of it) could not be read.
    pub(crate) fn invalid_body(name: &str) -> Self {
        Self::new(
            400,
            "api.context.invalid_body_param.app_error",
            format!("Invalid or missing {name} in request body."),
        )
    }

    /// 400: a path segment that cannot be an id.
    pub(crate) fn invalid_url(name: &str) -> Self {
        Self::new(
            400,
            "api.context.invalid_url_param.app_error",
            format!("Invalid or missing {name} parameter in request URL."),
        )
    }

    /// 404 of a post that is unknown or deleted.
    pub(crate) fn no_post() -> Self {
        Self::new(404, "app.post.get.app_error", "Unable to get the post.")
    }

    /// 404 of an unknown user.
    pub(crate) fn no_user() -> Self {
        Self::new(
            404,
            "app.user.missing_account.const",
            "Unable to find the user.",
        )
    }

    /// 404 of an unknown channel.
    pub(crate) fn no_channel() -> Self {
        Self::new(
            404,
            "app.channel.get.existing.app_error",
            "Unable to find the existing channel.",
        )
    }

    /// The JSON body; `detailed_error` is empty because EnableDeveloper is off.
    pub(crate) fn body(&self, request_id: &str) -> serde_json::Value {
        serde_json::json!({
            "id": self.id,
            "message": self.message,
            "detailed_error": "",
            "request_id": request_id,
            "status_code": self.status,
        })
    }
}

/// "202 Accepted" as Go's http.Response.Status prints it.
pub(crate) fn status_line(status: u16) -> String {
    match StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason())
    {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}
