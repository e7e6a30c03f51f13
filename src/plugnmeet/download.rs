//! Downloads: tokens for browsers, and the relay's own reading of a summary
//! (src/plugnmeet/README.md, "Downloads").

use std::time::Instant;

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use url::Url;

use super::answer::{is_foreign, media_type, not_its_word};
use super::call::{below, unreachable};
use super::{PlugNmeet, URL_SETTING};
use crate::domain::{ArtifactId, ArtifactKind};
use crate::http::{CallError, HttpAnswer, HttpRequest, Operation};
use crate::ports::ConferenceError;

/// The status with which plugNmeet's download hook redirects to its storage. A proxy that wants people to log in uses
/// another.
const HOOK_REDIRECT: u16 = 307;

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
        self.call(Operation::MintToken, path, &body, |envelope| {
            envelope.token()
        })
        .await
    }

    /// Reads a file, following at most one redirect, and that only within plugNmeet's own host or to
    /// `download_hosts`.
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
        // What the redirect's target answers (the storage) says nothing about plugNmeet's own address.
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

    /// Where a download hook sends us: an address with a signature in it, so only its host is ever named.
    fn redirect_target(&self, from: &Url, answer: &HttpAnswer) -> Result<Url, ConferenceError> {
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

/// What a download's status means: 401 is about the token, which a new attempt mints again, not about the key. A page
/// for people is of neither plugNmeet nor its storage.
fn file(answer: &HttpAnswer) -> Result<(), ConferenceError> {
    if is_page(answer) {
        return Err(not_its_word(answer));
    }
    match answer.status {
        200..=299 => Ok(()),
        401 => Err(ConferenceError::Internal {
            why: "HTTP 401: the download token is not taken; the clocks of plugNmeet's machines, \
                  or its token_validity, may be wrong"
                .to_owned(),
        }),
        404 => Err(ConferenceError::NotFound),
        400 if media_type(answer) == "text/plain" => Err(refused(
            "HTTP 400: plugNmeet refuses the path of the file".to_owned(),
        )),
        _ => Err(not_its_word(answer)),
    }
}

/// plugNmeet gives artifacts as text, and its storage whatever it is given: never a page.
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
