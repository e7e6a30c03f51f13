//! The client of the admin API: that of the running relay, through the socket in its data directory, or that of this
//! process, on the files of a relay that does not run. No secret is sent: whoever may open the socket may do
//! everything.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;

use super::offline::OfflineArgs;
use super::outcome::Failure;
use crate::admin::CALLER_HEADER;
use crate::admin::answer::RefusalAnswer;
use crate::app::offline::Offline as Files;
use crate::config::{Sources, load};

/// Deadline of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read, in bytes: enough for 500 lines, or one meeting with its history.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The base address of requests. The socket ignores it, but a request needs one.
const BASE: &str = "http://localhost";

/// Why a call changed nothing.
pub(super) enum AdminCallError {
    /// This call was refused. The next one may succeed.
    Refused(String),
    /// The relay, its queue or its store is unavailable. The next call would fail too.
    Unavailable(String),
    /// Any other failure, for example because the versions of the relay and this program differ.
    Other(Failure),
}

/// The admin API of one configuration.
pub(super) struct AdminClient {
    reach: Reach,
    socket: PathBuf,
    by: String,
}

/// Where the answers come from.
enum Reach {
    /// The running relay.
    Relay(reqwest::Client),
    /// The files of a relay that does not run.
    Files(Files),
}

impl AdminClient {
    /// A client for the relay of this configuration, or for its files.
    pub(super) async fn of(sources: &Sources, offline: OfflineArgs) -> Result<Self, Failure> {
        let config = load(sources)?.config;
        let socket = config.admin_socket_path();
        let reach = if offline.is_wanted() {
            Reach::Files(Files::open(&config).await?)
        } else {
            Reach::Relay(http_client(&socket)?)
        };
        Ok(Self {
            reach,
            socket,
            by: format!("{}@{}", sources.environment.user_name(), host_name()),
        })
    }

    /// Closes and releases the files, if they are open.
    pub(super) async fn close(self) {
        if let Reach::Files(files) = self.reach {
            files.close().await;
        }
    }

    /// `GET /api/{path}`
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path).await
    }

    /// `POST /api/{path}`
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::POST, path).await
    }

    /// `POST /api/{path}`. The error shows whether the next call would fail too.
    pub(super) async fn try_post<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<T, AdminCallError> {
        let (status, body) = self
            .exchange(Method::POST, path)
            .await
            .map_err(|failure| AdminCallError::Unavailable(failure.into_text()))?;
        match status {
            status if status.is_success() => self.read(&body).map_err(AdminCallError::Other),
            StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::BAD_REQUEST => Err(
                AdminCallError::Refused(self.refused(status, &body).into_text()),
            ),
            StatusCode::SERVICE_UNAVAILABLE => Err(AdminCallError::Unavailable(
                self.refused(status, &body).into_text(),
            )),
            _ => Err(AdminCallError::Other(self.refused(status, &body))),
        }
    }

    /// The answer of `/readyz?verbose`: whether it is ready, and the text.
    pub(super) async fn readiness(&self) -> Result<(bool, String), Failure> {
        let (status, body) = self.send(Method::GET, "readyz?verbose").await?;
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

    async fn exchange(&self, method: Method, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        self.send(method, &format!("api/{path}")).await
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(body).map_err(|error| {
            Failure::failed(format!(
                "the relay on {} gives an answer that this program does not expect ({error}); do both have the same \
                 version?",
                self.socket.display()
            ))
        })
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        match serde_json::from_slice::<RefusalAnswer>(body) {
            // The request itself is wrong: the user must change the command.
            Ok(refusal) if status == StatusCode::BAD_REQUEST => Failure::usage(refusal.error),
            Ok(refusal) => Failure::failed(refusal.error),
            Err(_) => Failure::failed(format!(
                "the relay on {} answers {status}",
                self.socket.display()
            )),
        }
    }

    /// Why there is no answer, and what to do.
    fn no_answer(&self, error: &reqwest::Error) -> String {
        let socket = self.socket.display();
        if error.is_timeout() {
            return format!("the relay on {socket} does not answer in time");
        }
        let configured = "start it, or name its configuration (--config, and server.data_dir in the file or as \
                          MEETRELAY__SERVER__DATA_DIR)";
        match refusal_of(error) {
            Some(why) if why.kind() == ErrorKind::NotFound => {
                format!(
                    "the relay of this configuration does not run, or has not finished starting: there is no {socket}; {configured}"
                )
            }
            Some(why) if why.kind() == ErrorKind::ConnectionRefused => {
                format!(
                    "the relay of this configuration does not run: nothing answers on {socket}; {configured}"
                )
            }
            Some(why) if why.kind() == ErrorKind::PermissionDenied => {
                format!(
                    "{socket}: permission denied; run this command as the relay's user or as root"
                )
            }
            Some(why) => format!("the relay on {socket} cannot be reached: {why}"),
            None => format!("the relay on {socket} ended the connection without an answer"),
        }
    }

    async fn send(&self, method: Method, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{BASE}/{path}"))
            .header(CALLER_HEADER, header_text(&self.by))
            .body(String::new())
            .map_err(Failure::failed)?;
        let http = match &self.reach {
            Reach::Relay(http) => http,
            Reach::Files(files) => {
                let answer = files.answer(request).await;
                return Ok((answer.status(), answer.into_body()));
            }
        };
        let request = request.try_into().map_err(Failure::failed)?;
        let mut response = http
            .execute(request)
            .await
            .map_err(|error| Failure::failed(self.no_answer(&error)))?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(Failure::failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let why = format!("the relay's answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(Failure::failed(why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body.freeze()))
    }
}

fn http_client(socket: &Path) -> Result<reqwest::Client, Failure> {
    // If another command of this process has installed it, this fails, which does not matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .unix_socket(socket)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(CALL_TIMEOUT)
        .build()
        .map_err(Failure::failed)
}

/// The system's error, if the system refused the connection.
fn refusal_of(error: &reqwest::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref() {
            return Some(refusal);
        }
        cause = error.source();
    }
    None
}

/// This machine's name, or `unknown`.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}

/// A name without the characters that a header cannot hold.
fn header_text(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).collect()
}

/// A text, encoded as one segment of a path.
pub(super) fn path_part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
