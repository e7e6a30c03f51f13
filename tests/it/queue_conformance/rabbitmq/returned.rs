//! What the broker puts aside, and what it refuses.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use meetrelay::ports::{Queue, QueueName, ReturnedMessage, ReturnedMessages, Settlement};
use meetrelay::queue::rabbitmq::{BrokerError, RabbitMq};
use tokio::time::timeout;

use super::super::bench::{receive_one, to};
use super::bench::{VhostBench, settings, start};

async fn returned(queue: &RabbitMq) -> ReturnedMessage {
    let received = timeout(Duration::from_secs(30), ReturnedMessages::receive(queue, 1)).await;
    received.expect("a castoff comes").unwrap().remove(0)
}

async fn publish(url: &str, key: &str, id: &str) {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let properties = BasicProperties::default().with_message_id(id.into());
    let options = BasicPublishOptions::default();
    let published =
        channel.basic_publish("meetrelay".into(), key.into(), options, b"{}", properties);
    published.await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unroutable_message_is_cast_off() {
    let bench = VhostBench::new().await;
    let queue = start(bench.settings()).await.unwrap();
    publish(&bench.url(), "no.such.queue", "lost").await;
    let found = returned(&queue).await;
    assert_eq!(found.delivery.message.id, "lost");
    assert_eq!(found.delivery.queue, QueueName::Events);
    assert_eq!(found.delivery.message.body.as_ref(), b"{}");
    assert!(
        found.reason.contains("\"no.such.queue\""),
        "{}",
        found.reason
    );
    ReturnedMessages::settle(&queue, vec![found.delivery.receipt])
        .await
        .unwrap();
    queue.close().await;
    assert_eq!(bench.depth("meetrelay.unrouted").await, Some(0));
}

/// It went through a delay before: what the broker says of that must not be taken for the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_delivered_too_often_is_cast_off() {
    let bench = VhostBench::new().await;
    let queue = start(bench.settings()).await.unwrap();
    queue.publish(to(QueueName::Chat, "poison")).await.unwrap();
    let receipt = receive_one(&queue, QueueName::Chat).await.receipt;
    let next = super::super::bench::later(QueueName::Chat, "poison", Duration::from_secs(1));
    Queue::settle(&queue, vec![Settlement::Again { receipt, next }])
        .await
        .unwrap();
    receive_one(&queue, QueueName::Chat).await;
    queue.close().await;
    bench.exhaust("meetrelay.chat").await;
    let queue = start(bench.settings()).await.unwrap();
    let found = returned(&queue).await;
    assert_eq!(found.delivery.message.id, "poison");
    assert_eq!(found.delivery.queue, QueueName::Chat);
    assert_eq!(
        found.reason,
        "the broker gave it up: it was delivered too often from meetrelay.chat without being settled"
    );
    ReturnedMessages::settle(&queue, vec![found.delivery.receipt])
        .await
        .unwrap();
    queue.close().await;
    assert_eq!(bench.depth("meetrelay.dead").await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn castoff_that_is_not_settled_stays() {
    let bench = VhostBench::new().await;
    let queue = start(bench.settings()).await.unwrap();
    publish(&bench.url(), "nowhere", "kept").await;
    assert_eq!(returned(&queue).await.delivery.message.id, "kept");
    queue.close().await;
    let queue = start(bench.settings()).await.unwrap();
    assert_eq!(returned(&queue).await.delivery.message.id, "kept");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_password_and_missing_vhost_are_refused_in_one_line_without_the_password() {
    let bench = VhostBench::new().await;
    let (wrong, missing) = bench.wrong_urls();
    for (url, secret) in [(wrong, "not-the-password"), (missing, bench.password())] {
        let Err(error) = start(settings(&url)).await else {
            panic!("it starts");
        };
        assert!(matches!(error, BrokerError::Refused(_)), "{error:?}");
        let text = error.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains(secret) && !format!("{error:?}").contains(secret));
    }
}
