//! What parts tell about themselves, turned into metrics. Each part knows its own words only; here they meet.

mod amqp;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::admin::Readiness;
use crate::domain::apply::Effect;
use crate::domain::retry::RetryReason;
use crate::domain::{Event, Fact, Peer, Via};
use crate::http::{CallObserver, CallReport};
use crate::ingress::{Ignored, IngressObserver, Noted, Received, Rejected, Route, Source, Trigger};
use crate::ports::{Clock, QueueName};
use crate::queue::SpoolObserver;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels;
use crate::worker::{self, BreakerState, DeadReason, JobOutcome, WorkObserver};

use super::ledger::Ledger;

/// Metrics with the clock that some of them need.
#[derive(Clone)]
pub(super) struct Meter {
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ledger: Ledger,
    /// Tells whoever asks Mattermost now and then who the relay is to ask at once.
    pub(super) ask_again: Arc<Notify>,
}

impl WorkObserver for Meter {
    fn applied(&self, event: &Event, effect: Effect) {
        let settled = match effect {
            Effect::Applied => labels::Settled::Delivered,
            Effect::Duplicate => labels::Settled::Duplicate,
            Effect::Conflict => labels::Settled::Conflict,
            Effect::Foreign => labels::Settled::Foreign,
        };
        let source = event_source(event);
        self.metrics
            .events_settled_total
            .with((source, settled))
            .inc();
        self.ledger.settled(event.id);
        if matches!(event.fact, Fact::Woken { .. }) && effect == Effect::Applied {
            self.metrics
                .reconcile_repairs_total
                .with(labels::Repair::Woken)
                .inc();
        }
        // What jobs, polls, the sweep and catching up publish is accepted without passing the door.
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
        let label = match outcome {
            JobOutcome::Delivered => labels::JobOutcome::Delivered,
            JobOutcome::Retried => labels::JobOutcome::Retried,
            JobOutcome::DeadLettered => labels::JobOutcome::DeadLettered,
            JobOutcome::Obsolete => labels::JobOutcome::Obsolete,
        };
        self.metrics.jobs_processed_total.with((queue, label)).inc();
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
        let label = match reason {
            DeadReason::GivenUp => labels::DeadReason::GivenUp,
            DeadReason::Poison => labels::DeadReason::Poison,
            DeadReason::Unreadable => labels::DeadReason::Unreadable,
        };
        self.metrics.dead_letters_total.with((queue, label)).inc();
    }

    fn card_posted(&self, via: &Via, after: Duration) {
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
        let to = match state {
            BreakerState::Closed => labels::BreakerTurn::Closed,
            BreakerState::Open => labels::BreakerTurn::Open,
        };
        self.metrics.breaker_turned(peer, to);
    }

    fn answer_lost(&self) {
        let reason = labels::LostAnswer::Refused;
        self.metrics.answers_lost_total.with(reason).inc();
    }

    fn repaired(&self, repair: worker::Repair) {
        let label = match repair {
            worker::Repair::MissedEnd => labels::Repair::MissedEnd,
            worker::Repair::MissedArtifact => labels::Repair::MissedArtifact,
            worker::Repair::MissedTrigger => labels::Repair::MissedTrigger,
        };
        self.metrics.reconcile_repairs_total.with(label).inc();
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

    fn received(&self, trigger: Trigger, result: Received) {
        let reception = match result {
            Received::Accepted => labels::Reception::Accepted,
            Received::Ignored => labels::Reception::Ignored,
            Received::Rejected => labels::Reception::Rejected,
        };
        self.metrics
            .webhooks_received_total
            .with((webhook(trigger), reception))
            .inc();
    }

    fn rejected(&self, source: Source, reason: Rejected) {
        let source = match source {
            Source::OutgoingWebhook => labels::WebhookSource::OutgoingWebhook,
            Source::SlashCommand => labels::WebhookSource::SlashCommand,
            Source::Plugnmeet => labels::WebhookSource::PlugNmeet,
        };
        let reason = match reason {
            Rejected::BadSignature => labels::Rejection::BadSignature,
            Rejected::Stale => labels::Rejection::Stale,
            Rejected::BadToken => labels::Rejection::BadToken,
            Rejected::Malformed => labels::Rejection::Malformed,
            Rejected::TooLarge => labels::Rejection::TooLarge,
            Rejected::UnsupportedMedia => labels::Rejection::UnsupportedMedia,
            Rejected::RateLimited => labels::Rejection::RateLimited,
            Rejected::Backpressure => labels::Rejection::Backpressure,
        };
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
        tracing::debug!(what = what.as_str(), "noted at the door");
    }

    fn answered(&self, route: Route, method: &'static str, status: u16, took: Duration) {
        let endpoint = match (route, method) {
            (Route::Outgoing, "POST") => labels::Endpoint::Outgoing,
            (Route::Command, "POST") => labels::Endpoint::CommandPost,
            (Route::Command, "GET") => labels::Endpoint::CommandGet,
            (Route::Webhook, "POST") => labels::Endpoint::PlugNmeet,
            (Route::Join, "GET" | "HEAD") => labels::Endpoint::JoinGet,
            (Route::Join, "POST") => labels::Endpoint::JoinPost,
            (Route::Artifact | Route::ArtifactFile, "GET" | "HEAD") => labels::Endpoint::Artifact,
            _ => labels::Endpoint::Other,
        };
        self.metrics.answered(endpoint, status, took);
    }
}

fn trigger_kind(via: &Via) -> labels::TriggerKind {
    match via {
        Via::OutgoingWebhook { .. } => labels::TriggerKind::OutgoingWebhook,
        Via::SlashCommand { .. } => labels::TriggerKind::SlashCommand,
    }
}

fn webhook(trigger: Trigger) -> labels::Webhook {
    use labels::Webhook;
    match trigger {
        Trigger::OutgoingWebhook => Webhook::Post,
        Trigger::CommandStart => Webhook::CommandStart,
        Trigger::CommandEnd => Webhook::CommandEnd,
        Trigger::CommandList => Webhook::CommandList,
        Trigger::CommandHelp => Webhook::CommandHelp,
        Trigger::RoomCreated | Trigger::RoomStarted => Webhook::RoomCreated,
        Trigger::ParticipantJoined => Webhook::ParticipantJoined,
        Trigger::ParticipantLeft => Webhook::ParticipantLeft,
        Trigger::StartRecording | Trigger::EndRecording | Trigger::RecordingProceeded => {
            Webhook::Recording
        }
        Trigger::ArtifactCreated => Webhook::ArtifactCreated,
        Trigger::SessionEnded | Trigger::RoomFinished => Webhook::SessionEnded,
        Trigger::TrackPublished
        | Trigger::TrackUnpublished
        | Trigger::StartRtmp
        | Trigger::EndRtmp
        | Trigger::RecordingTranscodingFinished
        | Trigger::AnalyticsProceeded
        | Trigger::UnknownEvent => Webhook::Unknown,
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
        let operation = match (report.target, report.operation) {
            ("mattermost", "create_post" | "post_notice") => labels::Operation::CreatePost,
            ("mattermost", "patch_post" | "delete_post") => labels::Operation::PatchPost,
            ("mattermost", "answer_command") => labels::Operation::AnswerCommand,
            ("mattermost", _) => labels::Operation::Read,
            (_, "create_room") => labels::Operation::CreateRoom,
            (_, "end_room") => labels::Operation::EndRoom,
            (_, "join" | "download_token") => labels::Operation::MintToken,
            _ => labels::Operation::Ask,
        };
        let outcome = match report.outcome {
            "ok" => labels::CallOutcome::Success,
            "unauthorized" => labels::CallOutcome::Unauthorized,
            "throttled" => labels::CallOutcome::RateLimited,
            "unavailable" | "internal" => labels::CallOutcome::ServerError,
            "unreachable" => labels::CallOutcome::Unreachable,
            _ => labels::CallOutcome::Refused,
        };
        self.metrics
            .called(operation, outcome, report.duration, self.clock.now());
        if let Some(limit) = &report.rate_limit {
            let remaining = i64::try_from(limit.remaining).unwrap_or(i64::MAX);
            self.metrics
                .downstream_rate_limit_remaining
                .with(operation.peer())
                .set(remaining);
        }
    }

    fn access_changed(&self, target: &'static str, refusal: Option<&str>) {
        let peer = match target {
            "mattermost" => Peer::Mattermost,
            _ => Peer::PlugNmeet,
        };
        self.readiness.set_refusal(peer, refusal.map(str::to_owned));
        if refusal.is_some() {
            self.ask_again.notify_one();
        }
    }
}

fn event_source(event: &Event) -> labels::EventSource {
    match event.origin.source.split(':').next() {
        Some("mattermost") => labels::EventSource::Mattermost,
        Some("plugnmeet") => labels::EventSource::PlugNmeet,
        _ => labels::EventSource::Relay,
    }
}
