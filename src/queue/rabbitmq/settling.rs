//! Settles deliveries: the message that replaces a delivery is confirmed first, then the delivery is acknowledged.

use std::time::Duration;

use crate::ports::{MESSAGE_BYTES_MAX, Outgoing, PublishError, QueueError, Receipt, Settlement};

use super::RabbitShared;
use super::consumer::Acknowledgement;
use super::subscriptions::{BrokerTag, HeldDelivery, Subscription};
use super::wire::{Arrived, Frame};

/// The pause after a replacement could not be published although the link is up.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

impl RabbitShared {
    /// Settles all of them. Runs to its end whether or not the caller still waits.
    pub(super) async fn settle_all(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        if self.common.closed.is_cancelled() {
            return Err(QueueError::Closed);
        }
        let mut verdicts = Vec::new();
        let mut replaced = Vec::new();
        for settlement in settlements {
            match settlement {
                Settlement::Done(receipt) => {
                    verdicts.extend(
                        self.claim(receipt)
                            .map(|held| (held.broker_tag, Acknowledgement::Ack)),
                    );
                }
                Settlement::Return(receipt) => {
                    let held = self.claim(receipt);
                    replaced.extend(held.map(|held| Replacement::returned(self, held)));
                }
                Settlement::Again { receipt, next } => {
                    let held = self.claim(receipt);
                    replaced.extend(held.map(|held| Replacement::again(self, held, next)));
                }
            }
        }
        let acknowledged = self.end(verdicts);
        let (acknowledged, replaced) = tokio::join!(acknowledged, self.replace_all(replaced));
        acknowledged.and(replaced)
    }

    fn claim(&self, receipt: Receipt) -> Option<HeldDelivery> {
        self.consumer.subscriptions.claim(receipt)
    }

    async fn replace_all(&self, all: Vec<Replacement>) -> Result<(), QueueError> {
        // In the order in which they were settled, so that returned messages keep their order.
        let publishing = all.into_iter().map(|replaced| self.replace(replaced));
        let ended = futures_util::future::join_all(publishing).await;
        let verdicts = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.end(verdicts).await
    }

    /// Publishes the replacement of a delivery. Returns how the delivery itself is settled afterwards.
    async fn replace(
        &self,
        replaced: Replacement,
    ) -> Result<(BrokerTag, Acknowledgement), QueueError> {
        let Replacement {
            broker_tag,
            frame,
            is_return,
        } = replaced;
        let Some(frame) = frame else {
            return Ok((broker_tag, Acknowledgement::Requeue));
        };
        let mut links = self.common.board.watch();
        loop {
            let error = match self.publisher.publish(vec![frame.clone()]).await {
                Ok(()) => return Ok((broker_tag, Acknowledgement::Ack)),
                Err(error) => error,
            };
            if is_return {
                // The message must be visible again now, even if it is then marked as redelivered.
                return Ok((broker_tag, Acknowledgement::Requeue));
            }
            // Delivering the message again instead would repeat its work and count towards the broker's delivery limit,
            // for as long as nothing can be published. So it stays unacknowledged.
            tracing::debug!(%error, "a retry cannot be published yet: its message stays unacknowledged until it can");
            let usable = async {
                match error {
                    PublishError::Unavailable(_) => {
                        let is_usable = links.wait_for(|links| links.publisher.is_usable());
                        drop(is_usable.await);
                    }
                    PublishError::Full(_)
                    | PublishError::TooLarge { .. }
                    | PublishError::Unwritable(_) => {
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                }
            };
            tokio::select! {
                () = self.common.closed.cancelled() => return Err(QueueError::Closed),
                () = self.consumer_lost(broker_tag) => {
                    let why = "its connection ended: the message is delivered again";
                    return Err(QueueError::Unavailable(why.to_owned()));
                }
                () = usable => {}
            }
        }
    }

    /// Resolves when the connection of a delivery has ended.
    async fn consumer_lost(&self, broker_tag: BrokerTag) {
        let mut links = self.common.board.watch();
        let is_lost = |_: &_| {
            !self
                .consumer
                .subscriptions
                .is_current(broker_tag.generation)
        };
        drop(links.wait_for(is_lost).await);
    }

    pub(super) async fn end(
        &self,
        verdicts: Vec<(BrokerTag, Acknowledgement)>,
    ) -> Result<(), QueueError> {
        if verdicts.is_empty() {
            return Ok(());
        }
        self.consumer
            .end(verdicts)
            .await
            .map_err(|why| self.link_error(why))
    }

    /// The error for a caller when a link is down.
    pub(super) fn link_error(&self, why: String) -> QueueError {
        match self.common.closed.is_cancelled() {
            true => QueueError::Closed,
            false => QueueError::Unavailable(why),
        }
    }
}

/// A delivery and the message that replaces it.
struct Replacement {
    broker_tag: BrokerTag,
    /// `None`: the message can only be requeued.
    frame: Option<Frame>,
    is_return: bool,
}

impl Replacement {
    /// A returned message is published again and the delivery acknowledged, because the broker marks requeued messages
    /// as redelivered (src/queue/rabbitmq/README.md, "Delivery limit").
    fn returned(shared: &RabbitShared, held: HeldDelivery) -> Self {
        let HeldDelivery {
            broker_tag,
            arrived,
        } = held;
        let frame = match broker_tag.subscription {
            Subscription::Of(queue) if arrived.message.body.len() <= MESSAGE_BYTES_MAX => {
                let Arrived {
                    message,
                    is_redelivered,
                    ..
                } = arrived;
                let outgoing = Outgoing {
                    queue,
                    message,
                    delay: Duration::ZERO,
                };
                Some(Frame::new(outgoing, is_redelivered, shared.clock.now()))
            }
            Subscription::Of(_) | Subscription::Dead | Subscription::Unrouted => None,
        };
        Self {
            broker_tag,
            frame,
            is_return: true,
        }
    }

    fn again(shared: &RabbitShared, held: HeldDelivery, next: Outgoing) -> Self {
        Self {
            broker_tag: held.broker_tag,
            frame: Some(Frame::new(next, false, shared.clock.now())),
            is_return: false,
        }
    }
}
