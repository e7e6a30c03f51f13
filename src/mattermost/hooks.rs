//! Calls of addresses that are secrets themselves: response URLs, incoming webhooks, a plugin's endpoint. Such a call
//! needs no account, and no part of the address is ever put into a log or error text.

use std::time::Instant;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use url::Url;

use super::call::{address, unreachable};
use super::errors;
use super::form::{self, HookRefusal};
use crate::domain::ResponseHook;
use crate::http::{Http, HttpAnswer, HttpRequest, Operation};
use crate::ports::ChatError;

/// Longest answer of a hook that is read, in bytes; a success is `ok`.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The client for these addresses.
pub(super) struct Hooks {
    /// The server's address as people use it (SiteURL).
    url: Url,
    http: Http,
}

/// One call of a secret address.
pub(super) struct Push {
    /// The operation as which metrics count the call.
    pub(super) operation: Operation,
    /// The address to call.
    pub(super) address: Url,
    /// The header `Authorization`, marked sensitive.
    pub(super) authorization: Option<HeaderValue>,
    /// The JSON body.
    pub(super) body: Vec<u8>,
}

impl Hooks {
    /// The client whose response URLs are below `url`.
    pub(super) fn new(url: Url, http: Http) -> Self {
        Self { url, http }
    }

    /// Sends an answer to a slash command's response URL (src/mattermost/README.md, "Response URLs").
    pub(super) async fn answer(&self, hook: &ResponseHook, body: Vec<u8>) -> Result<(), ChatError> {
        let path = ["hooks", "commands", hook.expose()];
        let push = Push {
            operation: Operation::AnswerCommand,
            address: address(&self.url, &path),
            authorization: None,
            body,
        };
        self.push(push, |http, answer| {
            form::read_hook(http, answer, form::SERVER).map_err(|refusal| match refusal {
                HookRefusal::Own(error) => errors::classify(answer, &error),
                HookRefusal::Strange(error) => error,
            })
        })
        .await
    }

    /// Makes a call, interprets its answer with `meaning`, and reports the outcome to the observer.
    pub(super) async fn push(
        &self,
        push: Push,
        meaning: impl FnOnce(&Http, &HttpAnswer) -> Result<(), ChatError> + Send,
    ) -> Result<(), ChatError> {
        let (operation, started) = (push.operation, Instant::now());
        let mut request = HttpRequest::new(Method::POST, push.address)
            .json(push.body)
            .answer_bytes_max(ANSWER_BYTES_MAX);
        if let Some(value) = push.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let answer = self.http.send(request).await;
        let rate_limit = answer.as_ref().ok().and_then(|answer| answer.rate_limit);
        let result = answer
            .map_err(unreachable)
            .and_then(|answer| meaning(&self.http, &answer));
        errors::report(&self.http, operation, started, rate_limit, &result);
        result
    }
}
