//! What is told in one call although several metrics show it.

use std::time::Duration;

use super::Metrics;
use super::label::LabelSet;
use super::labels::{
    BreakerState, BreakerTurn, CallOutcome, Endpoint, Operation, Route, StatusClass, Webhook,
    WebhookSource,
};
use crate::domain::{Peer, Timestamp};

impl Metrics {
    /// A request to the public listener was answered with `status`.
    pub fn answered(&self, endpoint: Endpoint, status: u16, took: Duration) {
        let class = match status {
            0..300 => StatusClass::Success,
            300..400 => StatusClass::Redirect,
            400..500 => StatusClass::Refused,
            _ => StatusClass::Failed,
        };
        self.http_requests_total.with((endpoint, class)).inc();
        let duration = self.http_request_duration_seconds.with(endpoint.route());
        duration.observe(took.as_secs_f64());
    }

    /// A call to a peer was made; `now` on our clock.
    pub fn called(&self, call: Operation, outcome: CallOutcome, took: Duration, now: Timestamp) {
        self.downstream_requests_total.with((call, outcome)).inc();
        let duration = self.downstream_request_duration_seconds.with(call);
        duration.observe(took.as_secs_f64());
        if outcome == CallOutcome::Success {
            self.downstream_last_success_timestamp_seconds
                .mark(call.peer(), now);
        }
    }

    /// The breaker of `peer` is in this state now.
    pub fn breaker(&self, peer: Peer, state: BreakerState) {
        for candidate in BreakerState::ALL {
            let gauge = self.circuit_breaker_state.with((peer, *candidate));
            gauge.set(i64::from(*candidate == state));
        }
    }

    /// The breaker of `peer` opened or closed.
    pub fn breaker_turned(&self, peer: Peer, to: BreakerTurn) {
        self.circuit_breaker_transitions_total
            .with((peer, to))
            .inc();
        self.breaker(
            peer,
            match to {
                BreakerTurn::Closed => BreakerState::Closed,
                BreakerTurn::Open => BreakerState::Open,
            },
        );
    }
}

/// A point in time as metrics write it.
fn seconds(at: Timestamp) -> f64 {
    Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0)).as_secs_f64()
}

impl<L: LabelSet> super::Moment<L> {
    /// It happened now, on our clock.
    pub fn mark(&self, labels: L, now: Timestamp) {
        self.with(labels).set(seconds(now));
    }
}

impl Endpoint {
    /// Its route, whatever the method.
    pub const fn route(self) -> Route {
        match self {
            Self::Outgoing => Route::Outgoing,
            Self::CommandPost | Self::CommandGet => Route::Command,
            Self::PlugNmeet => Route::PlugNmeet,
            Self::JoinGet | Self::JoinPost => Route::Join,
            Self::Artifact => Route::Artifact,
            Self::Other => Route::Other,
        }
    }

    /// The endpoint that a request is for, by its method and path.
    pub fn of(method: &str, path: &str) -> Self {
        let path = path.trim_end_matches('/');
        match (method, path) {
            ("POST", "/mattermost/outgoing") => Self::Outgoing,
            ("POST", COMMAND | COMMAND_ALIAS | COMMAND_API_ALIAS) => Self::CommandPost,
            ("GET", COMMAND | COMMAND_ALIAS | COMMAND_API_ALIAS) => Self::CommandGet,
            ("POST", "/plugnmeet/webhook") => Self::PlugNmeet,
            ("GET" | "HEAD", path) if path.starts_with("/join/") => Self::JoinGet,
            ("POST", path) if path.starts_with("/join/") => Self::JoinPost,
            ("GET" | "HEAD", path) if path.starts_with("/artifact/") => Self::Artifact,
            _ => Self::Other,
        }
    }
}

const COMMAND: &str = "/mattermost/command";
const COMMAND_ALIAS: &str = "/auth/mattermost/command";
const COMMAND_API_ALIAS: &str = "/api/mattermost/command";

impl Operation {
    /// The server that it calls.
    pub const fn peer(self) -> Peer {
        match self {
            Self::CreatePost | Self::PatchPost | Self::AnswerCommand | Self::Read => {
                Peer::Mattermost
            }
            Self::CreateRoom | Self::EndRoom | Self::MintToken | Self::Ask => Peer::PlugNmeet,
        }
    }
}

impl Webhook {
    /// Who sends it.
    pub const fn source(self) -> WebhookSource {
        match self {
            Self::Post => WebhookSource::OutgoingWebhook,
            Self::CommandStart | Self::CommandEnd | Self::CommandList | Self::CommandHelp => {
                WebhookSource::SlashCommand
            }
            _ => WebhookSource::PlugNmeet,
        }
    }
}
