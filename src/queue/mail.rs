//! Envelopes over any queue: what workers and ingress use.

use std::sync::Arc;

use async_trait::async_trait;

use crate::ports::{
    Castoff, Castoffs, Mail, Outgoing, Posting, PublishError, Queue, QueueError, QueueName,
    Receipt, Received, Settled, Settlement,
};

use super::envelope::EnvelopeSigner;

/// Why a message is not read whose bytes changed.
pub(super) const DAMAGED: &str = "its checksum does not fit: the disk gave back other bytes than were written; look after the disk";

/// A queue that speaks envelopes: signed on their way in, verified on their way out.
#[derive(Clone)]
pub struct Mailroom {
    queue: Arc<dyn Queue>,
    signer: EnvelopeSigner,
}

impl Mailroom {
    /// Envelopes over `queue`.
    pub fn new(queue: Arc<dyn Queue>, signer: EnvelopeSigner) -> Self {
        Self { queue, signer }
    }

    fn outgoing_of(&self, posting: &Posting) -> Result<Outgoing, PublishError> {
        Ok(Outgoing {
            queue: posting.queue,
            message: self.signer.encode(&posting.envelope)?,
            delay: posting.delay,
        })
    }
}

#[async_trait]
impl Mail for Mailroom {
    async fn accept(&self, posting: Posting) -> Result<(), PublishError> {
        self.queue.publish(self.outgoing_of(&posting)?).await
    }

    async fn send(&self, postings: Vec<Posting>) -> Result<(), PublishError> {
        let outgoing = postings.iter().map(|posting| self.outgoing_of(posting));
        let outgoing = outgoing.collect::<Result<_, _>>()?;
        self.queue.publish_all(outgoing).await
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Received>, QueueError> {
        // What cannot be judged yet is not asked for.
        self.signer.can_read().await;
        let deliveries = self.queue.receive(queue, max).await?;
        let read = deliveries.into_iter().map(|delivery| Received {
            queue: delivery.queue,
            receipt: delivery.receipt,
            redelivered: delivery.redelivered,
            content: match delivery.damaged {
                true => Err(DAMAGED.to_owned()),
                false => self.signer.decode(&delivery.message.body),
            },
            message_id: delivery.message.id,
            raw: delivery.message.body,
        });
        Ok(read.collect())
    }

    async fn settle(&self, settled: Vec<Settled>) -> Result<(), QueueError> {
        let settlements = settled.into_iter().map(|settled| match settled {
            Settled::Done(receipt) => Settlement::Done(receipt),
            Settled::Return(receipt) => Settlement::Return(receipt),
            Settled::Again(receipt, posting) => match self.outgoing_of(&posting) {
                Ok(next) => Settlement::Again { receipt, next },
                // It was read from a message of at most this size; a few digits more cannot be refused for good.
                Err(_) => Settlement::Return(receipt),
            },
        });
        self.queue.settle(settlements.collect()).await
    }
}

/// What a back end put aside, verified as deliveries are: it may have been put aside before anybody had read it.
pub struct VerifiedCastoffs {
    inner: Arc<dyn Castoffs>,
    signer: EnvelopeSigner,
}

impl VerifiedCastoffs {
    /// Those of `inner`.
    pub fn new(inner: Arc<dyn Castoffs>, signer: EnvelopeSigner) -> Self {
        Self { inner, signer }
    }
}

#[async_trait]
impl Castoffs for VerifiedCastoffs {
    async fn receive(&self, max: usize) -> Result<Vec<Castoff>, QueueError> {
        self.signer.can_read().await;
        let mut castoffs = self.inner.receive(max).await?;
        for Castoff { received, .. } in &mut castoffs {
            // What cannot be read stays so: its bytes may have changed on the disk.
            if received.content.is_ok() {
                received.content = self.signer.decode(&received.raw);
            }
        }
        Ok(castoffs)
    }

    async fn settle(&self, done: Vec<Receipt>) -> Result<(), QueueError> {
        self.inner.settle(done).await
    }
}

#[cfg(test)]
mod tests;
