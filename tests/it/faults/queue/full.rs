//! Queues and spools without room (Q7): said to whoever asks, nothing lost that was accepted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meetrelay::clock::SystemClock;
use meetrelay::ports::{Message, Outgoing, Queue, QueueName};
use meetrelay::queue::{EmbeddedQueue, EmbeddedSettings};

use crate::faults::storage::full::{
    ask_until_refused, command_is_refused_visibly, webhook_is_refused,
};
use crate::faults::storage::{ask, each_has_one_card, is_accepted, ready};
use crate::harness::{BackEnd, Setup};

#[tokio::test]
async fn q7_full_spool_is_told_and_loses_nothing() {
    let world = Setup::default()
        .back_end(BackEnd::own().await)
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("SPOOL__MAX_BYTES", "60KB")
        .start()
        .await;
    let (broker, _) = world.back_end.broker().unwrap();
    assert!(is_accepted(&ask(&world, "before").await));
    each_has_one_card(&world, &["before".to_owned()]).await;
    broker.stop_app().await;
    world
        .relay
        .await_metric("meetrelay_ready{check=\"amqp_publisher\"} 0")
        .await;
    let mut accepted = ask_until_refused(&world).await;
    assert!(!accepted.is_empty(), "the spool takes some");
    command_is_refused_visibly(&world).await;
    webhook_is_refused(&world).await;
    ready(&world, 503).await;
    broker.start_app().await;
    ready(&world, 200).await;
    accepted.push("before".to_owned());
    tokio::time::timeout(
        Duration::from_secs(60),
        each_has_one_card(&world, &accepted),
    )
    .await
    .unwrap();
    assert!(is_accepted(&ask(&world, "after").await));
    world.finish().await;
}

#[tokio::test]
async fn q7_embedded_queue_at_its_limit_is_told_and_loses_nothing() {
    let mut world = Setup::default()
        .back_end(BackEnd::Embedded)
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("QUEUE__BYTES_MAX", "1MiB")
        .start()
        .await;
    world.relay.stop().await;
    fill_nearly(&world.data().join("queue.db")).await;
    world.relay.start_again().await;
    assert!(is_accepted(&ask(&world, "before").await));
    each_has_one_card(&world, &["before".to_owned()]).await;
    // Cards wait, and so do their jobs.
    world
        .chat
        .faults()
        .set("posts.create", world::Fault::Stall(Duration::from_secs(20)));
    let mut accepted = ask_until_refused(&world).await;
    ready(&world, 503).await;
    world.chat.faults().clear();
    ready(&world, 200).await;
    accepted.push("before".to_owned());
    each_has_one_card(&world, &accepted).await;
    world.finish().await;
}

/// Messages that wait for hours take most of the room.
async fn fill_nearly(path: &std::path::Path) {
    let settings = EmbeddedSettings {
        path: path.to_owned(),
        bytes_max: 1 << 30,
    };
    let queue = EmbeddedQueue::open(settings, Arc::new(SystemClock)).unwrap();
    let filler = || Outgoing {
        queue: QueueName::ChatLater,
        message: Message {
            id: "filler".to_owned(),
            body: Bytes::from(vec![b' '; 10_000]),
        },
        delay: Duration::from_secs(36_000),
    };
    while queue.bytes_used().await.unwrap() < 950_000 {
        queue.publish(filler()).await.unwrap();
    }
    queue.close().await;
}
