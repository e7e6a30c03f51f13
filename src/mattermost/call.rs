//! Makes one call of the REST API: builds the request, sends it and interprets the answer.

use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::session::LoginSession;
use super::{Mattermost, errors, form};
use crate::http::{CallError, HttpRequest, Operation, RateLimit, Urgency};
use crate::ports::ChatError;

/// The source of the header `Authorization`.
pub(super) enum Authorization {
    /// A fixed token.
    Token(HeaderValue),
    /// The current token of a login session.
    Session(LoginSession),
}

/// A token as the value of the header; `None` if it has characters that are not allowed there.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A call of the REST API that can be repeated.
#[derive(Clone)]
pub(super) struct MattermostCall {
    operation: Operation,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    answer_bytes_max: Option<usize>,
    urgency: Urgency,
    /// Only an account gets an answer, so the answer proves something about the credential.
    needs_account: bool,
}

impl MattermostCall {
    /// A call of the REST API.
    pub(super) fn new(operation: Operation, method: Method, path: &[&str]) -> Self {
        let path = ["api", "v4"].iter().chain(path);
        Self {
            operation,
            method,
            path: path.map(|segment| (*segment).to_owned()).collect(),
            query: Vec::new(),
            body: None,
            answer_bytes_max: None,
            urgency: Urgency::Urgent,
            needs_account: true,
        }
    }

    /// Mattermost answers this call for everybody, even with a revoked token.
    pub(super) fn for_everybody(mut self) -> Self {
        self.needs_account = false;
        self
    }

    pub(super) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(super) fn json(self, body: &impl Serialize) -> Self {
        // Our values can always be serialized. If one could not, the server would refuse the empty body.
        self.body(serde_json::to_vec(body).unwrap_or_default())
    }

    pub(super) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn answer_bytes_max(mut self, bytes: usize) -> Self {
        self.answer_bytes_max = Some(bytes);
        self
    }

    pub(super) fn urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }
}

impl Mattermost {
    /// Makes a call, reports its outcome to the observer, and returns the answer. Only Mattermost's own answer of the
    /// type `T` is a success.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        call: MattermostCall,
    ) -> Result<T, ChatError> {
        let identity = self.identity.load_full();
        let is_proof = call.needs_account;
        let (result, is_barred) = match &identity.authorization {
            Authorization::Token(token) => (self.make(call, Some(token)).await, false),
            Authorization::Session(session) => {
                let result = self.ask_in_session(session, call).await;
                (result, session.is_barred())
            }
        };
        // A call that started with an older credential says nothing about the current one.
        if is_proof && Arc::ptr_eq(&identity, &self.identity.load()) {
            self.access
                .note(&self.http, &identity.credential, &result, is_barred);
        }
        result
    }

    async fn ask_in_session<T: DeserializeOwned>(
        &self,
        session: &LoginSession,
        call: MattermostCall,
    ) -> Result<T, ChatError> {
        let is_proof = call.needs_account;
        let token = session.token().await?;
        let first = self.make(call.clone(), Some(&token.authorization)).await;
        let Err(ChatError::Unauthorized { .. }) = first else {
            if is_proof {
                session.met(&token, &first);
            }
            return first;
        };
        // A call that is answered with 401 was not carried out, so it may be repeated.
        let token = session.renew(&token).await?;
        let second = self.make(call, Some(&token.authorization)).await;
        match &second {
            Err(ChatError::Unauthorized { why }) => session.useless(&token, why),
            other if is_proof => session.met(&token, other),
            _ => {}
        }
        second
    }

    /// Makes a call once with this authorization.
    pub(super) async fn make<T: DeserializeOwned>(
        &self,
        call: MattermostCall,
        authorization: Option<&HeaderValue>,
    ) -> Result<T, ChatError> {
        let operation = call.operation;
        let started = Instant::now();
        let mut rate_limit = None;
        let result = self.exchange(call, authorization, &mut rate_limit).await;
        errors::report(&self.http, operation, started, rate_limit, &result);
        result
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        call: MattermostCall,
        authorization: Option<&HeaderValue>,
        rate_limit: &mut Option<RateLimit>,
    ) -> Result<T, ChatError> {
        let request = self.request(call, authorization)?;
        let asked_at = self.clock.now();
        let answer = self.http.send(request).await.map_err(unreachable)?;
        if let Some(date) = answer.date {
            self.server_clock.learn(date, asked_at, self.clock.now());
        }
        *rate_limit = answer.rate_limit;
        form::read(&self.http, &answer)
    }

    fn request(
        &self,
        call: MattermostCall,
        authorization: Option<&HeaderValue>,
    ) -> Result<HttpRequest, ChatError> {
        // Such a segment would be removed from the path, which would then name another resource.
        if call
            .path
            .iter()
            .any(|segment| segment.is_empty() || segment == "." || segment == "..")
        {
            return Err(ChatError::Refused {
                why: "an id that is not allowed in a URL path".to_owned(),
            });
        }
        let mut url = address(&self.url, &call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = HttpRequest::new(call.method, url).urgency(call.urgency);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        if let Some(bytes) = call.answer_bytes_max {
            request = request.answer_bytes_max(bytes);
        }
        Ok(request)
    }
}

/// The address of a path below the server's address.
pub(super) fn address(server: &Url, path: &[impl AsRef<str>]) -> Url {
    let mut url = server.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

/// The port's error for a call without an answer.
pub(super) fn unreachable(error: CallError) -> ChatError {
    if let CallError::Held { after } = error {
        return ChatError::Throttled { after: Some(after) };
    }
    ChatError::Unreachable {
        why: error.to_string(),
        sent: error.was_sent(),
    }
}
