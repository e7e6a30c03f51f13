//! What happens to the broker, and what it must not do to messages. Each claim has a broker of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use meetrelay::ports::{PublishError, Queue, QueueError, QueueName, Settlement};
use meetrelay::queue::rabbitmq::{BrokerSettings, LinkStates, RabbitMq, Role};
use tokio::time::timeout;
use world::broker::Broker;

use super::super::bench::{ids, later, receipts, receive_all, receive_one, to};
use super::bench::{Counts, settings, start, start_observed};
use crate::harness::{eventually_within, stays_true_for};

use QueueName::{Chat, ChatLater, Events};

/// Longest wait for a link's state.
const PATIENCE: Duration = Duration::from_secs(60);

async fn own_broker() -> (Broker, String) {
    let broker = Broker::start().await.unwrap_or_else(|why| panic!("{why}"));
    let vhost = broker.new_vhost().await;
    (broker, vhost)
}

/// Whoever waits for a broker that does not answer waits longer than the test.
fn patient(url: &str) -> BrokerSettings {
    BrokerSettings {
        confirm_timeout: 10 * PATIENCE,
        ..settings(url)
    }
}

async fn wait_for(queue: &RabbitMq, is_so: impl FnMut(&LinkStates) -> bool) {
    let mut links = queue.link();
    let waited = timeout(PATIENCE, links.wait_for(is_so)).await;
    waited.expect("the links come to that state").unwrap();
}

async fn wait_until_up(queue: &RabbitMq) {
    wait_for(queue, |links| {
        links.publisher.is_usable() && links.consumer.is_up
    })
    .await;
}

/// Publishes until it works: as whoever spools does.
async fn insist(queue: &dyn Queue, number: usize) {
    let what = format!("message {number} to be taken");
    eventually_within(PATIENCE, &what, async || {
        match queue.publish(to(Events, number)).await {
            Ok(()) => Some(()),
            Err(PublishError::Unavailable(_)) => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await;
}

/// Receives and settles until every one of `count` ids came.
async fn collect(queue: &dyn Queue, count: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        let received = timeout(PATIENCE, queue.receive(Events, 20)).await;
        let received = received.unwrap_or_else(|_| panic!("{} of {count} came", seen.len()));
        let received = received.unwrap();
        seen.extend(ids(&received).into_iter().map(str::to_owned));
        let done = receipts(&received).into_iter().map(Settlement::Done);
        match queue.settle(done.collect()).await {
            Ok(()) | Err(QueueError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirmed_messages_survive_a_killed_broker() {
    let (broker, vhost) = own_broker().await;
    let queue = start(patient(&broker.url(&vhost))).await.unwrap();
    let batch = (0..50).map(|number| to(Events, number)).collect();
    queue.publish_all(batch).await.unwrap();
    let delay = Duration::from_secs(2);
    queue
        .publish(later(ChatLater, "late", delay))
        .await
        .unwrap();
    let held = receive_all(&queue, Events, 10).await;
    broker.kill().await;
    wait_for(&queue, |links| {
        !links.publisher.is_up && !links.consumer.is_up
    })
    .await;
    // Refused while the broker is dead: it was not waited for.
    let refused = timeout(PATIENCE, queue.publish(to(Chat, "now")));
    let error = refused.await.unwrap().unwrap_err();
    assert!(matches!(error, PublishError::Unavailable(_)), "{error}");
    let settled = queue.settle(vec![Settlement::Done(held[0].receipt)]).await;
    assert!(!matches!(settled, Err(QueueError::Closed)));
    broker.restart().await;
    wait_until_up(&queue).await;
    let seen = collect(&queue, 50).await;
    assert_eq!(seen.len(), 50);
    assert_eq!(receive_one(&queue, ChatLater).await.message.id, "late");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_connections_are_closed_under_load() {
    const COUNT: usize = 2000;
    let (broker, vhost) = own_broker().await;
    let counts = Arc::new(Counts::default());
    let settings = settings(&broker.url(&vhost));
    let queue = start_observed(settings, counts.clone()).await.unwrap();
    let queue = Arc::new(queue);
    let receiving = {
        let queue = queue.clone();
        tokio::spawn(async move { collect(&*queue, COUNT).await })
    };
    let published = AtomicUsize::new(0);
    let publishing = join_all((0..16).map(async |first| {
        for number in (first..COUNT).step_by(16) {
            insist(&*queue, number).await;
            published.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let closing = async {
        for part in 1..=4 {
            eventually_within(PATIENCE, "the load to go on", async || {
                (published.load(Ordering::Relaxed) >= part * COUNT / 5).then_some(())
            })
            .await;
            broker.close_all_connections().await;
        }
    };
    tokio::join!(publishing, closing);
    let seen = timeout(PATIENCE, receiving).await.unwrap().unwrap();
    assert_eq!(seen.len(), COUNT);
    assert!(counts.reconnects(Role::Publisher) >= 1 && counts.reconnects(Role::Consumer) >= 1);
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_broker_refuses_at_once_and_still_takes_acknowledgements() {
    let (broker, vhost) = own_broker().await;
    let queue = start(patient(&broker.url(&vhost))).await.unwrap();
    queue
        .publish_all(vec![to(Events, "a"), to(Events, "b"), to(Events, "c")])
        .await
        .unwrap();
    let held = receive_all(&queue, Events, 3).await;
    broker.raise_memory_alarm().await;
    // The alarm reaches the connections a moment later, and blocks whoever publishes then.
    let refused = timeout(PATIENCE, async {
        loop {
            if let Err(error) = queue.publish(to(Chat, "early")).await {
                return error;
            }
        }
    });
    let error = refused.await.expect("the alarm is felt");
    assert!(matches!(error, PublishError::Unavailable(_)), "{error}");
    wait_for(&queue, |links| links.publisher.is_blocked).await;
    // Refused while the broker is blocked: it was not waited for.
    let refused = timeout(PATIENCE, queue.publish(to(Chat, "second")));
    let error = refused.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("blocks"), "{error}");
    queue
        .settle(vec![Settlement::Done(held[0].receipt)])
        .await
        .unwrap();
    // What is given back comes again, though nothing can be published.
    queue
        .settle(vec![Settlement::Return(held[1].receipt)])
        .await
        .unwrap();
    let again = receive_one(&queue, Events).await;
    assert_eq!(again.message.id, "b");
    let queue = Arc::new(queue);
    let retrying = {
        let (queue, receipt) = (queue.clone(), held[2].receipt);
        let next = to(Chat, "retry");
        tokio::spawn(async move {
            queue
                .settle(vec![Settlement::Again { receipt, next }])
                .await
        })
    };
    let waits = async || !retrying.is_finished();
    let short = Duration::from_millis(300);
    stays_true_for(short, "a retry waits for the broker", waits).await;
    assert_eq!(broker.depth(&vhost, "meetrelay.events").await, Some(2));
    broker.clear_memory_alarm().await;
    wait_until_up(&queue).await;
    timeout(PATIENCE, retrying).await.unwrap().unwrap().unwrap();
    queue.publish(to(Chat, "after")).await.unwrap();
    let mut came = BTreeSet::new();
    while !(came.contains("retry") && came.contains("after")) {
        let delivery = receive_one(&*queue, Chat).await;
        queue
            .settle(vec![Settlement::Done(delivery.receipt)])
            .await
            .unwrap();
        came.insert(delivery.message.id);
    }
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_broker_is_noticed_and_publish_answers_in_time() {
    let (broker, vhost) = own_broker().await;
    let mut settings = settings(&broker.url(&vhost));
    // Long before a heartbeat is missed.
    settings.heartbeat = Duration::from_secs(4);
    settings.confirm_timeout = Duration::from_secs(1);
    let queue = start(settings).await.unwrap();
    queue.publish(to(Events, "before")).await.unwrap();
    broker.freeze().await;
    let error = queue.publish(to(Events, "frozen")).await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable(_)), "{error}");
    wait_for(&queue, |links| !links.publisher.is_up).await;
    queue.publish(to(Events, "at once")).await.unwrap_err();
    let is_unnoticed = queue.link().borrow().consumer.is_up;
    assert!(is_unnoticed, "both were refused before a heartbeat told");
    // Nothing is asked of this one: its heartbeat alone can tell.
    wait_for(&queue, |links| !links.consumer.is_up).await;
    broker.thaw().await;
    wait_until_up(&queue).await;
    queue.publish(to(Events, "after")).await.unwrap();
    let mut seen = BTreeSet::new();
    while !seen.contains("after") {
        seen.insert(receive_one(&queue, Events).await.message.id);
    }
    assert!(seen.contains("before"));
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_starts_without_its_broker_and_finds_it_later() {
    let (broker, vhost) = own_broker().await;
    broker.kill().await;
    let queue = start(settings(&broker.url(&vhost))).await.unwrap();
    let error = queue.publish(to(Events, "a")).await.unwrap_err();
    assert!(error.to_string().contains("is the broker up?"), "{error}");
    assert!(!error.to_string().contains(broker.password()));
    assert!(matches!(
        queue.depths().await,
        Err(QueueError::Unavailable(_))
    ));
    broker.restart().await;
    wait_until_up(&queue).await;
    queue.publish(to(Events, "b")).await.unwrap();
    assert_eq!(receive_one(&queue, Events).await.message.id, "b");
    queue.close().await;
}
