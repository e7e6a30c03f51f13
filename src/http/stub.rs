//! A scripted peer for tests. It answers each request with the next of the given replies, and records the requests.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{CallObserver, CallOutcome, CallReport, Operation};

/// How a stub answers one request.
#[derive(Clone)]
pub(crate) enum StubReply {
    /// Writes these bytes and closes.
    Raw(Vec<u8>),
    /// Accepts, reads the request, never answers.
    Silence,
    /// Writes these bytes, then one `y` at a time with a pause between.
    Drip(Vec<u8>, Duration),
    /// Writes these bytes, then `y` without end.
    Endless(Vec<u8>),
}

impl StubReply {
    /// An answer with a body.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 {status} X\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let rest = format!(
            "Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        bytes.extend_from_slice(rest.as_bytes());
        bytes.extend_from_slice(body);
        Self::Raw(bytes)
    }

    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = [("Content-Type", "application/json")];
        Self::new(status, &headers, body.to_string())
    }

    /// A recorded answer: the file without its request.
    pub(crate) fn recorded(file: &str) -> Self {
        let recorded = Recorded::read(file);
        let headers: Vec<(&str, &str)> = recorded
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Self::new(recorded.status, &headers, &recorded.body)
    }
}

/// A recorded exchange.
pub(crate) struct Recorded {
    /// The lines of the request, without their `> `.
    pub(crate) request: Vec<String>,
    /// The answer's status.
    pub(crate) status: u16,
    /// The answer's headers.
    pub(crate) headers: Vec<(String, String)>,
    /// The answer's body, byte for byte.
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    /// Names of the files in a folder below tests/vectors, sorted.
    pub(crate) fn names(folder: &str) -> Vec<String> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/vectors")
            .join(folder);
        let mut names: Vec<_> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Reads a file below tests/vectors.
    pub(crate) fn read(file: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/vectors")
            .join(file);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut rest = bytes.as_slice();
        let mut request = Vec::new();
        let mut status = 0;
        let mut headers = Vec::new();
        loop {
            let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = rest.get(end + 1..).unwrap_or_default();
            if let Some(sent) = line.strip_prefix('>') {
                request.push(sent.strip_prefix(' ').unwrap_or(sent).to_owned());
            } else if let Some(code) = line.strip_prefix("HTTP/1.1 ") {
                status = code[..3].parse().unwrap();
            } else if let Some((name, value)) = line.split_once(": ") {
                headers.push((name.to_owned(), value.to_owned()));
            } else if status != 0 {
                break;
            }
        }
        Self {
            request,
            status,
            headers,
            body: rest.to_vec(),
        }
    }

    /// The request's body: its last line.
    pub(crate) fn request_body(&self) -> &str {
        self.request.last().map_or("", String::as_str)
    }
}

/// The class of a call's result: the name of the error, or the text of `ok`.
pub(crate) fn class<T, E: std::fmt::Debug>(
    result: Result<T, E>,
    ok: impl FnOnce(T) -> String,
) -> String {
    match result {
        Ok(value) => ok(value),
        Err(error) => {
            let text = format!("{error:?}");
            text.split([' ', '{']).next().unwrap().to_owned()
        }
    }
}

/// Records the reports of calls.
#[derive(Default)]
pub(crate) struct Observer(pub(crate) Mutex<Vec<CallReport>>);

impl CallObserver for Observer {
    fn call_ended(&self, report: &CallReport) {
        self.0.lock().unwrap().push(report.clone());
    }
}

impl Observer {
    /// Operation and outcome of each call so far.
    pub(crate) fn outcomes(&self) -> Vec<(Operation, CallOutcome)> {
        let reports = self.0.lock().unwrap();
        reports.iter().map(|r| (r.operation, r.outcome)).collect()
    }
}

/// A request that the stub received.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The method, such as `POST`.
    pub(crate) method: String,
    /// The path and the query.
    pub(crate) target: String,
    /// Names in lower case, with their values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The value of a header, named in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Method and target.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// The running stub.
pub(crate) struct Stub {
    /// The address that it listens at.
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// Listens, and answers with `replies` in order. Further connections are closed without an answer.
    pub(crate) async fn start(replies: Vec<StubReply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut replies = replies.into_iter();
            let mut held = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(request) = read_request(&mut stream).await else {
                    continue;
                };
                kept.lock().unwrap().push(request);
                match replies.next() {
                    None => {}
                    Some(StubReply::Raw(bytes)) => drop(stream.write_all(&bytes).await),
                    Some(StubReply::Silence) => held.push(stream),
                    Some(StubReply::Drip(bytes, pause)) => {
                        tokio::spawn(pour(stream, bytes, 1, pause));
                    }
                    Some(StubReply::Endless(bytes)) => {
                        tokio::spawn(pour(stream, bytes, 16 * 1024, Duration::ZERO));
                    }
                }
            }
        });
        Self {
            url: url.parse().unwrap(),
            seen,
            task,
        }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request. Panics if there is not exactly one.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// Method and target of every request so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

async fn pour(mut stream: TcpStream, head: Vec<u8>, step: usize, pause: Duration) {
    let more = vec![b'y'; step];
    let mut next = head;
    while stream.write_all(&next).await.is_ok() {
        next.clone_from(&more);
        tokio::time::sleep(pause).await;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut seen = Seen {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        headers,
        body: bytes[head + 4..].to_vec(),
    };
    let length = seen
        .header("content-length")
        .map_or(0, |n| n.parse().unwrap());
    while seen.body.len() < length {
        if stream.read_buf(&mut seen.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(seen)
}
