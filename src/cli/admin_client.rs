//! Speaks to the running relay through its admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::outcome::Failure;
use crate::admin::answer::Refusal;
use crate::admin::{AdminToken, CALLER_HEADER};
use crate::config::{Config, Sources, load};

/// Deadline of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read, in bytes: 500 lines, or one meeting with its story.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a call changed nothing.
pub(super) enum CallError {
    /// This one was refused.
    Refused(String),
    /// The relay, its queue or its store is away.
    Away(String),
    /// The token, or the versions.
    Other(Failure),
}

/// The running relay.
pub(super) struct AdminClient {
    http: reqwest::Client,
    address: SocketAddr,
    config: Config,
    by: String,
}

impl AdminClient {
    /// The relay of this configuration.
    pub(super) fn of(sources: &Sources) -> Result<Self, Failure> {
        let config = load(sources)?.config;
        // A second command in this process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALL_TIMEOUT)
            .build()
            .map_err(Failure::failed)?;
        Ok(Self {
            http,
            address: reachable(config.server.admin_listen),
            config,
            by: format!("{}@{}", sources.environment.user_name(), host_name()),
        })
    }

    /// Reads `/api/{path}`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path).await
    }

    /// Does `/api/{path}`.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::POST, path).await
    }

    /// Does `/api/{path}`, telling apart what the next call would meet too.
    pub(super) async fn try_post<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let (status, body) = self
            .exchange(Method::POST, path)
            .await
            .map_err(|failure| CallError::Away(failure.into_text()))?;
        match status {
            status if status.is_success() => self.read(&body).map_err(CallError::Other),
            StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::BAD_REQUEST => {
                Err(CallError::Refused(self.refused(status, &body).into_text()))
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                Err(CallError::Away(self.refused(status, &body).into_text()))
            }
            _ => Err(CallError::Other(self.refused(status, &body))),
        }
    }

    /// The answer of `/readyz?verbose`: whether it is ready, and the text.
    pub(super) async fn readiness(&self) -> Result<(bool, String), Failure> {
        let request = self
            .http
            .get(format!("http://{}/readyz?verbose", self.address));
        let (status, body) = self.send(request).await?;
        Ok((
            status.is_success(),
            String::from_utf8_lossy(&body).into_owned(),
        ))
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Failure> {
        let (status, body) = self.exchange(method, path).await?;
        if status.is_success() {
            return self.read(&body);
        }
        Err(self.refused(status, &body))
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<(StatusCode, Vec<u8>), Failure> {
        let token = AdminToken::read(&self.config.admin_token_path()).map_err(Failure::failed)?;
        let request = self
            .http
            .request(method, format!("http://{}/api/{path}", self.address))
            .bearer_auth(token.expose())
            .header(CALLER_HEADER, header_text(&self.by));
        self.send(request).await
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(body).map_err(|error| {
            Failure::failed(format!(
                "the relay on {} answers with something else than this program expects ({error}); are both of the \
                 same version?",
                self.address
            ))
        })
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        if status == StatusCode::UNAUTHORIZED {
            return Failure::failed(format!(
                "the relay on {} does not take the token of {}; is it the relay of this configuration?",
                self.address,
                self.config.admin_token_path().display()
            ));
        }
        match serde_json::from_slice::<Refusal>(body) {
            // What was asked for must be changed first.
            Ok(refusal) if status == StatusCode::BAD_REQUEST => Failure::usage(refusal.error),
            Ok(refusal) => Failure::failed(refusal.error),
            Err(_) => Failure::failed(format!("the relay on {} answers {status}", self.address)),
        }
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), Failure> {
        let mut response = request.send().await.map_err(|error| {
            let why = if error.is_timeout() {
                "does not answer in time"
            } else {
                "cannot be reached; does it run, with this configuration (server.admin_listen)?"
            };
            Failure::failed(format!("the relay on {} {why}", self.address))
        })?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Failure::failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let why = format!("the relay's answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(Failure::failed(why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }
}

/// Where a listener that takes connections on every address is reached on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// This machine's name, as far as it tells.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}

/// The part of a name that a header takes.
fn header_text(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).collect()
}

/// One part of a path.
pub(super) fn path_part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
