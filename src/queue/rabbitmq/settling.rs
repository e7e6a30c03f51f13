//! Ending deliveries: what takes a message's place is confirmed first, then the message is acknowledged.

use std::time::Duration;

use crate::ports::{MESSAGE_BYTES_MAX, Outgoing, PublishError, QueueError, Receipt, Settlement};

use super::RabbitShared;
use super::consumer::Acknowledgement;
use super::subscriptions::{BrokerTag, HeldDelivery, Subscription};
use super::wire::{Arrived, Frame};

/// A pause after a replacement that could not be published, though the link is up.
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
                            .map(|held| (held.place, Acknowledgement::Ack)),
                    );
                }
                Settlement::Return(receipt) => {
                    let held = self.claim(receipt);
                    replaced.extend(held.map(|held| Replaced::returned(self, held)));
                }
                Settlement::Again { receipt, next } => {
                    let held = self.claim(receipt);
                    replaced.extend(held.map(|held| Replaced::again(self, held, next)));
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

    async fn replace_all(&self, all: Vec<Replaced>) -> Result<(), QueueError> {
        // In the order in which they were settled, so that what goes back keeps its order.
        let publishing = all.into_iter().map(|replaced| self.replace(replaced));
        let ended = futures_util::future::join_all(publishing).await;
        let verdicts = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.end(verdicts).await
    }

    /// Publishes what takes a delivery's place; how the delivery itself ends then.
    async fn replace(
        &self,
        replaced: Replaced,
    ) -> Result<(BrokerTag, Acknowledgement), QueueError> {
        let Replaced {
            place,
            frame,
            is_return,
        } = replaced;
        let Some(frame) = frame else {
            return Ok((place, Acknowledgement::Requeue));
        };
        let mut links = self.common.board.watch();
        loop {
            let error = match self.publisher.publish(vec![frame.clone()]).await {
                Ok(()) => return Ok((place, Acknowledgement::Ack)),
                Err(error) => error,
            };
            if is_return {
                // It must be visible again now, marked if it must be.
                return Ok((place, Acknowledgement::Requeue));
            }
            // Handing it out again instead would do its work again, and count towards the broker's delivery limit,
            // for as long as nothing can be published. So it stays where it is.
            tracing::debug!(%error, "a retry cannot be published yet: its message is kept until it can");
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
                () = self.consumer_lost(place) => {
                    let why = "its connection ended: the message comes again";
                    return Err(QueueError::Unavailable(why.to_owned()));
                }
                () = usable => {}
            }
        }
    }

    /// Resolves when the connection that a delivery came by is gone.
    async fn consumer_lost(&self, place: BrokerTag) {
        let mut links = self.common.board.watch();
        let is_lost = |_: &_| !self.consumer.subscriptions.is_current(place.generation);
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
            .map_err(|why| self.lost(why))
    }

    /// What a caller is told when a link is down.
    pub(super) fn lost(&self, why: String) -> QueueError {
        match self.common.closed.is_cancelled() {
            true => QueueError::Closed,
            false => QueueError::Unavailable(why),
        }
    }
}

/// A delivery and the message that takes its place.
struct Replaced {
    place: BrokerTag,
    /// `None`: it can only be handed out again.
    frame: Option<Frame>,
    is_return: bool,
}

impl Replaced {
    /// A message that is given back is published again and removed, because the broker marks what it takes back
    /// (src/queue/rabbitmq/README.md, "Delivery limit").
    fn returned(shared: &RabbitShared, held: HeldDelivery) -> Self {
        let HeldDelivery { place, arrived } = held;
        let frame = match place.subscription {
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
            place,
            frame,
            is_return: true,
        }
    }

    fn again(shared: &RabbitShared, held: HeldDelivery, next: Outgoing) -> Self {
        Self {
            place: held.place,
            frame: Some(Frame::new(next, false, shared.clock.now())),
            is_return: false,
        }
    }
}
