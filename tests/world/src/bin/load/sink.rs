//! Both peers in one lean server: it answers what the relay needs, and counts.
//!
//! Unlike the fakes it checks neither tokens nor signatures and keeps no posts' texts, so that it does not become the
//! bottleneck. It is stricter in one thing: a post that is sent twice counts as two.

mod chat;
mod conference;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::body::Room;
use super::ledger::Ledger;

/// Longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Unexpected requests that are kept.
const UNEXPECTED_MAX: usize = 100;

/// The running server; it ends with the process.
pub struct Sink {
    address: SocketAddr,
    state: Arc<State>,
}

/// What the server knows.
struct State {
    ledger: Arc<Ledger>,
    run: u32,
    rooms: Mutex<HashMap<String, Room>>,
    posts: Mutex<Vec<chat::Posted>>,
    tell: OnceLock<Box<dyn Fn(Room) + Send + Sync>>,
    unexpected: Mutex<Vec<String>>,
}

impl Sink {
    /// Starts it on a free port.
    pub async fn start(ledger: Arc<Ledger>, run: u32) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            ledger,
            run,
            rooms: Mutex::default(),
            posts: Mutex::default(),
            tell: OnceLock::new(),
            unexpected: Mutex::default(),
        });
        tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { address, state })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of both peers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tells of each room that comes about; the first call counts.
    pub fn tell_rooms_to(&self, tell: impl Fn(Room) + Send + Sync + 'static) {
        drop(self.state.tell.set(Box::new(tell)));
    }

    /// The first requests that were not understood, and posts where no meeting of this run is.
    pub fn unexpected(&self) -> Vec<String> {
        lock(&self.state.unexpected).clone()
    }
}

impl State {
    fn note_unexpected(&self, what: String) {
        let mut unexpected = lock(&self.unexpected);
        if unexpected.len() < UNEXPECTED_MAX {
            unexpected.push(what);
        }
    }

    fn answer(&self, method: &str, path: &str, body: &Bytes) -> (u16, String) {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let answer = match segments[..] {
            ["api", "v4", ref rest @ ..] => self.chat(method, rest, body),
            ["hooks", "commands", id] => self.late_answer(id),
            ["auth", kind, call] => self.conference(kind, call, body),
            // In place of the relay, when this program measures itself.
            ["mattermost" | "plugnmeet", _] => Some((200, "{\"text\":\"/join/\"}".to_owned())),
            _ => None,
        };
        answer.unwrap_or_else(|| {
            self.note_unexpected(format!("{method} {path}"));
            (404, "not found".to_owned())
        })
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        // Without it small answers may wait; with it is how servers run.
        drop(stream.set_nodelay(true));
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&state), request));
            // An error is a connection that the client gave up.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn respond(state: Arc<State>, request: Request<Incoming>) -> anyhow::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), BODY_BYTES_MAX).await?;
    let (status, text) = state.answer(head.method.as_str(), head.uri.path(), &body);
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json");
    if head.uri.path().starts_with("/mattermost") || head.uri.path().starts_with("/plugnmeet") {
        answer = answer.header("X-Request-Id", uuid::Uuid::new_v4().to_string());
    }
    Ok(answer.body(Body::from(text))?)
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
