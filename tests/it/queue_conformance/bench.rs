//! What the claims need of a back end beside the queue itself, and the words they are written in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use meetrelay::ports::{Delivery, Message, Outgoing, Queue, QueueName, Receipt};
use tokio::time::timeout;

/// Longest wait for what must come; a failing test ends here.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a queue must be silent to count as empty.
const SILENCE: Duration = Duration::from_millis(200);

/// One empty place for a queue, gone with the bench.
#[async_trait]
pub(crate) trait Bench: Send + Sync {
    /// Opens the queue; what was published through an earlier one is there.
    async fn open(&self) -> Arc<dyn Queue>;
}

/// Ends the queue with whatever it has handed out, and opens it again.
pub(crate) async fn reopen(bench: &impl Bench, queue: Arc<dyn Queue>) -> Arc<dyn Queue> {
    queue.close().await;
    drop(queue);
    bench.open().await
}

/// A message with this id, without delay.
pub(crate) fn to(queue: QueueName, id: impl ToString) -> Outgoing {
    later(queue, id, Duration::ZERO)
}

/// A message with this id and delay.
pub(crate) fn later(queue: QueueName, id: impl ToString, delay: Duration) -> Outgoing {
    let id = id.to_string();
    let body = Bytes::from(format!("body of {id}"));
    Outgoing {
        queue,
        message: Message { id, body },
        delay,
    }
}

pub(crate) async fn receive(queue: &dyn Queue, from: QueueName, max: usize) -> Vec<Delivery> {
    let received = timeout(PATIENCE, queue.receive(from, max)).await;
    let received = received.expect("a message comes").unwrap();
    assert!(!received.is_empty() && received.len() <= max);
    for delivery in &received {
        assert_eq!(delivery.queue, from);
        let body = format!("body of {}", delivery.message.id);
        assert!(delivery.message.body == body || delivery.message.body.len() >= 400);
    }
    received
}

/// The next message alone.
pub(crate) async fn receive_one(queue: &dyn Queue, from: QueueName) -> Delivery {
    receive(queue, from, 1).await.remove(0)
}

/// Receives until there are `count`.
pub(crate) async fn receive_all(queue: &dyn Queue, from: QueueName, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(receive(queue, from, count - all.len()).await);
    }
    all
}

/// Nothing is handed out.
pub(crate) async fn assert_silent(queue: &dyn Queue, from: QueueName) {
    if let Ok(received) = timeout(SILENCE, queue.receive(from, 10)).await {
        panic!("{} has {:?}", from.as_str(), ids(&received.unwrap()));
    }
}

pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    let ids = deliveries
        .iter()
        .map(|delivery| delivery.message.id.as_str());
    ids.collect()
}

pub(crate) fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|delivery| delivery.receipt).collect()
}
