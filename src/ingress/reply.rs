//! Answers.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::listen::Authenticated;

pub(super) type Answer = Response<Bytes>;

/// The header that carries the event id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No body at all: `Content-Length: 0`.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

/// A short text for the one who reads the log of the caller.
pub(super) fn plain(status: StatusCode, text: &str) -> Answer {
    let mut answer = Answer::new(Bytes::from(format!("{text}\n")));
    *answer.status_mut() = status;
    with(answer, header::CONTENT_TYPE, "text/plain; charset=utf-8")
}

/// A JSON body.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let Ok(body) = serde_json::to_vec(body) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut answer = Answer::new(Bytes::from(body));
    *answer.status_mut() = status;
    with(answer, header::CONTENT_TYPE, "application/json")
}

/// 405 with the methods there are.
pub(super) fn method_not_allowed(allow: &'static str) -> Answer {
    with(
        plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        header::ALLOW,
        allow,
    )
}

/// 401 without detail.
pub(super) fn unauthorized() -> Answer {
    plain(StatusCode::UNAUTHORIZED, "unauthorized")
}

/// The answer to a caller whom the relay knows by a token or signature.
pub(super) fn authenticated(mut answer: Answer) -> Answer {
    answer.extensions_mut().insert(Authenticated);
    answer
}

/// The answer with one header more.
pub(super) fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    answer
}
