//! A queue of envelopes over a queue of bytes. Routes and workers use this one.

use std::sync::Arc;

use crate::ports::{
    Delivery, Outgoing, Posting, PublishError, Queue, QueueError, QueueName, Received,
    ReturnedMessage, ReturnedMessages, Settled, Settlement,
};

use super::EnvelopeSigner;

/// The reason why a message is not read when its bytes have changed.
const DAMAGED: &str =
    "its checksum does not match: the disk returned other bytes than were written; check the disk";

/// A queue of envelopes. It signs each one that is published and verifies each one that is received. Clones share the
/// queue.
#[derive(Clone)]
pub struct EnvelopeQueue {
    queue: Arc<dyn Queue>,
    signer: EnvelopeSigner,
}

impl std::fmt::Debug for EnvelopeQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvelopeQueue").finish_non_exhaustive()
    }
}

impl EnvelopeQueue {
    /// A queue of envelopes that stores its messages in `queue`.
    pub fn new(queue: Arc<dyn Queue>, signer: EnvelopeSigner) -> Self {
        Self { queue, signer }
    }

    /// Publishes a message that came from outside the relay. It is durable on `Ok`; a full queue refuses it.
    ///
    /// # Errors
    /// See [`Queue::publish`].
    pub async fn accept(&self, posting: &Posting) -> Result<(), PublishError> {
        self.queue.publish(self.sign(posting)?).await
    }

    /// Publishes messages that follow from accepted work. All are durable on `Ok`; on an error some may be.
    ///
    /// # Errors
    /// See [`Queue::publish_all`].
    pub async fn send(&self, postings: &[Posting]) -> Result<(), PublishError> {
        let outgoing = postings.iter().map(|posting| self.sign(posting));
        let outgoing = outgoing.collect::<Result<_, _>>()?;
        self.queue.publish_all(outgoing).await
    }

    /// Receives 1 to `max` messages, and waits until there is one.
    ///
    /// # Errors
    /// See [`Queue::receive`].
    pub async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Received>, QueueError> {
        // A message that cannot be verified yet must not be received.
        self.signer.can_read().await;
        let deliveries = self.queue.receive(queue, max).await?;
        let read = deliveries.into_iter().map(|delivery| self.read(delivery));
        Ok(read.collect())
    }

    /// Receives 1 to `max` returned messages. They are verified as deliveries are, because the back end may have
    /// returned a message that no worker has read.
    ///
    /// # Errors
    /// See [`ReturnedMessages::receive`].
    pub async fn receive_returned(
        &self,
        returned: &dyn ReturnedMessages,
        max: usize,
    ) -> Result<Vec<ReturnedMessage<Received>>, QueueError> {
        self.signer.can_read().await;
        let returned = returned.receive(max).await?;
        let read = |ReturnedMessage { delivery, reason }| ReturnedMessage {
            delivery: self.read(delivery),
            reason,
        };
        Ok(returned.into_iter().map(read).collect())
    }

    /// Settles deliveries; the next message of a retry is signed.
    ///
    /// # Errors
    /// See [`Queue::settle`].
    pub async fn settle(&self, settled: Vec<Settled>) -> Result<(), QueueError> {
        let settlements = settled.into_iter().map(|settled| match settled {
            Settlement::Done(receipt) => Settlement::Done(receipt),
            Settlement::Return(receipt) => Settlement::Return(receipt),
            Settlement::Again { receipt, next } => match self.sign(&next) {
                Ok(next) => Settlement::Again { receipt, next },
                // It was read from a message within the limit. A few more digits are no reason to give it up.
                Err(_) => Settlement::Return(receipt),
            },
        });
        self.queue.settle(settlements.collect()).await
    }

    fn read(&self, delivery: Delivery) -> Received {
        Received {
            queue: delivery.queue,
            receipt: delivery.receipt,
            redelivered: delivery.redelivered,
            content: match delivery.damaged {
                true => Err(DAMAGED.to_owned()),
                false => self.signer.decode(&delivery.message.body),
            },
            message_id: delivery.message.id,
            raw: delivery.message.body,
        }
    }

    fn sign(&self, posting: &Posting) -> Result<Outgoing, PublishError> {
        Ok(Outgoing {
            queue: posting.queue,
            message: self.signer.encode(&posting.message)?,
            delay: posting.delay,
        })
    }
}
