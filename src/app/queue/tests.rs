#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use async_trait::async_trait;
use tokio::time::Instant;

use super::*;
use crate::ports::{Delivery, Outgoing, PublishError, QueueError, Settlement};

/// A broker that accepts connections and never answers.
struct Frozen;

#[async_trait]
impl Queue for Frozen {
    async fn publish(&self, _: Outgoing) -> Result<(), PublishError> {
        std::future::pending().await
    }
    async fn publish_all(&self, _: Vec<Outgoing>) -> Result<(), PublishError> {
        std::future::pending().await
    }
    async fn receive(&self, _: QueueName, _: usize) -> Result<Vec<Delivery>, QueueError> {
        std::future::pending().await
    }
    async fn settle(&self, _: Vec<Settlement>) -> Result<(), QueueError> {
        std::future::pending().await
    }
    async fn depths(&self) -> Result<Depths, QueueError> {
        std::future::pending().await
    }
    async fn close(&self) {}
}

fn readiness() -> Readiness {
    Readiness::new(Arc::new(Metrics::new().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn links_report_readiness_while_the_broker_does_not_answer() {
    let (states, links) = watch::channel(LinkStates::default());
    let (mut side, readiness) = (QueueSide::new(Some(links), None), readiness());
    let began = Instant::now();
    states.send_modify(|states| {
        states.publisher.is_up = true;
        states.consumer.is_up = true;
    });
    side.changed().await;
    assert!(side.update_readiness(&readiness, &Frozen).await);
    assert!(readiness.holds(Check::AmqpPublisher) && readiness.holds(Check::AmqpConsumer));
    states.send_modify(|states| states.publisher.is_blocked = true);
    side.changed().await;
    assert!(!side.update_readiness(&readiness, &Frozen).await);
    assert!(!readiness.holds(Check::AmqpPublisher));
    assert!(readiness.holds(Check::AmqpConsumer));
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing was waited for");
}

#[tokio::test(start_paused = true)]
async fn queue_that_does_not_answer_in_time_is_not_ready() {
    let (side, readiness) = (QueueSide::new(None, None), readiness());
    readiness.set(Check::AmqpPublisher, true);
    let began = Instant::now();
    assert!(!side.update_readiness(&readiness, &Frozen).await);
    assert!(!readiness.holds(Check::AmqpPublisher));
    assert_eq!(began.elapsed(), DEPTHS_WITHIN);
}
