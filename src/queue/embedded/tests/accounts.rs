//! The state in memory follows the file.

use std::collections::BTreeSet;

use super::*;
use crate::ports::Settlement::{Again, Done, Return};

#[tokio::test]
async fn message_of_a_dropped_publish_is_counted_and_delivered() {
    let bench = Bench::new();
    let queue = bench.open();
    let mut waiting = Box::pin(queue.receive(QueueName::Events, 1));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let mut publishing = Box::pin(queue.publish(later("a", 0)));
    // The message may be stored before this first poll ends.
    let _ = futures_util::poll!(&mut publishing);
    drop(publishing);
    let received = tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ids(&received), ["a"]);
    // A round trip through the writer's thread, so that the earlier publish is complete.
    queue.publish(later("b", 0)).await.unwrap();
    assert_eq!(depth(&queue).await, (1, 0, 1));
}

#[tokio::test]
async fn dropped_settlement_is_completed_or_its_message_is_released() {
    let bench = Bench::new();
    let queue = bench.open();
    for number in 0..20 {
        queue.publish(later(number, 0)).await.unwrap();
        let receipt = receive(&queue, 1).await[0].receipt;
        let mut settling = Box::pin(queue.settle(vec![Done(receipt)]));
        let _ = futures_util::poll!(&mut settling);
    }
    queue.publish(later("last", 0)).await.unwrap();
    assert_eq!(ids(&receive(&queue, 10).await), ["last"]);
    assert_eq!(depth(&queue).await, (0, 0, 1));
}

#[tokio::test]
async fn depths_follow_every_step() {
    let bench = Bench::new();
    let queue = bench.open();
    for (id, delay) in [("a", 0), ("b", 0), ("c", 1_000), ("d", 9_000)] {
        queue.publish(later(id, delay)).await.unwrap();
    }
    assert_eq!(depth(&queue).await, (2, 2, 0));
    bench.clock.set(1_001_000);
    assert_eq!(depth(&queue).await, (3, 1, 0));
    let received = receive(&queue, 3).await;
    assert_eq!(ids(&received), ["a", "b", "c"]);
    assert_eq!(depth(&queue).await, (0, 1, 3));
    let receipt = |at: usize| received[at].receipt;
    let next = later("e", 500);
    let settlements = vec![
        Done(receipt(0)),
        Return(receipt(2)),
        Again {
            receipt: receipt(1),
            next,
        },
    ];
    queue.settle(settlements).await.unwrap();
    assert_eq!(depth(&queue).await, (1, 2, 0));
    bench.clock.set(1_000_000);
    assert_eq!(depth(&queue).await, (0, 3, 0), "the clock was set back");
    drop(queue);
    let queue = bench.open();
    assert_eq!(depth(&queue).await, (0, 3, 0));
    bench.clock.set(1_009_000);
    assert_eq!(depth(&queue).await, (3, 0, 0));
    assert_eq!(ids(&receive(&queue, 9).await), ["c", "e", "d"]);
}

/// Returns, retries and removals run concurrently. Every message is delivered until it is done, and never again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn settled_message_is_never_delivered_again() {
    const COUNT: usize = 300;
    let bench = Bench::new();
    let queue = Arc::new(bench.open());
    let done = Arc::new(Mutex::new(BTreeSet::new()));
    let workers: Vec<_> = (0..6)
        .map(|worker| {
            let (queue, done) = (Arc::clone(&queue), Arc::clone(&done));
            tokio::spawn(async move {
                let mut step = worker;
                while let Ok(received) = queue.receive(QueueName::Events, 5).await {
                    for delivery in received {
                        step += 1;
                        let (receipt, id) = (delivery.receipt, delivery.message.id);
                        assert!(
                            !done.lock().unwrap().contains(&id),
                            "{id} is delivered again"
                        );
                        let settlement = match step % 3 {
                            0 => Return(receipt),
                            1 => Again {
                                receipt,
                                next: later(&id, 0),
                            },
                            _ => Done(receipt),
                        };
                        let is_done = settlement == Done(receipt);
                        queue.settle(vec![settlement]).await.unwrap();
                        if is_done {
                            done.lock().unwrap().insert(id);
                        }
                    }
                }
            })
        })
        .collect();
    for number in 0..COUNT {
        queue.publish(later(number, 0)).await.unwrap();
    }
    while depth(&queue).await != (0, 0, 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    queue.close().await;
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(done.lock().unwrap().len(), COUNT);
}

#[tokio::test]
async fn no_more_are_in_flight_than_the_bound() {
    let bench = Bench::new();
    let queue = bench.open();
    let batch = (0..=IN_FLIGHT_MAX).map(|number| later(number, 0)).collect();
    queue.publish_all(batch).await.unwrap();
    let mut held = Vec::new();
    while held.len() < IN_FLIGHT_MAX {
        held.extend(queue.receive(QueueName::Events, 1024).await.unwrap());
    }
    assert_eq!(held.len(), IN_FLIGHT_MAX);
    let mut waiting = Box::pin(queue.receive(QueueName::Events, 1));
    let waited = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(waited.is_err());
    queue.settle(vec![Done(held[7].receipt)]).await.unwrap();
    let last = IN_FLIGHT_MAX.to_string();
    assert_eq!(ids(&waiting.await.unwrap()), [last.as_str()]);
}
