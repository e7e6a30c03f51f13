//! A recording integration, a REST caller and the recorded bodies.

use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use world::mattermost::{FakeMattermost, Options};

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A fake with a bot in `weekly`; the test ends by asserting that nothing unexpected came in.
pub(crate) async fn with_bot(options: Options) -> (FakeMattermost, Rest) {
    let chat = FakeMattermost::start(options).await.unwrap();
    let token = chat.add_bot("meetrelay", "Meet Relay");
    chat.join("meetrelay", "weekly");
    let rest = Rest::new(&chat, &token);
    (chat, rest)
}

/// Calls REST v4 with a token, as the relay does.
#[derive(Clone)]
pub(crate) struct Rest {
    client: reqwest::Client,
    url: String,
    token: String,
}

/// Status, headers and JSON body of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

impl Rest {
    pub(crate) fn new(chat: &FakeMattermost, token: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            client,
            url: chat.url(),
            token: token.to_owned(),
        }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body.to_string())).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        self.try_call(method, path, body).await.unwrap()
    }

    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> reqwest::Result<Answer> {
        let path = if path.starts_with("/hooks") || path.starts_with("/demo") || path == "/" {
            path.to_owned()
        } else {
            format!("/api/v4{path}")
        };
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer {
            status,
            headers,
            text: answer.text().await?,
        })
    }
}

/// An integration that keeps every request byte for byte and answers what it was told to.
#[derive(Clone)]
pub(crate) struct Integration {
    pub(crate) url: String,
    raw: watch::Receiver<Vec<String>>,
    answers: Arc<Mutex<VecDeque<String>>>,
}

impl Integration {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, raw) = watch::channel(Vec::new());
        let answers: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let told = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                let nothing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let answer = told
                    .lock()
                    .unwrap()
                    .pop_front()
                    .unwrap_or(nothing.to_owned());
                let _ = stream.write_all(answer.as_bytes()).await;
                sender.send_modify(|raw: &mut Vec<String>| raw.push(request));
            }
        });
        Self { url, raw, answers }
    }

    /// The next request is answered so; later ones with an empty 200.
    pub(crate) fn will_answer(&self, status: &str, content_type: &str, body: &str) {
        self.answers.lock().unwrap().push_back(format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ));
    }

    pub(crate) fn will_answer_raw(&self, raw: &str) {
        self.answers.lock().unwrap().push_back(raw.to_owned());
    }

    /// Waits for `count` requests and gives the last of them.
    pub(crate) async fn received(&self, count: usize) -> String {
        let mut raw = self.raw.clone();
        let all = tokio::time::timeout(SOON, raw.wait_for(|raw| raw.len() >= count)).await;
        let all = all.expect("requests in time").unwrap();
        all[count - 1].clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.raw.borrow().len()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text.replace("\r\n", "\n");
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// A recorded file.
pub(crate) fn vector(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vectors/mattermost-11")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The answer in a recorded REST pair: status and JSON body.
pub(crate) fn recorded_answer(name: &str) -> (u16, Value) {
    let text = vector(&format!("rest/{name}.http"));
    let at = text.find("HTTP/1.1 ").unwrap();
    let status = text[at + 9..at + 12].parse().unwrap();
    let body = text[at..].split_once("\n\n").unwrap().1;
    (
        status,
        serde_json::from_str(body.trim_end()).unwrap_or(Value::Null),
    )
}

/// The names of an object's fields, sorted.
pub(crate) fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

/// Names in a raw head, in order, behind the request line; values too where they do not vary.
pub(crate) fn head_shape(raw: &str) -> Vec<String> {
    let head = raw.split_once("\n\n").map_or(raw, |(head, _)| head);
    let varies = ["Host", "Content-Length", "Authorization"];
    head.lines()
        .skip(1)
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            if varies.contains(&name) {
                name.to_owned()
            } else {
                format!("{name}: {value}")
            }
        })
        .collect()
}

/// `name=value` pairs of a form, still encoded, in order.
pub(crate) fn pairs(form: &str) -> Vec<(&str, &str)> {
    form.trim_end()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .collect()
}

pub(crate) fn body(raw: &str) -> &str {
    raw.split_once("\n\n").unwrap().1
}
