//! The outbound HTTP client: one total deadline, bounded answers, no redirects, no proxy, no cookies, and no more calls
//! than the peer's rate limit allows.
//!
//! Both peers are called through it. The module of each peer interprets the answers. Here a call ends as an
//! `HttpAnswer` of any status, or as a `CallError` that shows whether the peer may have carried the request out.

mod foreign;
mod hints;
mod observer;
mod pace;
mod tls;
mod why;

#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::domain::Peer;
use foreign::ForeignAnswers;
pub(crate) use foreign::described;
pub(crate) use hints::RateLimit;
#[cfg(test)]
pub(crate) use observer::Unobserved;
pub(crate) use observer::{CallObserver, CallOutcome, CallReport, Operation};
pub(crate) use pace::Urgency;
use pace::{CallPermit, Pace};
pub(crate) use why::log_text;

/// Longest time for name lookup, connecting and the TLS handshake together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. It is less than the 60 s after which Mattermost closes one, so that few calls
/// use a connection that is being closed.
const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// How many idle connections are kept for each host.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// How calls are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpSettings {
    /// The time for connecting, sending, headers and body together. A call to plugNmeet may take 20 s without a fault,
    /// because calls wait for a lock of their room (src/plugnmeet/README.md, "Answers").
    pub deadline: Duration,
    /// Longest body that is read, in bytes, unless the request says otherwise.
    pub response_bytes_max: usize,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Whether the `X-RateLimit` headers delay further calls. This needs one server behind all calls. The caller
    /// observes the pause that a 429 asks for.
    pub heeds_rate_limit: bool,
    /// Most calls that are sent in a second; 0 for any number.
    pub calls_per_second: u32,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            response_bytes_max: 2 * 1024 * 1024,
            user_agent: concat!("meetrelay/", env!("CARGO_PKG_VERSION")).to_owned(),
            heeds_rate_limit: false,
            calls_per_second: 0,
        }
    }
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {}", why::chain(.0.as_ref()))]
pub struct HttpSetupError(#[source] Box<dyn Error + Send + Sync>);

/// A request to send. It holds secrets, and therefore does not implement `Debug`.
#[derive(Clone)]
pub(crate) struct HttpRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    answer_bytes_max: Option<usize>,
    urgency: Urgency,
}

impl HttpRequest {
    /// A request without headers and body.
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            answer_bytes_max: None,
            urgency: Urgency::Urgent,
        }
    }

    /// With a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With exactly these bytes, and the content type of JSON.
    pub(crate) fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(
            reqwest::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )
    }

    /// With its own bound on the answer's body, in bytes.
    pub(crate) fn answer_bytes_max(mut self, bytes: usize) -> Self {
        self.answer_bytes_max = Some(bytes);
        self
    }

    /// With this urgency. The default is [`Urgency::Urgent`].
    pub(crate) fn urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }
}

/// A complete answer, of any status.
#[derive(Clone)]
pub(crate) struct HttpAnswer {
    /// The status, 100 to 999.
    pub status: u16,
    /// The `Date` header: when the peer answered, to the second, on its own clock.
    pub date: Option<SystemTime>,
    /// How long the peer asks to wait, at most `RETRY_AFTER_MAX`.
    pub retry_after: Option<Duration>,
    /// The peer's rate limit, from its headers.
    pub rate_limit: Option<RateLimit>,
    /// All headers. They may hold secrets.
    pub headers: HeaderMap,
    /// The target of a redirect. It may hold a secret.
    pub location: Option<String>,
    /// The body, not decompressed.
    pub body: Bytes,
}

impl HttpAnswer {
    /// Whether the status is one of 200 to 299.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A call without a complete answer. No text in it holds a secret, a query or a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// No connection was made, so the request was certainly not carried out.
    #[error("not sent: {why}")]
    NotSent {
        /// The failure of the name lookup, the connection or TLS.
        why: String,
    },
    /// Not tried: the peer's rate limit is used up for longer than a call may wait.
    #[error("not sent: the rate limit is used up for {after:?}")]
    Held {
        /// The time until the next call may be sent.
        after: Duration,
    },
    /// Sent, at least in part. It is unknown whether the request was carried out.
    #[error("no answer: {why}")]
    NoAnswer {
        /// What went wrong.
        why: String,
    },
    /// Answered with more bytes than the bound. It is unknown what the request did.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
}

impl CallError {
    /// Whether the peer may have carried the request out.
    pub(crate) const fn was_sent(&self) -> bool {
        !matches!(self, Self::NotSent { .. } | Self::Held { .. })
    }
}

/// The client. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    deadline: Duration,
    response_bytes_max: usize,
    pace: Arc<Pace>,
    heeds_rate_limit: bool,
    foreign: Arc<ForeignAnswers>,
    observer: Arc<dyn CallObserver>,
}

impl Http {
    /// The client with these settings. `observer` receives a report of every call.
    pub(crate) fn new(
        settings: HttpSettings,
        observer: Arc<dyn CallObserver>,
    ) -> Result<Self, HttpSetupError> {
        let connect = CONNECT_DEADLINE.min(settings.deadline / 2);
        let tls = tls::client_config().map_err(|error| HttpSetupError(error.into()))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(connect)
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .user_agent(settings.user_agent)
            .build()
            .map_err(|error| HttpSetupError(error.without_url().into()))?;
        Ok(Self {
            client,
            deadline: settings.deadline,
            response_bytes_max: settings.response_bytes_max,
            pace: Arc::new(Pace::new(settings.calls_per_second)),
            heeds_rate_limit: settings.heeds_rate_limit,
            foreign: Arc::default(),
            observer,
        })
    }

    /// Sends a request and reads its whole answer within the deadline. The deadline begins when the peer's rate limit
    /// allows the request.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, CallError> {
        let permit = self.pace.acquire(request.urgency).await;
        let permit = permit.map_err(|after| CallError::Held { after })?;
        match tokio::time::timeout(self.deadline, self.exchange(request)).await {
            Ok(Ok(answer)) => {
                self.learn_pace(&permit, &answer);
                Ok(answer)
            }
            Ok(Err(error)) => Err(error),
            // Connecting has a shorter deadline of its own, so this request was already sent.
            Err(_) => Err(CallError::NoAnswer {
                why: format!("not answered within {:?}", self.deadline),
            }),
        }
    }

    /// Reports to the observer how a call ended.
    pub(crate) fn report(&self, report: &CallReport) {
        self.observer.call_ended(report);
    }

    /// The peer itself answered, in its own format.
    pub(crate) fn peer_answered(&self) {
        self.foreign.clear();
    }

    /// Something else answered instead of the peer, in another format. If this lasts, it is logged as a probably wrong
    /// address in `setting`.
    pub(crate) fn foreign_answered(&self, setting: &'static str, answer: &HttpAnswer) {
        self.foreign.note(setting, answer);
    }

    /// Reports to the observer that `peer` refuses the relay's credential (`refusal`: why, and what to change), or
    /// accepts it again (`None`).
    pub(crate) fn report_access(&self, peer: Peer, refusal: Option<&str>) {
        self.observer.access_changed(peer, refusal);
    }

    fn learn_pace(&self, permit: &CallPermit<'_>, answer: &HttpAnswer) {
        if let Some(limit) = answer.rate_limit
            && self.heeds_rate_limit
        {
            self.pace.learn(permit, limit);
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, CallError> {
        let limit = request.answer_bytes_max.unwrap_or(self.response_bytes_max);
        let response = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(failed)?;
        let status = response.status().as_u16();
        let headers = response.headers();
        let date = hints::date(headers);
        let (retry_after, rate_limit) = (
            hints::text(headers, &reqwest::header::RETRY_AFTER)
                .and_then(|value| hints::retry_after(value, date)),
            hints::rate_limit(headers),
        );
        let location = hints::text(headers, &reqwest::header::LOCATION).map(str::to_owned);
        let headers = headers.clone();
        let body = read_body(response, limit).await?;
        Ok(HttpAnswer {
            status,
            date,
            retry_after,
            rate_limit,
            headers,
            location,
            body,
        })
    }
}

async fn read_body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, CallError> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > limit) {
        return Err(CallError::TooLarge { limit });
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > limit {
            return Err(CallError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn failed(error: reqwest::Error) -> CallError {
    let not_sent = error.is_connect() || error.is_builder();
    let why = why::chain(&error.without_url());
    if not_sent {
        CallError::NotSent { why }
    } else {
        CallError::NoAnswer { why }
    }
}
