//! The metrics, all with the prefix `meetrelay_`. The doc comment of a metric is its HELP text and its line of
//! deploy/reference/metrics.md. Every series exists at 0 from the start, so that `increase()` sees the first event.
//!
//! Latency and outcome are separate metrics: `..._requests_total` counts by outcome, `..._request_duration_seconds`
//! measures by route or operation. One histogram with both would have many times more series than the budget allows.
//!
//! To add a metric, follow these steps. If a part already reports the value, or the app reads it, leave out step 1.
//! 1. In the observer of the part that knows the value (such as src/ingress/observe.rs, src/worker/observer.rs): add an
//!    enum in `domain::label::labels!` with a word for each value, and a method of the trait that takes it.
//! 2. In `metrics!` below: add its help text, name, kind, enum and the name of its label.
//! 3. In src/app/observers.rs: implement that method with `self.metrics.NAME.with(label).inc()`. Then call the method
//!    in the part.
//! 4. `cargo run -- config reference --metrics > deploy/reference/metrics.md`. The tests check the page, the names, the
//!    budget, and that every series is there from the start.

mod family;
pub(crate) mod labels;
mod reference;
mod report;

#[cfg(test)]
mod tests;

use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGaugeVec, Opts, Registry, TextEncoder};

use family::MetricKind;
pub(crate) use family::{Counter, Level, Moment, Seconds};
use labels::*;
pub(crate) use reference::reference;

use super::{REVISION, VERSION};
use crate::domain::Peer;
use crate::domain::retry::RetryReason;
use crate::http::{CallOutcome, Operation};
use crate::ingress::{Endpoint, ReceivedAs, Rejected, Route, Source, Trigger};
use crate::ports::QueueName;
use crate::queue::rabbitmq::{PublishResult, ReconnectReason, Role};
use crate::worker::{BreakerState, DeadReason, JobOutcome, Repair};

/// Most series that one instance may have.
pub(crate) const SERIES_MAX: usize = 1500;

/// Buckets from trigger to card. The bucket of 5 s must stay, because it is the guaranteed time.
const E2E: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0,
];
/// Buckets of the wait in a queue, which shows how long a backlog is.
const WAIT: &[f64] = &[0.05, 0.25, 1.0, 5.0, 30.0, 300.0];
/// Buckets of RabbitMQ's confirm: the sync of a disk takes some milliseconds, and after 0.5 s an event goes to the
/// spool.
const CONFIRM: &[f64] = &[0.005, 0.025, 0.1, 0.5, 2.5];
/// Buckets of an inbound or outbound request. A webhook must be answered within 1 s.
const NET: &[f64] = &[0.01, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// One metric as the reference page describes it.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: String,
    pub(crate) buckets: &'static [f64],
}

macro_rules! metrics {
    ($(
        $(#[doc = $help:literal])+
        $name:ident: $kind:ident<$labels:ty> $([$($label:ident),+])? $(in $buckets:ident)?
    ),+ $(,)?) => {
        /// Every metric of the relay.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $( $(#[doc = $help])+ pub $name: $kind<$labels>, )+
        }

        impl Metrics {
            fn make(registry: Registry) -> prometheus::Result<Self> {
                Ok(Self {
                    $( $name: <$kind<$labels>>::make(
                        &registry, stringify!($name), &help(&[$($help),+]), &[$($(stringify!($label)),+)?], buckets!($($buckets)?),
                    )?, )+
                    registry,
                })
            }

            pub(crate) fn described() -> Vec<Described> {
                vec![$( Described {
                    name: stringify!($name),
                    kind: <$kind<$labels> as MetricKind>::KIND,
                    labels: &[$($(stringify!($label)),+)?],
                    help: help(&[$($help),+]),
                    buckets: buckets!($($buckets)?),
                } ),+]
            }
        }
    };
}

macro_rules! buckets {
    () => {
        &[]
    };
    ($buckets:ident) => {
        $buckets
    };
}

metrics! {
    /// Requests to the public listener, by route and answer.
    http_requests_total: Counter<(Endpoint, StatusClass)> [route, method, code],
    /// Time to answer a request to the public listener.
    http_request_duration_seconds: Seconds<Route> [route] in NET,
    /// Authenticated webhooks and commands, by their result at ingress.
    webhooks_received_total: Counter<(Trigger, ReceivedAs)> [source, event, result],
    /// Webhooks and commands that were refused, by reason.
    webhooks_rejected_total: Counter<(Source, Rejected)> [source, reason],
    /// Starts that were accepted: each owes a card within 5 s.
    triggers_accepted_total: Counter<TriggerKind> [kind],
    /// Events made durable.
    events_accepted_total: Counter<EventSource> [source],
    /// Events that went to the spool, because RabbitMQ did not take them in time.
    events_spooled_total: Counter<()>,
    /// Events of a spool that RabbitMQ has confirmed since, also from a spool that another relay left.
    events_forwarded_total: Counter<()>,
    /// Events applied, dropped or given up: in the long run as many as were accepted.
    events_settled_total: Counter<(EventSource, SettledAs)> [source, outcome],
    /// Events that this process accepted and that are neither settled nor in a queue: anything but 0 means loss.
    unaccounted_events: Level<()>,
    /// Time from accepting a start to posting its card.
    trigger_to_card_seconds: Seconds<TriggerKind> [kind] in E2E,
    /// Time from accepting an event to the card showing it.
    event_to_card_update_seconds: Seconds<CardChange> [event] in E2E,
    /// Messages in a queue, waiting or in work.
    queue_depth: Level<Holding> [queue],
    /// 1 while the connection to RabbitMQ is open and set up; 0 with the embedded queue.
    amqp_connected: Level<Role> [role],
    /// Connections to RabbitMQ that ended or could not be made.
    amqp_reconnects_total: Counter<(Role, ReconnectReason)> [role, reason],
    /// 1 while RabbitMQ takes no messages because of a memory or disk alarm.
    amqp_blocked: Level<()>,
    /// Messages published to RabbitMQ, by result.
    amqp_publishes_total: Counter<PublishResult> [result],
    /// Time until RabbitMQ confirmed a message.
    amqp_publish_confirm_duration_seconds: Seconds<()> in CONFIRM,
    /// Events in the spool, and in spools of other relays that this relay forwards.
    spool_depth: Level<()>,
    /// Bytes of the spool that are in use; `spool.max_bytes` bounds them.
    spool_bytes: Level<()>,
    /// Time from when a message is due to the start of its processing.
    queue_wait_seconds: Seconds<QueueName> [queue] in WAIT,
    /// Time of one attempt.
    job_processing_duration_seconds: Seconds<QueueName> [queue] in NET,
    /// Deliveries settled, by outcome.
    jobs_processed_total: Counter<(QueueName, JobOutcome)> [queue, outcome],
    /// Deliveries in work.
    jobs_in_flight: Level<QueueName> [queue],
    /// Most deliveries in work at one time.
    worker_concurrency_limit: Level<QueueName> [queue],
    /// When a delivery of this queue was last settled with its effect done.
    worker_last_success_timestamp_seconds: Moment<QueueName> [queue],
    /// Further attempts scheduled, by reason.
    retries_scheduled_total: Counter<(QueueName, RetryReason)> [queue, reason],
    /// Messages given up and kept for a person.
    dead_letters_total: Counter<(QueueName, DeadReason)> [queue, reason],
    /// Dead letters that wait for a person now.
    dead_letters: Level<()>,
    /// Calls to Mattermost and plugNmeet, by outcome.
    downstream_requests_total: Counter<(Operation, CallOutcome)> [target, operation, outcome],
    /// Time of a call to Mattermost or plugNmeet, with any outcome.
    downstream_request_duration_seconds: Seconds<Operation> [target, operation] in NET,
    /// Calls that the peer still allows in its present window; -1 when it does not report this.
    downstream_rate_limit_remaining: Level<Peer> [target],
    /// When a call to the peer last succeeded.
    downstream_last_success_timestamp_seconds: Moment<Peer> [target],
    /// 1 for the state that the peer's breaker is in.
    circuit_breaker_state: Level<(Peer, BreakerState)> [target, state],
    /// How many times the peer's breaker opened and closed.
    circuit_breaker_transitions_total: Counter<(Peer, BreakerState)> [target, to],
    /// Late answers to slash commands that could not be delivered.
    answers_lost_total: Counter<LostAnswer> [reason],
    /// Changes found by polling because no webhook reported them: the loss at the source.
    reconcile_repairs_total: Counter<Repair> [kind],
    /// When the sweep last checked all meetings; of several relays only one sweeps: take the greatest value.
    reconcile_last_success_timestamp_seconds: Moment<()>,
    /// Meetings that are being created or are running.
    meetings_active: Level<()>,
    /// 1 for each condition of readiness that holds.
    ready: Level<Check> [check],
    /// 1 once a stop was requested.
    draining: Level<()>,
    /// 1 while the configuration in force is the one in its sources; 0 after a reload that was refused.
    config_last_reload_successful: Level<()>,
    /// When the configuration in force was read.
    config_last_reload_success_timestamp_seconds: Moment<()>,
    /// Log lines written.
    log_messages_total: Counter<labels::LogLevel> [level],
}

impl Metrics {
    /// All metrics, with their initial values.
    ///
    /// # Errors
    /// Two metrics have the same name. The tests make every metric, so a released program has no such error.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let options = Opts::new(BUILD_INFO, BUILD_INFO_HELP);
        let build = IntGaugeVec::new(options, &["version", "revision"])?;
        build.with_label_values(&[VERSION, REVISION]).set(1);
        registry.register(Box::new(build))?;
        let metrics = Self::make(registry)?;
        for peer in Peer::ALL {
            metrics.downstream_rate_limit_remaining.with(peer).set(-1);
            metrics.breaker(peer, BreakerState::Closed);
        }
        Ok(metrics)
    }

    /// The answer of `/metrics`, text format 0.0.4.
    ///
    /// # Errors
    /// A metric cannot be written as text.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

const BUILD_INFO: &str = "meetrelay_build_info";
const BUILD_INFO_HELP: &str = "1, with the version and the revision that runs.";

fn help(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}
