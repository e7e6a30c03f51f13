//! Turns what each part reports to its observer into metrics. No part knows the metrics or another part.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::admin::Readiness;
use crate::domain::apply::Effect;
use crate::domain::retry::RetryReason;
use crate::domain::{Event, Fact, Peer, TriggerSource};
use crate::http::{CallObserver, CallReport};
use crate::ingress::{
    Endpoint, Ignored, IngressObserver, Noted, ReceivedAs, Rejected, Route, Source, Trigger,
};
use crate::ports::{Clock, QueueName};
use crate::queue::SpoolObserver;
use crate::queue::rabbitmq::{AmqpObserver, PublishResult, ReconnectReason, Role};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels;
use crate::worker::{BreakerState, DeadReason, JobOutcome, Repair, WorkObserver};

use super::ledger::EventLedger;

/// Implements the observer of every part.
#[derive(Clone)]
pub(super) struct Meter {
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ledger: EventLedger,
    /// Wakes the watcher that asks Mattermost for the relay's own user id, so that it asks at once.
    pub(super) ask_again: Arc<Notify>,
}

impl WorkObserver for Meter {
    fn applied(&self, event: &Event, effect: Effect) {
        let settled = match effect {
            Effect::Applied => labels::SettledAs::Delivered,
            Effect::Duplicate => labels::SettledAs::Duplicate,
            Effect::Conflict => labels::SettledAs::Conflict,
            Effect::Foreign => labels::SettledAs::Foreign,
        };
        let source = event_source(event);
        self.metrics
            .events_settled_total
            .with((source, settled))
            .inc();
        self.ledger.settled(event.id);
        // Events of jobs, polls, the sweep and catching up are accepted without passing the ingress.
        if source == labels::EventSource::Relay || event.is_caught_up() {
            self.metrics.events_accepted_total.with(source).inc();
        }
    }

    fn waited(&self, queue: QueueName, wait: Duration) {
        self.metrics
            .queue_wait_seconds
            .with(queue)
            .observe(wait.as_secs_f64());
    }

    fn in_flight(&self, queue: QueueName, change: i64) {
        self.metrics.jobs_in_flight.with(queue).add(change);
    }

    fn settled(&self, queue: QueueName, outcome: JobOutcome, took: Duration) {
        let counter = self.metrics.jobs_processed_total.with((queue, outcome));
        counter.inc();
        self.metrics
            .job_processing_duration_seconds
            .with(queue)
            .observe(took.as_secs_f64());
        if outcome == JobOutcome::Delivered {
            let now = self.clock.now();
            self.metrics
                .worker_last_success_timestamp_seconds
                .mark(queue, now);
        }
    }

    fn retried(&self, queue: QueueName, reason: RetryReason) {
        self.metrics
            .retries_scheduled_total
            .with((queue, reason))
            .inc();
    }

    fn buried(&self, queue: QueueName, reason: DeadReason) {
        self.metrics.dead_letters_total.with((queue, reason)).inc();
    }

    fn card_posted(&self, via: &TriggerSource, after: Duration) {
        self.metrics
            .trigger_to_card_seconds
            .with(trigger_kind(via))
            .observe(after.as_secs_f64());
    }

    fn card_updated(&self, is_over: bool, after: Duration) {
        let change = if is_over {
            labels::CardChange::Ended
        } else {
            labels::CardChange::Running
        };
        self.metrics
            .event_to_card_update_seconds
            .with(change)
            .observe(after.as_secs_f64());
    }

    fn breaker(&self, peer: Peer, state: BreakerState) {
        self.metrics.breaker_turned(peer, state);
    }

    fn answer_lost(&self) {
        let reason = labels::LostAnswer::Refused;
        self.metrics.answers_lost_total.with(reason).inc();
    }

    fn repaired(&self, repair: Repair) {
        self.metrics.reconcile_repairs_total.with(repair).inc();
    }

    fn swept(&self) {
        self.metrics
            .reconcile_last_success_timestamp_seconds
            .mark((), self.clock.now());
    }
}

impl IngressObserver for Meter {
    fn accepted(&self, event: &Event) {
        self.metrics
            .events_accepted_total
            .with(event_source(event))
            .inc();
        self.ledger.accepted(event.id);
        if let Fact::MeetingRequested { via, .. } = &event.fact {
            self.metrics
                .triggers_accepted_total
                .with(trigger_kind(via))
                .inc();
        }
    }

    fn received(&self, trigger: Trigger, result: ReceivedAs) {
        self.metrics
            .webhooks_received_total
            .with((trigger, result))
            .inc();
    }

    fn rejected(&self, source: Source, reason: Rejected) {
        self.metrics
            .webhooks_rejected_total
            .with((source, reason))
            .inc();
    }

    fn ignored(&self, trigger: Trigger, reason: Ignored) {
        tracing::debug!(
            trigger = trigger.as_str(),
            reason = reason.as_str(),
            "webhook ignored"
        );
    }

    fn noted(&self, what: Noted) {
        if what == Noted::ForeignResponseUrl {
            let reason = labels::LostAnswer::ForeignResponseUrl;
            self.metrics.answers_lost_total.with(reason).inc();
        }
        tracing::debug!(what = what.as_str(), "noted at ingress");
    }

    fn answered(&self, route: Route, method: &'static str, status: u16, took: Duration) {
        let endpoint = Endpoint::of(route, method);
        self.metrics.answered(endpoint, status, took);
    }
}

fn trigger_kind(via: &TriggerSource) -> labels::TriggerKind {
    match via {
        TriggerSource::OutgoingWebhook { .. } => labels::TriggerKind::OutgoingWebhook,
        TriggerSource::SlashCommand { .. } => labels::TriggerKind::SlashCommand,
    }
}

impl SpoolObserver for Meter {
    fn spooled(&self) {
        self.metrics.events_spooled_total.with(()).inc();
    }

    fn forwarded(&self) {
        self.metrics.events_forwarded_total.with(()).inc();
    }
}

impl CallObserver for Meter {
    fn call_ended(&self, report: &CallReport) {
        self.metrics.called(
            report.operation,
            report.outcome,
            report.duration,
            self.clock.now(),
        );
        if let Some(limit) = &report.rate_limit {
            let remaining = i64::try_from(limit.remaining).unwrap_or(i64::MAX);
            self.metrics
                .downstream_rate_limit_remaining
                .with(report.operation.peer())
                .set(remaining);
        }
    }

    fn access_changed(&self, peer: Peer, refusal: Option<&str>) {
        self.readiness.set_refusal(peer, refusal.map(str::to_owned));
        if refusal.is_some() {
            self.ask_again.notify_one();
        }
    }
}

impl AmqpObserver for Meter {
    fn connected(&self, role: Role, is_up: bool) {
        let gauge = self.metrics.amqp_connected.with(role);
        gauge.set(i64::from(is_up));
    }

    fn reconnects(&self, role: Role, reason: ReconnectReason) {
        let counter = self.metrics.amqp_reconnects_total.with((role, reason));
        counter.inc();
    }

    fn blocked(&self, is_blocked: bool) {
        let gauge = self.metrics.amqp_blocked.with(());
        gauge.set(i64::from(is_blocked));
    }

    fn published(&self, result: PublishResult) {
        self.metrics.amqp_publishes_total.with(result).inc();
    }

    fn confirm_took(&self, took: Duration) {
        let histogram = self.metrics.amqp_publish_confirm_duration_seconds.with(());
        histogram.observe(took.as_secs_f64());
    }
}

fn event_source(event: &Event) -> labels::EventSource {
    match event.origin.source.split(':').next() {
        Some("mattermost") => labels::EventSource::Mattermost,
        Some("plugnmeet") => labels::EventSource::PlugNmeet,
        _ => labels::EventSource::Relay,
    }
}
