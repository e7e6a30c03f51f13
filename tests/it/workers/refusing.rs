//! A queue that refuses some messages.

use async_trait::async_trait;
use meetrelay::ports::{
    Delivery, Depths, Outgoing, PublishError, Queue, QueueError, QueueName, Settlement,
};

use std::sync::Arc;

/// Says why a message is refused, if it is; `true`: it comes from outside.
type Refuse = Box<dyn Fn(&Outgoing, bool) -> Option<PublishError> + Send + Sync>;

pub(super) struct Refusing {
    inner: Arc<dyn Queue>,
    refuse: Refuse,
}

impl Refusing {
    pub(super) fn new(inner: &Arc<dyn Queue>, refuse: Refuse) -> Arc<Self> {
        let inner = Arc::clone(inner);
        Arc::new(Self { inner, refuse })
    }
}

#[async_trait]
impl Queue for Refusing {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        match (self.refuse)(&outgoing, true) {
            Some(error) => Err(error),
            None => self.inner.publish(outgoing).await,
        }
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        match outgoing.iter().find_map(|one| (self.refuse)(one, false)) {
            Some(error) => Err(error),
            None => self.inner.publish_all(outgoing).await,
        }
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.inner.receive(queue, max).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        self.inner.settle(settlements).await
    }

    async fn depths(&self) -> Result<Depths, QueueError> {
        self.inner.depths().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
