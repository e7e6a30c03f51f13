//! The listener: hyper itself, because a fake must be able to close a connection without an answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::answer::Answer;
use super::{FakePlugNmeet, api, demo, page};
use crate::Fault;

/// `upload_file_settings.max_size`: a larger body gets 413.
const BODY_LIMIT: usize = 50 * 1024 * 1024;
/// How often a port that is still being given up is tried again, every 50 ms.
const BIND_TRIES: u32 = 40;

/// One run of the server process.
pub(crate) struct Server(JoinHandle<()>);

/// Binds an address, patiently: after a stop the old listener may take a moment to go.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let mut tries = 0;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < BIND_TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            result => return result,
        }
    }
}

impl Server {
    /// Serves until stopped.
    pub(crate) fn start(listener: TcpListener, fake: FakePlugNmeet) -> Self {
        Self(tokio::spawn(async move {
            // Dropped with this task, which cuts every connection.
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                while connections.try_join_next().is_some() {}
                let fake = fake.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| serve(fake.clone(), request));
                    // An error is a connection cut by either side: by a fault, or by a client that went away.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        }))
    }

    /// Closes the listener and all connections.
    pub(crate) async fn stop(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

async fn serve(fake: FakePlugNmeet, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let method = parts.method;
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let operation = api::operation(&method, parts.uri.path());
    let Ok(body) = to_bytes(Body::new(body), BODY_LIMIT).await else {
        return Ok(response(Answer::text(413, "Request Entity Too Large")));
    };
    if operation == "demo" {
        return Ok(response(demo::answer(
            &fake,
            &method,
            &path,
            &parts.headers,
            &body,
        )));
    }
    let number = fake
        .shared
        .log_request(method.as_str(), &path, operation, &body);
    let fault = fake.shared.faults.meet(operation);
    let answer = match &fault {
        Some(Fault::Drop) => return Err(cut()),
        Some(Fault::Garbage) => Answer {
            content_type: Some("application/json"),
            ..Answer::text(200, "<html>{not json")
        },
        Some(Fault::Answer {
            status,
            body,
            headers,
        }) => {
            fake.shared.log_answer(number, *status, body.as_bytes());
            return Ok(told(*status, body, headers));
        }
        Some(Fault::Stall(time)) => {
            tokio::time::sleep(*time).await;
            carry_out(&fake, operation, &method, &path, &parts.headers, &body).await
        }
        Some(Fault::DropAfter) | None => {
            carry_out(&fake, operation, &method, &path, &parts.headers, &body).await
        }
    };
    if fault == Some(Fault::DropAfter) {
        return Err(cut());
    }
    fake.shared.log_answer(number, answer.status, &answer.body);
    Ok(response(answer))
}

async fn carry_out(
    fake: &FakePlugNmeet,
    operation: &str,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    if operation == "page" {
        return page::client(fake, method, path);
    }
    api::answer(&fake.shared, operation, method, path, headers, body).await
}

fn response(answer: Answer) -> Response<Body> {
    let content_type = answer
        .content_type
        .map(|value| ("content-type", value.to_owned()));
    let headers = content_type.into_iter().chain(answer.headers);
    build(answer.status, headers, answer.body)
}

fn told(status: u16, body: &str, headers: &[(String, String)]) -> Response<Body> {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()));
    build(status, headers, body.as_bytes().to_vec())
}

// Status and headers come from this crate or from a test; an impossible one shows as a 500 that says so.
fn build<'a>(
    status: u16,
    headers: impl Iterator<Item = (&'a str, String)>,
    body: Vec<u8>,
) -> Response<Body> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(body)).unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(format!("the fake cannot answer so: {error}")));
        *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "closed without an answer, as told",
    )
}
