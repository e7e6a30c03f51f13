//! A webhook receiver on loopback that keeps what it gets and answers as told.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// One request received.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn event(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["event"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// The next answers, each used once: status, extra header, delay. Afterwards 200.
pub(crate) type Script = Vec<(u16, Option<(&'static str, String)>, Duration)>;

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    script: Arc<Mutex<Script>>,
    url: String,
}

impl Receiver {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self {
            received: Arc::default(),
            script: Arc::new(Mutex::new(script)),
            url,
        };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.all().iter().map(Received::event).collect()
    }

    /// Waits until something came, answered or not.
    pub(crate) async fn wait_for_one(&self) {
        let come = async {
            while self.all().is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(crate::DEADLINE, come)
            .await
            .expect("nothing came");
    }

    /// The first event of this name.
    pub(crate) fn one(&self, event: &str) -> Received {
        self.all()
            .into_iter()
            .find(|one| one.event() == event)
            .unwrap_or_else(|| panic!("no {event} came"))
    }
}

async fn receive(
    State(to): State<Receiver>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let received = Received {
        at: Instant::now(),
        method: method.to_string(),
        path: uri.path().to_owned(),
        headers,
        body,
    };
    to.received.lock().unwrap().push(received);
    let next = {
        let mut script = to.script.lock().unwrap();
        if script.is_empty() {
            None
        } else {
            Some(script.remove(0))
        }
    };
    let Some((status, header, delay)) = next else {
        return StatusCode::OK.into_response();
    };
    tokio::time::sleep(delay).await;
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
