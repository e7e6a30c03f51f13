//! The queue that `queue.url` names, and what it says about readiness.

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

/// A queue that does not tell its depths within this time does not answer.
const DEPTHS_WITHIN: Duration = Duration::from_secs(5);

/// A back end, opened.
pub(super) struct QueueParts {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) side: QueueSide,
    /// What RabbitMQ gave up; the embedded queue gives nothing up by itself.
    pub(super) returned: Vec<Arc<dyn ReturnedMessages>>,
}

/// The queue's back end as the application sees it besides its port.
pub(super) struct QueueSide {
    /// None: embedded.
    links: Option<watch::Receiver<LinkStates>>,
    /// None: RabbitMQ.
    embedded: Option<Arc<EmbeddedQueue>>,
    away: LogThrottle,
}

/// Opens the embedded queue's file, or tries once to connect to RabbitMQ. A broker that is away stops no start.
///
/// # Errors
/// Another relay has the file; the broker refuses, so that a person must change something.
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
            away: LogThrottle::default(),
        }
    }

    /// Sets the readiness of both links; tells once a minute why RabbitMQ takes nothing. Whether an event can be made
    /// durable by this queue. RabbitMQ itself is not asked: its links know sooner.
    pub(super) async fn look(&self, readiness: &Readiness, queue: &dyn Queue) -> bool {
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
            if self.away.clear() {
                tracing::info!("RabbitMQ takes messages again");
            }
        } else if self.away.should_log() {
            let why = states.publisher.reason.unwrap_or_default();
            tracing::warn!(error = why, "RabbitMQ takes no messages");
        }
        is_usable
    }

    /// Whether the embedded queue would take an event, as far as it says so in time; tells once a minute that not.
    async fn has_room(&self) -> bool {
        let Some(embedded) = &self.embedded else {
            return true;
        };
        let asked = tokio::time::timeout(DEPTHS_WITHIN, embedded.has_room()).await;
        let has_room = asked.unwrap_or(false);
        if has_room {
            if self.away.clear() {
                tracing::info!("the queue's file takes events again");
            }
        } else if self.away.should_log() {
            tracing::error!(
                "the queue's file takes no events, senders are told so: is its disk full, or queue.bytes_max too small?"
            );
        }
        has_room
    }

    /// Waits until a link's state is another one; for ever with the embedded queue, which has none.
    pub(super) async fn changed(&mut self) {
        if let Some(links) = &mut self.links
            && links.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// How much lies where, if the queue says so in time.
pub(super) async fn depths(queue: &dyn Queue) -> Option<Depths> {
    let depths = tokio::time::timeout(DEPTHS_WITHIN, queue.depths()).await;
    depths.ok()?.ok()
}

/// Shows how much lies where.
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
