//! `/api/...`: who may, which route, and how refusals look.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Serialize;
use warp::path::Tail;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::access::{Access, WrongHost};
use super::answer::Refusal;
use super::{Admin, OperationError, dead_letters, meetings, why};
use crate::ports::StoreError;

/// Longest name of a caller that is logged.
const CALLER_CHARS_MAX: usize = 64;
/// The header in which the commands say who calls.
pub(crate) const CALLER_HEADER: &str = "x-meetrelay-by";

/// One call.
pub(super) struct Call {
    pub(super) admin: Arc<Admin>,
    pub(super) query: String,
    /// Who calls, as they say themselves: for the log.
    pub(super) by: String,
}

impl Call {
    /// A parameter of the query.
    pub(super) fn parameter(&self, wanted: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    }

    /// The parameter `limit`, 1 to 500, by default 50.
    pub(super) fn limit(&self) -> Result<usize, Refused> {
        let Some(text) = self.parameter("limit") else {
            return Ok(50);
        };
        let limit = text.parse().ok().filter(|limit| (1..=500).contains(limit));
        limit.ok_or_else(|| Refused::bad("limit must be 1 to 500"))
    }
}

/// An answer that is not 2xx.
#[derive(Debug)]
pub(super) struct Refused(StatusCode, String);

impl Refused {
    pub(super) fn bad(why: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, why.to_owned())
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    fn reply(self) -> Response {
        let mut response = answer(self.0, &Refusal { error: self.1 });
        if self.0 == StatusCode::UNAUTHORIZED {
            let scheme = http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert("www-authenticate", scheme);
        }
        response
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::Refused(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<OperationError> for Refused {
    fn from(error: OperationError) -> Self {
        let status = match error {
            OperationError::NotFound(_) => StatusCode::NOT_FOUND,
            OperationError::Refused(_) => StatusCode::CONFLICT,
            OperationError::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

pub(super) fn route(
    admin: Arc<Admin>,
    access: Access,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path("api")
        .and(warp::path::tail())
        .and(warp::method())
        .and(raw_query())
        .and(warp::header::optional::<String>("authorization"))
        .and(warp::header::optional::<String>(CALLER_HEADER))
        .then(
            move |path: Tail, method, query, authorization: Option<String>, by| {
                let is_allowed = access.allows(&authorization.unwrap_or_default());
                let call = Call {
                    admin: Arc::clone(&admin),
                    query,
                    by: caller(by),
                };
                // On the heap: the future of all routes holds one of each, and each level of `or` moves it.
                Box::pin(serve(call, method, path, is_allowed))
            },
        )
}

/// GET, and HEAD as its short form: the server leaves the body out.
pub(super) fn reading() -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::get().or(warp::head()).unify()
}

/// The query as it came; empty when there is none.
pub(super) fn raw_query() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}

/// 2xx with JSON.
pub(super) fn ok(body: &impl Serialize) -> Response {
    answer(StatusCode::OK, body)
}

/// The answer to everything else while the relay waits for its store.
pub(super) fn refuse_all(rejection: &Rejection) -> Response {
    if rejection.find::<WrongHost>().is_some() {
        return refuse(rejection);
    }
    let why = "the relay waits for its store; the log says why".to_owned();
    Refused(StatusCode::SERVICE_UNAVAILABLE, why).reply()
}

/// What no route took.
pub(super) fn refuse(rejection: &Rejection) -> Response {
    let refused = if rejection.find::<WrongHost>().is_some() {
        let why = "requests are answered for localhost or a loopback address only, as server.admin_listen is one; \
                   change the Host header (the name in the address) of the caller";
        Refused(StatusCode::FORBIDDEN, why.to_owned())
    } else if rejection.is_not_found() {
        Refused::not_found("such path")
    } else {
        Refused(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path takes another method".to_owned(),
        )
    };
    refused.reply()
}

async fn serve(call: Call, method: Method, path: Tail, is_allowed: bool) -> Response {
    if !is_allowed {
        let why =
            "the bearer token is needed: server.admin_token, or that in {data_dir}/admin-token"
                .to_owned();
        return Refused(StatusCode::UNAUTHORIZED, why).reply();
    }
    let decoded: Result<Vec<_>, _> = path
        .as_str()
        .split('/')
        .map(|part| percent_encoding::percent_decode_str(part).decode_utf8())
        .collect();
    let Ok(parts) = decoded else {
        return Refused::bad("the path is not UTF-8").reply();
    };
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    dispatch(&call, &method, &parts)
        .await
        .unwrap_or_else(Refused::reply)
}

async fn dispatch(call: &Call, method: &Method, parts: &[&str]) -> Result<Response, Refused> {
    let method = match method.as_str() {
        "HEAD" => "GET",
        other => other,
    };
    match (method, parts) {
        ("GET", ["meetings"]) => meetings::list(call).await,
        ("GET", ["meetings", id]) => meetings::show(call, id).await,
        ("POST", ["meetings", id, "end"]) => meetings::end(call, id).await,
        ("GET", ["dead-letters"]) => dead_letters::list(call).await,
        ("GET", ["dead-letters", id]) => dead_letters::show(call, id).await,
        ("POST", ["dead-letters", id, "replay"]) => dead_letters::replay(call, id).await,
        ("POST", ["dead-letters", id, "discard"]) => dead_letters::discard(call, id).await,
        ("GET", ["why"]) => why::why(call).await,
        (
            _,
            ["meetings" | "dead-letters" | "why"]
            | ["meetings" | "dead-letters", _]
            | ["meetings", _, "end"]
            | ["dead-letters", _, "replay" | "discard"],
        ) => Err(Refused(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path takes another method".to_owned(),
        )),
        _ => Err(Refused::not_found("such path")),
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    warp::reply::with_status(warp::reply::json(body), status).into_response()
}

/// A name that a log line can hold.
fn caller(by: Option<String>) -> String {
    let name: String = by
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(CALLER_CHARS_MAX)
        .collect();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}
