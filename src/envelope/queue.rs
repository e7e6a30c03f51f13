//! Envelopes over any queue: what routes and workers use.

use std::sync::Arc;

use crate::ports::{
    Delivery, Outgoing, Posting, PublishError, Queue, QueueError, QueueName, Received,
    ReturnedMessage, ReturnedMessages, Settled, Settlement,
};

use super::EnvelopeSigner;

/// Why a message is not read whose bytes changed.
const DAMAGED: &str = "its checksum does not fit: the disk gave back other bytes than were written; look after the disk";

/// A queue of envelopes: signed on their way in, verified on their way out. Clones share it.
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
    /// Envelopes over `queue`.
    pub fn new(queue: Arc<dyn Queue>, signer: EnvelopeSigner) -> Self {
        Self { queue, signer }
    }

    /// Makes what came from outside durable, as long as the queue has room.
    ///
    /// # Errors
    /// See [`Queue::publish`].
    pub async fn accept(&self, posting: &Posting) -> Result<(), PublishError> {
        self.queue.publish(self.sign(posting)?).await
    }

    /// Makes all of them durable; on an error some may be. For what follows from accepted work.
    ///
    /// # Errors
    /// See [`Queue::publish_all`].
    pub async fn send(&self, postings: &[Posting]) -> Result<(), PublishError> {
        let outgoing = postings.iter().map(|posting| self.sign(posting));
        let outgoing = outgoing.collect::<Result<_, _>>()?;
        self.queue.publish_all(outgoing).await
    }

    /// Hands out 1 to `max`, waiting until there is one.
    ///
    /// # Errors
    /// See [`Queue::receive`].
    pub async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Received>, QueueError> {
        // What cannot be judged yet is not asked for.
        self.signer.can_read().await;
        let deliveries = self.queue.receive(queue, max).await?;
        let read = deliveries.into_iter().map(|delivery| self.read(delivery));
        Ok(read.collect())
    }

    /// Hands out what a back end put aside, verified as deliveries are: it may have been put aside before anybody had
    /// read it.
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

    /// Settles deliveries.
    ///
    /// # Errors
    /// See [`Queue::settle`].
    pub async fn settle(&self, settled: Vec<Settled>) -> Result<(), QueueError> {
        let settlements = settled.into_iter().map(|settled| match settled {
            Settlement::Done(receipt) => Settlement::Done(receipt),
            Settlement::Return(receipt) => Settlement::Return(receipt),
            Settlement::Again { receipt, next } => match self.sign(&next) {
                Ok(next) => Settlement::Again { receipt, next },
                // It was read from a message of at most this size; a few digits more cannot be refused for good.
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
