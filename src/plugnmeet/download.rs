//! Downloads: tokens for browsers, and the relay's own reading of a summary (plugnmeet.md 2.14).

use std::time::Instant;

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use url::Url;

use super::PlugNmeet;
use super::answer::by_status;
use super::call::{below, unreachable};
use crate::domain::{ArtifactId, ArtifactKind};
use crate::http::{Answer, CallError, Request};
use crate::ports::ConferenceError;

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Where a token is good for a download, below the internal or the external address.
pub(super) fn address(base: &Url, kind: ArtifactKind, token: &str) -> Url {
    let what = match kind {
        ArtifactKind::Recording => "recording",
        _ => "artifact",
    };
    below(base, ["download", what, token])
}

impl PlugNmeet {
    /// Mints a download token.
    pub(super) async fn download_token(
        &self,
        id: &ArtifactId,
        kind: ArtifactKind,
    ) -> Result<String, ConferenceError> {
        let (path, body) = match kind {
            ArtifactKind::Recording => ("recording/getDownloadToken", json!({ "record_id": id })),
            _ => ("artifact/getDownloadToken", json!({ "artifact_id": id })),
        };
        self.call("download_token", path, &body, |envelope| envelope.token())
            .await
    }

    /// Reads a file, following at most one redirect, and that only within plugNmeet's own host or to
    /// `download_hosts`.
    pub(super) async fn download(&self, address: Url) -> Result<Bytes, ConferenceError> {
        let started = Instant::now();
        let result = self.read_file(address).await;
        self.report("download", started, &result);
        result
    }

    async fn read_file(&self, address: Url) -> Result<Bytes, ConferenceError> {
        let answer = self.get(address.clone()).await?;
        if !is_redirect(&answer) {
            return file(answer);
        }
        let target = self.redirect_target(&address, &answer)?;
        let answer = self.get(target).await?;
        if is_redirect(&answer) {
            return Err(refused("the download is redirected twice".to_owned()));
        }
        file(answer)
    }

    async fn get(&self, address: Url) -> Result<Answer, ConferenceError> {
        let request = Request::new(Method::GET, address).answer_bytes_max(FILE_BYTES_MAX);
        self.http.send(request).await.map_err(|error| match error {
            CallError::TooLarge { .. } => refused(error.to_string()),
            other => unreachable(other),
        })
    }

    /// Where a download hook sends us: an address with a signature in it, so only its host is ever named.
    fn redirect_target(&self, from: &Url, answer: &Answer) -> Result<Url, ConferenceError> {
        let location = answer.location.as_deref().unwrap_or_default();
        let target = from
            .join(location)
            .map_err(|_| refused("the download is redirected to no address".to_owned()))?;
        let host = target.host_str().unwrap_or_default();
        let with_port = match target.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let own = &self.settings.url;
        let is_own = target.host_str() == own.host_str()
            && target.port_or_known_default() == own.port_or_known_default();
        let is_listed = self.settings.download_hosts.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(&with_port)
        });
        let is_allowed = matches!(target.scheme(), "http" | "https") && (is_own || is_listed);
        if is_allowed {
            Ok(target)
        } else {
            Err(refused(format!(
                "the download is redirected to {with_port}, which is not one of plugnmeet.download_hosts"
            )))
        }
    }
}

fn is_redirect(answer: &Answer) -> bool {
    matches!(answer.status, 301 | 302 | 303 | 307 | 308)
}

/// What a download's status means: 401 is about the token, which a new attempt mints anew, not about the key.
fn file(answer: Answer) -> Result<Bytes, ConferenceError> {
    match answer.status {
        200..=299 => Ok(answer.body),
        401 => Err(ConferenceError::Internal {
            why: "HTTP 401: the download token is not taken; the clocks of plugNmeet's machines, \
                  or its token_validity, may be wrong"
                .to_owned(),
        }),
        404 => Err(ConferenceError::NotFound),
        _ => Err(by_status(&answer)),
    }
}

fn refused(why: String) -> ConferenceError {
    ConferenceError::Refused { why }
}
