//! A queue that only records what is published to it, for tests of code that repairs.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::{Event, Timestamp};
use crate::envelope::{EnvelopeQueue, EnvelopeSigner, decode, encode};
use crate::ports::{
    Body, Delivery, Depths, Envelope, Outgoing, PublishError, Queue, QueueError, QueueName,
    Settlement,
};

/// Records the kind of each event. It refuses to publish while `error` is set.
#[derive(Default)]
pub(crate) struct RecordingQueue {
    pub(crate) kinds: Mutex<Vec<&'static str>>,
    pub(crate) error: Mutex<Option<PublishError>>,
}

impl RecordingQueue {
    /// The queue of envelopes that workers and repairs use.
    pub(crate) fn envelopes(self: &Arc<Self>) -> EnvelopeQueue {
        let secret = SecretString::from("a signing secret of 32 bytes: 012");
        let queue = Arc::clone(self) as Arc<dyn Queue>;
        EnvelopeQueue::new(queue, EnvelopeSigner::new(&secret, &[]))
    }
}

/// The body of an event's dead letter.
pub(crate) fn body_of(event: Event, now: Timestamp) -> Vec<u8> {
    let envelope = Envelope::first(Body::Event(event), now);
    encode(&envelope).unwrap().body.to_vec()
}

#[async_trait]
impl Queue for RecordingQueue {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        self.publish_all(vec![outgoing]).await
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        if let Some(error) = self.error.lock().unwrap().clone() {
            return Err(error);
        }
        for outgoing in outgoing {
            if let Body::Event(event) = decode(&outgoing.message.body).unwrap().body {
                self.kinds.lock().unwrap().push(event.fact.kind());
            }
        }
        Ok(())
    }

    async fn receive(&self, _: QueueName, _: usize) -> Result<Vec<Delivery>, QueueError> {
        Err(QueueError::Closed)
    }

    async fn settle(&self, _: Vec<Settlement>) -> Result<(), QueueError> {
        Err(QueueError::Closed)
    }

    async fn depths(&self) -> Result<Depths, QueueError> {
        Err(QueueError::Closed)
    }

    async fn close(&self) {}
}
