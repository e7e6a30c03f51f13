//! Reports that update several metrics in one call.

use std::time::Duration;

use super::Metrics;
use super::labels::StatusClass;
use crate::domain::label::LabelSet;
use crate::domain::{Peer, Timestamp};
use crate::http::{CallOutcome, Operation};
use crate::ingress::Endpoint;
use crate::worker::BreakerState;

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

    /// A call to a peer has ended at `now`, on the relay's clock.
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
            let gauge = self.circuit_breaker_state.with((peer, candidate));
            gauge.set(i64::from(candidate == state));
        }
    }

    /// The breaker of `peer` opened or closed.
    pub fn breaker_turned(&self, peer: Peer, to: BreakerState) {
        self.circuit_breaker_transitions_total
            .with((peer, to))
            .inc();
        self.breaker(peer, to);
    }
}

/// A point in time as metrics show it: seconds since 1970.
fn seconds(at: Timestamp) -> f64 {
    Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0)).as_secs_f64()
}

impl<L: LabelSet> super::Moment<L> {
    /// Sets the time of these labels to `now`, on the relay's clock.
    pub fn mark(&self, labels: L, now: Timestamp) {
        self.with(labels).set(seconds(now));
    }
}
