use std::time::Duration;

use meetrelay::ports::{Depth, Depths, PublishError, Queue, QueueError, QueueName, Settlement};

use super::bench::{Bench, later, receive, to};
use crate::harness::{stays_true_for, within};

use QueueName::{Chat, ChatLater, Conference, Events};

pub(crate) async fn close_wakes_whoever_waits(bench: &impl Bench) {
    let queue = bench.open().await;
    let waiting: Vec<_> = [Events, Events, Conference, Chat, ChatLater]
        .into_iter()
        .map(|from| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.receive(from, 10).await })
        })
        .collect();
    let wait = async || waiting.iter().all(|waiting| !waiting.is_finished());
    // Each has come to where it waits.
    stays_true_for(Duration::from_millis(50), "they wait", wait).await;
    queue.close().await;
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Err(QueueError::Closed));
    }
}

pub(crate) async fn closed_queue_refuses(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(Events, "a")).await.unwrap();
    let receipt = receive(&*queue, Events, 1).await[0].receipt;
    queue.close().await;
    let refused = queue.publish(to(Events, "b")).await;
    assert!(
        matches!(refused, Err(PublishError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(queue.receive(Events, 1).await, Err(QueueError::Closed));
    let settled = queue.settle(vec![Settlement::Done(receipt)]).await;
    assert_eq!(settled, Err(QueueError::Closed));
    assert_eq!(queue.depths().await, Err(QueueError::Closed));
    // Whoever stops for two reasons closes twice.
    queue.close().await;
}

pub(crate) async fn depths_count(bench: &impl Bench) {
    let queue = bench.open().await;
    let empty = Depth::default();
    wait_for(&*queue, [empty; 4]).await;
    let batch = (0..5).map(|number| to(Events, number));
    let delayed = (5..8).map(|number| later(ChatLater, number, Duration::from_secs(3600)));
    queue
        .publish_all(batch.chain(delayed).collect())
        .await
        .unwrap();
    let ready = |ready| Depth { ready, ..empty };
    let delayed = Depth {
        delayed: 3,
        ..empty
    };
    wait_for(&*queue, [ready(5), empty, empty, delayed]).await;
    let received = receive(&*queue, Events, 2).await;
    let in_flight = received.len() as u64;
    let some = Depth {
        ready: 5 - in_flight,
        in_flight,
        ..empty
    };
    wait_for(&*queue, [some, empty, empty, delayed]).await;
    let mut settlements: Vec<_> = received
        .iter()
        .map(|delivery| Settlement::Done(delivery.receipt))
        .collect();
    settlements[0] = Settlement::Again {
        receipt: received[0].receipt,
        next: to(Chat, "next"),
    };
    queue.settle(settlements).await.unwrap();
    wait_for(&*queue, [ready(5 - in_flight), empty, ready(1), delayed]).await;
}

/// A broker's own counts may lag. Where queues share the places in which messages wait for their time, only the sum
/// of those can be told.
async fn wait_for(queue: &dyn Queue, depths: [Depth; 4]) {
    let wanted: Vec<_> = QueueName::ALL.into_iter().zip(depths).collect();
    let mut found = Depths::default();
    let reached = within(Duration::from_secs(10), async || {
        found = queue.depths().await.unwrap();
        (found == as_shared_by(&found, &wanted)).then_some(())
    });
    if reached.await.is_none() {
        assert_eq!(found, as_shared_by(&found, &wanted));
    }
}

/// What a back end like that of `found` should say.
fn as_shared_by(found: &Depths, wanted: &[(QueueName, Depth)]) -> Depths {
    let mut queues = wanted.to_vec();
    let mut shared_delayed = 0;
    if found.shared_delayed > 0 {
        for (_, depth) in &mut queues {
            shared_delayed += std::mem::take(&mut depth.delayed);
        }
    }
    Depths {
        queues,
        shared_delayed,
    }
}
