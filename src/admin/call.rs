//! One call of `/api/...` and its answer, as every handler uses them.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::Admin;
use super::answer::RefusalAnswer;
use crate::ports::StoreError;
use crate::repair::RepairError;

/// One call of `/api/...`.
pub(super) struct ApiCall {
    pub(super) admin: Arc<Admin>,
    pub(super) query: String,
    /// The name that the caller gave itself, for the log. It is not verified.
    pub(super) by: String,
}

impl ApiCall {
    /// A parameter of the query.
    pub(super) fn parameter(&self, wanted: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    }

    /// The parameter `limit`, 1 to 500, by default 50.
    pub(super) fn limit(&self) -> Result<usize, ApiRefusal> {
        let Some(text) = self.parameter("limit") else {
            return Ok(50);
        };
        let limit = text.parse().ok().filter(|limit| (1..=500).contains(limit));
        limit.ok_or_else(|| ApiRefusal::bad("limit must be 1 to 500"))
    }
}

/// An answer that is not 2xx.
#[derive(Debug)]
pub(super) struct ApiRefusal(pub(super) StatusCode, pub(super) String);

impl ApiRefusal {
    pub(super) fn bad(why: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, why.to_owned())
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    /// The answer.
    pub(super) fn reply(self) -> Response {
        let mut response = answer(self.0, &RefusalAnswer { error: self.1 });
        if self.0 == StatusCode::UNAUTHORIZED {
            let scheme = http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert("www-authenticate", scheme);
        }
        response
    }
}

impl From<StoreError> for ApiRefusal {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::Refused(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<RepairError> for ApiRefusal {
    fn from(error: RepairError) -> Self {
        let (status, text) = match &error {
            RepairError::Unknown(_) => (StatusCode::NOT_FOUND, error.to_string()),
            RepairError::Unreadable(_)
            | RepairError::NoMeeting(_)
            | RepairError::OldEnd(_)
            | RepairError::TooSoon(_)
            | RepairError::NoQueue => (StatusCode::CONFLICT, error.to_string()),
            RepairError::Queue(_) | RepairError::Store(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("not now: {error}"))
            }
        };
        Self(status, text)
    }
}

/// 2xx with JSON.
pub(super) fn ok(body: &impl Serialize) -> Response {
    answer(StatusCode::OK, body)
}

/// Accepts GET and HEAD. The server leaves out the body of the answer to HEAD.
pub(super) fn reading() -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::get().or(warp::head()).unify()
}

/// The query as it was sent; empty when there is none.
pub(super) fn raw_query() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    warp::reply::with_status(warp::reply::json(body), status).into_response()
}
