//! Downloads: mints tokens for browsers, and reads the file of a summary for the relay (src/plugnmeet/README.md,
//! "Downloads").

use std::time::Instant;

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use url::Url;

use super::answer::{foreign_answer, is_foreign, media_type};
use super::call::{below, unreachable};
use super::{PlugNmeet, URL_SETTING};
use crate::domain::{ArtifactId, ArtifactKind};
use crate::http::{CallError, HttpAnswer, HttpRequest, Operation};
use crate::ports::ConferenceError;

/// The status with which plugNmeet's download hook redirects to its storage. A proxy that redirects to a login page
/// uses another one.
const HOOK_REDIRECT: u16 = 307;

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// The address of a download with this token, below the internal or the external address of plugNmeet.
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
        self.call(Operation::MintToken, path, &body, |envelope| {
            envelope.token()
        })
        .await
    }

    /// Reads a file. At most one redirect is followed, and only to plugNmeet's own host or to one of `download_hosts`.
    pub(super) async fn download(&self, address: Url) -> Result<Bytes, ConferenceError> {
        let started = Instant::now();
        let result = self.read_file(address).await;
        self.report(Operation::Ask, started, &result);
        result
    }

    async fn read_file(&self, address: Url) -> Result<Bytes, ConferenceError> {
        let answer = self.get(address.clone()).await?;
        let is_redirected = is_redirect(&answer);
        let answer = if is_redirected {
            let target = self.redirect_target(&address, &answer)?;
            self.get(target).await?
        } else {
            answer
        };
        if answer.status == HOOK_REDIRECT {
            return Err(refused("the download is redirected twice".to_owned()));
        }
        let result = file(&answer);
        // An answer of the storage, the target of the redirect, says nothing about plugNmeet's own address.
        let is_outage = matches!(result, Err(ConferenceError::Unavailable { .. }));
        if is_outage && !is_redirected && is_foreign(&answer) {
            self.http.foreign_answered(URL_SETTING, &answer);
        }
        result.map(|()| answer.body)
    }

    async fn get(&self, address: Url) -> Result<HttpAnswer, ConferenceError> {
        let request = HttpRequest::new(Method::GET, address).answer_bytes_max(FILE_BYTES_MAX);
        self.http.send(request).await.map_err(|error| match error {
            CallError::TooLarge { .. } => refused(error.to_string()),
            other => unreachable(other),
        })
    }

    /// The target of a download hook's redirect. The address holds a signature, so texts name only its host.
    fn redirect_target(&self, from: &Url, answer: &HttpAnswer) -> Result<Url, ConferenceError> {
        let location = answer.location.as_deref().unwrap_or_default();
        let target = from
            .join(location)
            .map_err(|_| refused("the download is redirected to an invalid address".to_owned()))?;
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
        let why = format!(
            "the download is redirected to {with_port}, which is not one of plugnmeet.download_hosts"
        );
        match answer.status {
            _ if is_allowed => Ok(target),
            HOOK_REDIRECT => Err(refused(why)),
            _ => {
                self.http.foreign_answered(URL_SETTING, answer);
                let after = answer.retry_after;
                Err(ConferenceError::Unavailable { why, after })
            }
        }
    }
}

fn is_redirect(answer: &HttpAnswer) -> bool {
    matches!(answer.status, 301 | 302 | 303 | 307 | 308)
}

/// Checks the answer to a download. A 401 concerns the token, which the next attempt mints again, not the key. An HTML
/// page comes neither from plugNmeet nor from its storage.
fn file(answer: &HttpAnswer) -> Result<(), ConferenceError> {
    if is_page(answer) {
        return Err(foreign_answer(answer));
    }
    match answer.status {
        200..=299 => Ok(()),
        401 => Err(ConferenceError::Internal {
            why: "HTTP 401: the download token is refused; the clocks of plugNmeet's machines, \
                  or its token_validity, may be wrong"
                .to_owned(),
        }),
        404 => Err(ConferenceError::NotFound),
        400 if media_type(answer) == "text/plain" => Err(refused(
            "HTTP 400: plugNmeet refuses the path of the file".to_owned(),
        )),
        _ => Err(foreign_answer(answer)),
    }
}

/// Whether the answer is an HTML page. plugNmeet and its storage never send one for an artifact.
fn is_page(answer: &HttpAnswer) -> bool {
    let start = answer.body.trim_ascii_start();
    let begins_with = |tag: &[u8]| {
        start
            .get(..tag.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(tag))
    };
    media_type(answer).eq_ignore_ascii_case("text/html")
        || begins_with(b"<!doctype html")
        || begins_with(b"<html")
}

fn refused(why: String) -> ConferenceError {
    ConferenceError::Refused { why }
}
