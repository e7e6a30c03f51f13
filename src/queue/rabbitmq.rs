//! The queue on RabbitMQ. A message is durable when `publish` returns, because the broker confirmed it.
//!
//! There are two connections, each kept by its own supervisor: the publisher's, which the broker may block, and the
//! consumer's, which it never blocks. When a connection ends, its pending calls fail, and their messages come again:
//! published twice, or delivered twice, never lost. `topology` describes the exchanges and queues in the broker.
//!
#![doc = include_str!("rabbitmq/README.md")]

pub(crate) mod connect;
mod consumer;
mod ending;
mod link_state;
mod observer;
mod publisher;
mod ready_connection;
mod settling;
mod subscriptions;
mod supervisor;
#[cfg(test)]
mod tests;
pub(crate) mod topology;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use crate::ports::{
    Clock, Delivery, Depth, Depths, MESSAGE_BYTES_MAX, Outgoing, PublishError, Queue, QueueError,
    QueueName, Receipt, ReturnedMessage, ReturnedMessages, Settlement,
};

pub use connect::{BrokerError, BrokerSettings, Declare};
pub use link_state::{LinkState, LinkStates};
pub use observer::{AmqpObserver, PublishResult, ReconnectReason, Role, UnobservedLinks};

use consumer::{Acknowledgement, Consumer};
use link_state::Board;
use publisher::Publisher;
use subscriptions::Subscription;
use supervisor::{Common, supervise};
use wire::{Arrived, Frame};

/// The longest wait at the end for pending settlements and for the broker to close the connections.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// The queue. [`Queue::close`] or dropping it ends both connections.
pub struct RabbitMq {
    shared: Arc<RabbitShared>,
    tasks: TaskTracker,
    _closed_when_dropped: DropGuard,
}

/// The state that the callers and the tasks of the links share.
struct RabbitShared {
    common: Arc<Common>,
    publisher: Arc<Publisher>,
    consumer: Arc<Consumer>,
    clock: Arc<dyn Clock>,
}

impl RabbitMq {
    /// Tries once to connect, and goes on in the background. A broker that is unavailable is no error: the queue
    /// connects when the broker is available, and returns [`PublishError::Unavailable`] until then.
    ///
    /// # Errors
    /// [`BrokerError::Refused`]: a person must change something.
    pub async fn start(
        settings: BrokerSettings,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn AmqpObserver>,
    ) -> Result<Self, BrokerError> {
        let connect_timeout = settings.connect_timeout;
        let common = Arc::new(Common::new(settings, Board::new(observer)));
        let first = common.open(Role::Publisher).await;
        if let Err(refused @ BrokerError::Refused(_)) = first {
            return Err(refused);
        }
        let publisher = Arc::new(Publisher::new(Arc::clone(&common)));
        let consumer = Arc::new(Consumer::new());
        let tasks = TaskTracker::new();
        let session = publisher::PublisherTask::new(Arc::clone(&publisher), Arc::clone(&common));
        let kept = Arc::clone(&common);
        tasks.spawn(async move { supervise(&kept, Role::Publisher, Some(first), session).await });
        let session = consumer::ConsumerTask::new(Arc::clone(&consumer), Arc::clone(&common));
        let kept = Arc::clone(&common);
        tasks.spawn(async move { supervise(&kept, Role::Consumer, None, session).await });
        // Waits for the first attempts, so that the queue is usable at once if the broker is available.
        let mut links = common.board.watch();
        let tried = links.wait_for(LinkStates::are_tried);
        drop(tokio::time::timeout(connect_timeout, tried).await);
        let _closed_when_dropped = common.closed.clone().drop_guard();
        Ok(Self {
            shared: Arc::new(RabbitShared {
                common,
                publisher,
                consumer,
                clock,
            }),
            tasks,
            _closed_when_dropped,
        })
    }

    /// The state of the two links, now and after each change.
    pub fn link(&self) -> watch::Receiver<LinkStates> {
        self.shared.common.board.watch()
    }

    async fn publish_frames(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        let too_large = |outgoing: &Outgoing| {
            let bytes = outgoing.message.body.len();
            (bytes > MESSAGE_BYTES_MAX).then_some(bytes)
        };
        if let Some(bytes) = outgoing.iter().find_map(too_large) {
            return Err(PublishError::TooLarge { bytes });
        }
        let now = self.shared.clock.now();
        let frame = |outgoing| Frame::new(outgoing, false, now);
        let frames = outgoing.into_iter().map(frame).collect();
        self.shared.publisher.publish(frames).await
    }

    /// Takes up to `max` of the messages that wait in `subscriptions`, or waits until there is one. Dropping it loses
    /// nothing, because nothing is awaited between taking and returning.
    async fn take(
        &self,
        subscriptions: &[Subscription],
        max: usize,
    ) -> Result<Vec<(Subscription, Receipt, Arrived)>, QueueError> {
        let incoming = &self.shared.consumer.subscriptions;
        let closed = &self.shared.common.closed;
        for subscription in subscriptions {
            incoming.want(*subscription);
        }
        loop {
            if closed.is_cancelled() {
                return Err(QueueError::Closed);
            }
            let mut wakeups: Vec<_> = subscriptions
                .iter()
                .map(|subscription| Box::pin(incoming.wakeup(*subscription).notified()))
                .collect();
            for wakeup in &mut wakeups {
                wakeup.as_mut().enable();
            }
            let mut taken = Vec::new();
            for subscription in subscriptions {
                let found = incoming.take(*subscription, max.max(1) - taken.len());
                taken.extend(
                    found
                        .into_iter()
                        .map(|(receipt, arrived)| (*subscription, receipt, arrived)),
                );
                if taken.len() >= max.max(1) {
                    break;
                }
            }
            if !taken.is_empty() {
                return Ok(taken);
            }
            tokio::select! {
                () = closed.cancelled() => {}
                _ = futures_util::future::select_all(wakeups) => {}
            }
        }
    }
}

#[async_trait]
impl Queue for RabbitMq {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        self.publish_frames(vec![outgoing]).await
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        self.publish_frames(outgoing).await
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let taken = self.take(&[Subscription::Of(queue)], max).await?;
        let delivery = |(_, receipt, arrived): (Subscription, Receipt, Arrived)| Delivery {
            queue,
            message: arrived.message,
            receipt,
            redelivered: arrived.is_redelivered,
            // The broker has checksums of its own.
            damaged: false,
        };
        Ok(taken.into_iter().map(delivery).collect())
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        let too_large = |settlement: &Settlement| match settlement {
            Settlement::Again { next, .. } => next.message.body.len() > MESSAGE_BYTES_MAX,
            Settlement::Done(_) | Settlement::Return(_) => false,
        };
        if settlements.iter().any(too_large) {
            let why = format!("a message is over the limit of {MESSAGE_BYTES_MAX} bytes");
            return Err(QueueError::Unavailable(why));
        }
        // A caller that stops waiting must not leave a message that no receiver holds and that the broker waits for.
        let shared = Arc::clone(&self.shared);
        let settling = self
            .tasks
            .spawn(async move { shared.settle_all(settlements).await });
        settling.await.unwrap_or(Err(QueueError::Closed))
    }

    async fn depths(&self) -> Result<Depths, QueueError> {
        let shared = &self.shared;
        let counted = shared.consumer.count().await;
        let counted = counted.map_err(|why| shared.link_error(why))?;
        let depth = |queue: QueueName| {
            let subscription = Subscription::Of(queue);
            let (waiting, in_flight) = shared.consumer.subscriptions.count(subscription);
            let depth = Depth {
                ready: counted.ready[subscription.index()] + waiting,
                delayed: 0,
                in_flight,
            };
            (queue, depth)
        };
        Ok(Depths {
            queues: QueueName::ALL.into_iter().map(depth).collect(),
            shared_delayed: counted.delayed,
        })
    }

    async fn close(&self) {
        self.shared.common.closed.cancel();
        self.tasks.close();
        if tokio::time::timeout(CLOSE_MAX, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "the broker did not close the connections in time; messages that were not acknowledged are delivered again"
            );
        }
    }
}

#[async_trait]
impl ReturnedMessages for RabbitMq {
    async fn receive(&self, max: usize) -> Result<Vec<ReturnedMessage>, QueueError> {
        let taken = self
            .take(&[Subscription::Dead, Subscription::Unrouted], max)
            .await?;
        let returned = |(_, receipt, arrived): (Subscription, Receipt, Arrived)| ReturnedMessage {
            reason: arrived.return_message.unwrap_or_default(),
            delivery: Delivery {
                queue: arrived.queue.unwrap_or(QueueName::Events),
                message: arrived.message,
                receipt,
                redelivered: arrived.is_redelivered,
                damaged: false,
            },
        };
        Ok(taken.into_iter().map(returned).collect())
    }

    async fn settle(&self, done: Vec<Receipt>) -> Result<(), QueueError> {
        let shared = Arc::clone(&self.shared);
        let settling = self.tasks.spawn(async move {
            let acknowledgement = |receipt| {
                Some((
                    shared.consumer.subscriptions.claim(receipt)?.broker_tag,
                    Acknowledgement::Ack,
                ))
            };
            shared
                .end(done.into_iter().filter_map(acknowledgement).collect())
                .await
        });
        settling.await.unwrap_or(Err(QueueError::Closed))
    }
}
