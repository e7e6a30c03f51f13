//! Envelopes over any queue: what workers and ingress use.

use std::sync::Arc;

use async_trait::async_trait;

use crate::ports::{
    Mail, Outgoing, Posting, PublishError, Queue, QueueError, QueueName, Received, Settled,
    Settlement,
};

use super::envelope::{decode, encode};

/// Why a message is not read whose bytes changed.
pub(super) const DAMAGED: &str = "its checksum does not fit: the disk gave back other bytes than were written; look after the disk";

/// A queue that speaks envelopes.
#[derive(Clone)]
pub struct Mailroom {
    queue: Arc<dyn Queue>,
}

impl Mailroom {
    /// Envelopes over `queue`.
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue }
    }
}

#[async_trait]
impl Mail for Mailroom {
    async fn accept(&self, posting: Posting) -> Result<(), PublishError> {
        self.queue.publish(outgoing_of(&posting)?).await
    }

    async fn send(&self, postings: Vec<Posting>) -> Result<(), PublishError> {
        let outgoing = postings.iter().map(outgoing_of).collect::<Result<_, _>>()?;
        self.queue.publish_all(outgoing).await
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Received>, QueueError> {
        let deliveries = self.queue.receive(queue, max).await?;
        let read = deliveries.into_iter().map(|delivery| Received {
            queue: delivery.queue,
            receipt: delivery.receipt,
            redelivered: delivery.redelivered,
            content: match delivery.damaged {
                true => Err(DAMAGED.to_owned()),
                false => decode(&delivery.message.body).map_err(|error| error.to_string()),
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
            Settled::Again(receipt, posting) => match outgoing_of(&posting) {
                Ok(next) => Settlement::Again { receipt, next },
                // It was read from a message of at most this size; a few digits more cannot be refused for good.
                Err(_) => Settlement::Return(receipt),
            },
        });
        self.queue.settle(settlements.collect()).await
    }
}

fn outgoing_of(posting: &Posting) -> Result<Outgoing, PublishError> {
    Ok(Outgoing {
        queue: posting.queue,
        message: encode(&posting.envelope)?,
        delay: posting.delay,
    })
}
