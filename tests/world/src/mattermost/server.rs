//! The listener: connections, faults, rate limit, log. Stopping it closes every connection at once.

use super::core::Core;
use super::demo;
use super::error::AppError;
use super::id::new_id;
use super::journal::ReceivedRequest;
use super::rest::{self, Call, Session};
use super::throttle::Allowance;
use crate::Fault;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// MaximumPayloadSizeBytes and the slack on top of it.
pub(super) const BODY_MAX: usize = 300_000 + 512;
/// More than this is not even read.
const READ_MAX: usize = 8 * 1024 * 1024;
/// X-Version-Id of the recorded server.
const VERSION_ID: &str =
    "11.6.0.11.6.0-dev.421c37f323ffabe48ec8a0ec960af607977fd755eff56cf9ff35cdfa24c1780f.false";

/// What one request is answered with.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) headers: Vec<(String, String)>,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type,
            body: body.into(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }
}

/// Accepts until `stop` changes, then drops every connection and every request still being carried out.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(Arc::clone(&core), stream, stop.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// The connection is closed without an answer.
#[derive(Debug)]
struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hang up")
    }
}

impl std::error::Error for HangUp {}

async fn connection(core: Arc<Core>, stream: TcpStream, stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let (core, mut stop) = (Arc::clone(&core), stop.clone());
        async move {
            // In a task of its own, so that a client that hangs up does not undo what it asked for.
            let work = tokio::spawn(async move {
                tokio::select! {
                    _ = stop.changed() => Err(HangUp),
                    answer = handle(&core, request) => answer,
                }
            });
            work.await.unwrap_or(Err(HangUp))
        }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(core: &Arc<Core>, request: Request<Incoming>) -> Result<Response<Body>, HangUp> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), READ_MAX)
        .await
        .map_err(|_| HangUp)?;
    if let Some(reply) = demo::answer(core, &head, &body).await {
        return Ok(finish(core, reply));
    }
    let call = Call::recognise(&head.method, head.uri.path());
    let operation = call.as_ref().map_or("unknown", Call::operation);
    let session = Session::of(core, &head);
    let mut entry = ReceivedRequest {
        at_ms: core.clock.now_ms(),
        method: head.method.to_string(),
        path: head.uri.to_string(),
        operation,
        auth: session.kind(core),
        body: String::from_utf8_lossy(&body).into_owned(),
        status: None,
    };
    core.journal.arrived(operation);
    core.touch();
    let work = carry_out(core, &head, &body, call.as_ref(), &session);
    let result = suffer(core.faults.meet(operation), work).await;
    entry.status = result.as_ref().ok().map(|reply| reply.status);
    core.journal.answered(entry);
    core.touch();
    result.map(|reply| finish(core, reply))
}

/// Answers `work`, or mistreats it as the fault says.
async fn suffer(fault: Option<Fault>, work: impl Future<Output = Reply>) -> Result<Reply, HangUp> {
    match fault {
        None => Ok(work.await),
        Some(Fault::Drop) => Err(HangUp),
        Some(Fault::DropAfter) => {
            work.await;
            Err(HangUp)
        }
        Some(Fault::Stall(time)) => {
            tokio::time::sleep(time).await;
            Ok(work.await)
        }
        Some(Fault::Garbage) => Ok(Reply::new(200, "application/json", "<html>gateway</html>")),
        Some(Fault::Answer {
            status,
            body,
            headers,
        }) => {
            let mut reply = Reply::new(status, "text/plain; charset=utf-8", body);
            reply.headers = headers;
            Ok(reply)
        }
    }
}

async fn carry_out(
    core: &Arc<Core>,
    head: &Parts,
    body: &Bytes,
    call: Option<&Call<'_>>,
    session: &Session,
) -> Reply {
    let allowance = core
        .options
        .rate_limit
        .map(|limits| core.throttle.take(limits, core.clock.now_ms()));
    let mut reply = match (call, allowance) {
        (
            _,
            Some(Allowance {
                retry_after: Some(seconds),
                ..
            }),
        ) => {
            let mut reply = Reply::new(429, "text/plain; charset=utf-8", "limit exceeded\n");
            reply
                .headers
                .push(("Retry-After".to_owned(), seconds.to_string()));
            reply
        }
        (None, _) => rest::no_such_route(core, head),
        (Some(call), _) => recognised(core, head, body, call, session).await,
    };
    if let Some(allowance) = allowance {
        let numbers = [
            ("Limit", allowance.limit),
            ("Remaining", allowance.remaining),
            ("Reset", allowance.reset),
        ];
        reply.headers.extend(
            numbers.map(|(name, value)| (format!("X-Ratelimit-{name}"), value.to_string())),
        );
    }
    reply
}

async fn recognised(
    core: &Arc<Core>,
    head: &Parts,
    body: &Bytes,
    call: &Call<'_>,
    session: &Session,
) -> Reply {
    let request_id = new_id();
    // An incoming webhook says of a body too large that it cannot be decoded (src/mattermost/README.md, "Limits").
    let result = if body.len() > BODY_MAX && !matches!(call, Call::Incoming(_)) {
        Err(AppError::new(
            413,
            "api.context.request_body_too_large.app_error",
            "Unable to process request. Request body too large.",
        ))
    } else {
        rest::answer(core, call, head, body, session).await
    };
    let mut reply = result.unwrap_or_else(|error| {
        let mut reply = Reply::json(error.status, &error.body(&request_id));
        if error.status == 401 && *session == Session::Refused {
            let cookie = "MMAUTHTOKEN=; Path=/; Max-Age=0; HttpOnly";
            reply
                .headers
                .push(("Set-Cookie".to_owned(), cookie.to_owned()));
        }
        reply
    });
    reply.headers.push(("X-Request-Id".to_owned(), request_id));
    reply
        .headers
        .push(("X-Version-Id".to_owned(), VERSION_ID.to_owned()));
    reply
}

fn finish(core: &Core, reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&core.clock.http_date()) {
        headers.insert(DATE, date);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    response
}
