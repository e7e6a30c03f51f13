//! The queue that `queue.url` names, and its part of readiness.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::admin::Readiness;
use crate::config::{Config, QueueUrl};
use crate::log_throttle::LogThrottle;
use crate::ports::{Clock, Depths, Queue, QueueName, ReturnedMessages};
use crate::queue::rabbitmq::{LinkStates, RabbitMq};
use crate::queue::{EmbeddedQueue, EmbeddedSettings};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels::{Check, Holding};

use super::observers::Meter;
use super::{StartError, settings};

/// Deadline for reading the queue's depths. A queue that does not answer in this time is not ready.
const DEPTHS_WITHIN: Duration = Duration::from_secs(5);

/// An opened back end.
pub(super) struct QueueParts {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) side: QueueSide,
    /// The messages that RabbitMQ returned. The embedded queue returns none.
    pub(super) returned: Vec<Arc<dyn ReturnedMessages>>,
}

/// What the application uses of the queue's back end besides its port.
pub(super) struct QueueSide {
    /// `None` with the embedded queue.
    links: Option<watch::Receiver<LinkStates>>,
    /// `None` with RabbitMQ.
    embedded: Option<Arc<EmbeddedQueue>>,
    unavailable: LogThrottle,
}

/// Opens the embedded queue's file, or tries once to connect to RabbitMQ. The relay starts even if the broker is
/// unavailable.
///
/// # Errors
/// Another relay uses the file, or the broker refuses, so that a person must change something.
pub(super) async fn open(
    config: &Config,
    clock: &Arc<dyn Clock>,
    meter: &Arc<Meter>,
) -> Result<QueueParts, StartError> {
    match &config.queue.url {
        QueueUrl::Embedded => {
            let settings = EmbeddedSettings {
                path: config.queue_path(),
                bytes_max: config.queue.bytes_max.as_u64(),
            };
            let queue = Arc::new(EmbeddedQueue::open(settings, Arc::clone(clock))?);
            Ok(QueueParts {
                side: QueueSide::new(None, Some(Arc::clone(&queue))),
                queue,
                returned: Vec::new(),
            })
        }
        QueueUrl::Amqp(url) => {
            let settings = settings::broker(config, url);
            let started = RabbitMq::start(settings, Arc::clone(clock), Arc::clone(meter) as _);
            let queue = Arc::new(started.await?);
            Ok(QueueParts {
                side: QueueSide::new(Some(queue.link()), None),
                returned: vec![Arc::clone(&queue) as _],
                queue,
            })
        }
    }
}

impl QueueSide {
    fn new(
        links: Option<watch::Receiver<LinkStates>>,
        embedded: Option<Arc<EmbeddedQueue>>,
    ) -> Self {
        Self {
            links,
            embedded,
            unavailable: LogThrottle::default(),
        }
    }

    /// Sets the readiness of both links, and logs at most once a minute why RabbitMQ takes no messages. Returns whether
    /// this queue can make an event durable. RabbitMQ itself is not asked, because its links know sooner.
    pub(super) async fn update_readiness(&self, readiness: &Readiness, queue: &dyn Queue) -> bool {
        let Some(links) = &self.links else {
            let is_answering = depths(queue).await.is_some() && self.has_room().await;
            readiness.set(Check::AmqpPublisher, is_answering);
            readiness.set(Check::AmqpConsumer, is_answering);
            return is_answering;
        };
        let states = links.borrow().clone();
        let is_usable = states.publisher.is_usable();
        readiness.set(Check::AmqpPublisher, is_usable);
        readiness.set(Check::AmqpConsumer, states.consumer.is_usable());
        if is_usable {
            if self.unavailable.clear() {
                tracing::info!("RabbitMQ takes messages again");
            }
        } else if self.unavailable.should_log() {
            let why = states.publisher.reason.unwrap_or_default();
            tracing::warn!(error = why, "RabbitMQ takes no messages");
        }
        is_usable
    }

    /// Whether the embedded queue would take an event. If it would not, or does not answer in time, that is logged at
    /// most once a minute.
    async fn has_room(&self) -> bool {
        let Some(embedded) = &self.embedded else {
            return true;
        };
        let asked = tokio::time::timeout(DEPTHS_WITHIN, embedded.has_room()).await;
        let has_room = asked.unwrap_or(false);
        if has_room {
            if self.unavailable.clear() {
                tracing::info!("the queue's file takes events again");
            }
        } else if self.unavailable.should_log() {
            tracing::error!(
                "the queue's file takes no events, and senders are refused: is its disk full, or queue.bytes_max too small?"
            );
        }
        has_room
    }

    /// Waits until the state of a link changes. With the embedded queue, which has no links, it waits for ever.
    pub(super) async fn changed(&mut self) {
        if let Some(links) = &mut self.links
            && links.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// How many messages each queue holds; `None` if the queue does not answer in time.
pub(super) async fn depths(queue: &dyn Queue) -> Option<Depths> {
    let depths = tokio::time::timeout(DEPTHS_WITHIN, queue.depths()).await;
    depths.ok()?.ok()
}

/// Sets the gauges of the queues' depths.
pub(super) fn show(depths: &Depths, metrics: &Metrics) {
    let set = |place, messages| {
        let messages = i64::try_from(messages).unwrap_or(i64::MAX);
        metrics.queue_depth.with(place).set(messages);
    };
    for (name, depth) in &depths.queues {
        let place = match name {
            QueueName::Events => Holding::Events,
            QueueName::Conference => Holding::Conference,
            QueueName::Chat => Holding::Chat,
            QueueName::ChatLater => Holding::ChatLater,
        };
        set(place, depth.ready + depth.delayed + depth.in_flight);
    }
    set(Holding::Delay, depths.shared_delayed);
}

#[cfg(test)]
mod tests;
