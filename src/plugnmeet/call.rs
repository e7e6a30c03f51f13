//! Makes one signed call: signs the body, sends it and interprets the answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Serialize;
use url::Url;

use super::answer::{self, AnswerBody};
use super::{ApiKeys, PlugNmeet, URL_SETTING, signature};
use crate::domain::Peer;
use crate::http::{CallError, CallOutcome, CallReport, HttpAnswer, HttpRequest, Operation};
use crate::ports::ConferenceError;

impl PlugNmeet {
    /// Signs `body`, posts it to `/auth/{path}`, reads the answer and reports the outcome to the observer.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        path: &str,
        body: &impl Serialize,
        read: impl FnOnce(AnswerBody) -> Result<T, ConferenceError>,
    ) -> Result<T, ConferenceError> {
        let started = Instant::now();
        let result = match self.post(path, body).await {
            Ok((answer, keys)) => {
                let envelope = answer::envelope(&answer);
                self.report_configuration(&answer, &envelope, &keys);
                envelope.and_then(read)
            }
            Err(error) => Err(error),
        };
        self.report(operation, started, &result);
        result
    }

    /// Reports the outcome of a call to the observer.
    pub(super) fn report<T>(
        &self,
        operation: Operation,
        started: Instant,
        result: &Result<T, ConferenceError>,
    ) {
        self.http.report(&CallReport {
            operation,
            outcome: result.as_ref().err().map_or(CallOutcome::Success, outcome),
            duration: started.elapsed(),
            rate_limit: None,
        });
    }

    /// Reports what an answer shows about the configuration. A refusal of the keys is reported once until it ends.
    fn report_configuration<T>(
        &self,
        answer: &HttpAnswer,
        read: &Result<T, ConferenceError>,
        keys: &Arc<ApiKeys>,
    ) {
        match read {
            Err(ConferenceError::Unauthorized { why }) => {
                self.http.peer_answered();
                // A call that started before a rotation says nothing about the current keys.
                let is_current = Arc::ptr_eq(keys, &self.keys.load());
                if is_current && !self.is_key_refused.swap(true, Ordering::Relaxed) {
                    let remedy =
                        "correct plugnmeet.api_key and plugnmeet.api_secret and reload (SIGHUP)";
                    let refusal = format!("plugNmeet refuses the relay's API key: {why}; {remedy}");
                    self.http.report_access(Peer::PlugNmeet, Some(&refusal));
                    tracing::error!(
                        why,
                        setting = "plugnmeet.api_key, plugnmeet.api_secret",
                        "plugNmeet refuses the relay's API key or signature; rooms, ends and polls wait until both settings match those of plugNmeet: correct them and reload (SIGHUP)"
                    );
                }
            }
            Err(ConferenceError::Unavailable { .. }) if answer::is_foreign(answer) => {
                self.http.foreign_answered(URL_SETTING, answer);
            }
            Err(ConferenceError::Unavailable { .. }) => {}
            // plugNmeet did not know the path and has not checked the key.
            Err(_) => self.http.peer_answered(),
            Ok(_) => {
                self.http.peer_answered();
                if self.is_key_refused.swap(false, Ordering::Relaxed) {
                    self.http.report_access(Peer::PlugNmeet, None);
                    tracing::info!("plugNmeet accepts the relay's API key again");
                }
            }
        }
    }

    async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(HttpAnswer, Arc<ApiKeys>), ConferenceError> {
        let refused = |why: String| ConferenceError::Refused { why };
        let body = serde_json::to_vec(body).map_err(|error| refused(error.to_string()))?;
        let keys = self.keys.load_full();
        let signature = signature::sign(&keys.api_secret, &body);
        let mut signature = HeaderValue::try_from(signature)
            .map_err(|_| refused("the signature is not allowed in an HTTP header".to_owned()))?;
        signature.set_sensitive(true);
        let segments = std::iter::once("auth").chain(path.split('/'));
        let request = HttpRequest::new(Method::POST, below(&self.settings.url, segments))
            .header(HeaderName::from_static("api-key"), keys.api_key.clone())
            .header(HeaderName::from_static("hash-signature"), signature)
            .json(body);
        let answer = self.http.send(request).await.map_err(unreachable)?;
        Ok((answer, keys))
    }
}

/// The address of `segments` below `base`, which may have a path of its own.
pub(super) fn below<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// The error for a call without an answer.
pub(super) fn unreachable(error: CallError) -> ConferenceError {
    ConferenceError::Unreachable {
        why: error.to_string(),
    }
}

/// The outcome as which metrics count an error.
const fn outcome(error: &ConferenceError) -> CallOutcome {
    match error {
        ConferenceError::Unreachable { .. } => CallOutcome::Unreachable,
        ConferenceError::Unavailable { .. } | ConferenceError::Internal { .. } => {
            CallOutcome::ServerError
        }
        ConferenceError::Unauthorized { .. } => CallOutcome::Unauthorized,
        ConferenceError::RoomGone
        | ConferenceError::Blocked
        | ConferenceError::NotFound
        | ConferenceError::Refused { .. } => CallOutcome::Refused,
    }
}
