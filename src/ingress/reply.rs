//! Builds HTTP answers.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::listen::Authenticated;

pub(super) type Answer = Response<Bytes>;

/// The header that carries the event id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An answer without a body (`Content-Length: 0`).
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

/// A short plain text for people who read the log of the caller.
pub(super) fn plain(status: StatusCode, text: &str) -> Answer {
    let mut answer = Answer::new(Bytes::from(format!("{text}\n")));
    *answer.status_mut() = status;
    with(answer, header::CONTENT_TYPE, "text/plain; charset=utf-8")
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let Ok(body) = serde_json::to_vec(body) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut answer = Answer::new(Bytes::from(body));
    *answer.status_mut() = status;
    with(answer, header::CONTENT_TYPE, "application/json")
}

/// Status 405 with the allowed methods.
pub(super) fn method_not_allowed(allow: &'static str) -> Answer {
    with(
        plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        header::ALLOW,
        allow,
    )
}

/// Status 401 without details, so that a stranger learns nothing.
pub(super) fn unauthorized() -> Answer {
    plain(StatusCode::UNAUTHORIZED, "unauthorized")
}

/// Marks the answer to a caller whose token or signature is valid.
pub(super) fn authenticated(mut answer: Answer) -> Answer {
    answer.extensions_mut().insert(Authenticated);
    answer
}

/// The answer with this header set.
pub(super) fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    answer
}
