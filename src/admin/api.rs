//! `/api/...`: access control, routing, and the answers to refused requests.

use std::sync::Arc;

use http::{Method, StatusCode};
use warp::path::Tail;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::access::{Access, WrongHost};
use super::call::{ApiCall, ApiRefusal, raw_query};
use super::{Admin, dead_letters, meetings, why};

/// Longest name of a caller that is logged.
const CALLER_CHARS_MAX: usize = 64;
/// The header in which the commands send the caller's name.
pub(crate) const CALLER_HEADER: &str = "x-meetrelay-by";

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
                let call = ApiCall {
                    admin: Arc::clone(&admin),
                    query,
                    by: caller(by),
                };
                // The future is on the heap, because the future of all routes contains that of each route, and each
                // level of `or` moves it.
                Box::pin(serve(call, method, path, is_allowed))
            },
        )
}

/// The answer to a request that no route takes while the relay waits for its store.
pub(super) fn refuse_all(rejection: &Rejection) -> Response {
    if rejection.find::<WrongHost>().is_some() {
        return refuse(rejection);
    }
    let why = "the relay waits for its store; see the log for the reason".to_owned();
    ApiRefusal(StatusCode::SERVICE_UNAVAILABLE, why).reply()
}

/// The answer to a request that no route takes.
pub(super) fn refuse(rejection: &Rejection) -> Response {
    let refused = if rejection.find::<WrongHost>().is_some() {
        let why = "only requests for localhost or a loopback address are answered, because server.admin_listen is one; \
                   change the Host header (the name in the address) of the caller";
        ApiRefusal(StatusCode::FORBIDDEN, why.to_owned())
    } else if rejection.is_not_found() {
        ApiRefusal::not_found("such path")
    } else {
        ApiRefusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path takes another method".to_owned(),
        )
    };
    refused.reply()
}

async fn serve(call: ApiCall, method: Method, path: Tail, is_allowed: bool) -> Response {
    if !is_allowed {
        let why =
            "the bearer token is needed: server.admin_token, or the content of {data_dir}/admin-token"
                .to_owned();
        return ApiRefusal(StatusCode::UNAUTHORIZED, why).reply();
    }
    let decoded: Result<Vec<_>, _> = path
        .as_str()
        .split('/')
        .map(|part| percent_encoding::percent_decode_str(part).decode_utf8())
        .collect();
    let Ok(parts) = decoded else {
        return ApiRefusal::bad("the path is not UTF-8").reply();
    };
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    dispatch(&call, &method, &parts)
        .await
        .unwrap_or_else(ApiRefusal::reply)
}

async fn dispatch(call: &ApiCall, method: &Method, parts: &[&str]) -> Result<Response, ApiRefusal> {
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
        ) => Err(ApiRefusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path takes another method".to_owned(),
        )),
        _ => Err(ApiRefusal::not_found("such path")),
    }
}

/// The caller's name, made fit for a log line.
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
