//! What the links to RabbitMQ tell, turned into metrics.

use std::time::Duration;

use super::Meter;
use crate::queue::rabbitmq::{AmqpObserver, PublishResult, ReconnectReason, Role};
use crate::telemetry::metrics::labels::{AmqpEnding, AmqpPublish, AmqpRole};

impl AmqpObserver for Meter {
    fn connected(&self, role: Role, is_up: bool) {
        let gauge = self.metrics.amqp_connected.with(label(role));
        gauge.set(i64::from(is_up));
    }

    fn reconnects(&self, role: Role, reason: ReconnectReason) {
        let reason = match reason {
            ReconnectReason::Io => AmqpEnding::Io,
            ReconnectReason::Heartbeat => AmqpEnding::Heartbeat,
            ReconnectReason::ServerClosed => AmqpEnding::ServerClosed,
            ReconnectReason::Auth => AmqpEnding::Auth,
            ReconnectReason::Timeout => AmqpEnding::Timeout,
        };
        let counter = self
            .metrics
            .amqp_reconnects_total
            .with((label(role), reason));
        counter.inc();
    }

    fn blocked(&self, is_blocked: bool) {
        self.metrics
            .amqp_blocked
            .with(())
            .set(i64::from(is_blocked));
    }

    fn published(&self, result: PublishResult) {
        let result = match result {
            PublishResult::Confirmed => AmqpPublish::Confirmed,
            PublishResult::Nacked => AmqpPublish::Nacked,
            PublishResult::Timeout => AmqpPublish::Timeout,
            PublishResult::Away => AmqpPublish::Away,
        };
        self.metrics.amqp_publishes_total.with(result).inc();
    }

    fn confirm_took(&self, took: Duration) {
        let histogram = self.metrics.amqp_publish_confirm_duration_seconds.with(());
        histogram.observe(took.as_secs_f64());
    }
}

fn label(role: Role) -> AmqpRole {
    match role {
        Role::Publisher => AmqpRole::Publisher,
        Role::Consumer => AmqpRole::Consumer,
    }
}
