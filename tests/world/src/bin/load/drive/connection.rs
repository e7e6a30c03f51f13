//! One keep-alive connection: no pool, no redirects, as little as possible.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Request, StatusCode};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Mattermost waits so long for an integration.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The content type of triggers.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// The content type of plugNmeet's webhooks.
pub const WEBHOOK: &str = "application/webhook+json";

/// A request to be sent.
pub struct Outbound {
    path: &'static str,
    content_type: &'static str,
    token: Option<String>,
    body: String,
}

impl Outbound {
    /// A POST.
    pub const fn new(path: &'static str, content_type: &'static str, body: String) -> Self {
        Self {
            path,
            content_type,
            token: None,
            body,
        }
    }

    /// With plugNmeet's two headers.
    pub fn signed(self, token: String) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }
}

/// A connection that is made when it is needed and made anew when it broke.
pub struct Connection {
    to: SocketAddr,
    open: Option<SendRequest<Body>>,
}

impl Connection {
    /// To this address, not yet made.
    pub const fn to(to: SocketAddr) -> Self {
        Self { to, open: None }
    }

    /// Sends a request and reads its answer. Nothing is sent twice.
    pub async fn send(
        &mut self,
        outbound: Outbound,
    ) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
        let result = tokio::time::timeout(ANSWER_WITHIN, self.exchange(outbound)).await;
        let result = result.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")));
        if result.is_err() {
            self.open = None;
        }
        result
    }

    async fn exchange(
        &mut self,
        outbound: Outbound,
    ) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
        let mut sender = match self.open.take().filter(|open| !open.is_closed()) {
            Some(open) => open,
            None => connect(self.to).await?,
        };
        sender.ready().await.context("connection closed")?;
        let mut request = Request::post(outbound.path)
            .header(HOST, "127.0.0.1")
            .header(CONTENT_TYPE, outbound.content_type);
        if let Some(token) = outbound.token {
            request = request
                .header(AUTHORIZATION, &token)
                .header("Hash-Token", token);
        }
        let answer = sender
            .send_request(request.body(Body::from(outbound.body))?)
            .await
            .context("connection broke")?;
        let (head, body) = answer.into_parts();
        let body = to_bytes(Body::new(body), ANSWER_BYTES_MAX)
            .await
            .context("answer broke off")?;
        self.open = Some(sender);
        Ok((head.status, head.headers, body))
    }
}

async fn connect(to: SocketAddr) -> anyhow::Result<SendRequest<Body>> {
    let stream = TcpStream::connect(to).await.context("not connected")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender; an error shows there.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
