use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use meetrelay::ports::{QueueError, QueueName, Settlement};
use tokio::time::timeout;

use super::bench::{
    Bench, assert_silent, ids, later, receive, receive_all, receive_one, reopen, to,
};
use crate::harness::eventually;

use QueueName::{Chat, ChatLater, Conference, Events};

pub(crate) async fn messages_come_in_the_order_of_their_publication(bench: &impl Bench) {
    let queue = bench.open().await;
    let all: Vec<String> = (0..50).map(|number| format!("{number:02}")).collect();
    for id in &all[..10] {
        queue.publish(to(Events, id)).await.unwrap();
    }
    let rest = all[10..].iter().map(|id| to(Events, id)).collect();
    queue.publish_all(rest).await.unwrap();
    assert_eq!(ids(&receive_all(&*queue, Events, 50).await), all);
}

pub(crate) async fn up_to_max_are_handed_out_and_none_twice(bench: &impl Bench) {
    let queue = bench.open().await;
    let batch = (0..10).map(|number| to(Events, number)).collect();
    queue.publish_all(batch).await.unwrap();
    let first = receive(&*queue, Events, 4).await;
    let rest = receive_all(&*queue, Events, 10 - first.len()).await;
    let seen: BTreeSet<&str> = ids(&first).into_iter().chain(ids(&rest)).collect();
    assert_eq!(seen.len(), 10);
    assert!(
        first
            .iter()
            .chain(&rest)
            .all(|delivery| !delivery.redelivered)
    );
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn concurrent_receivers_share_without_doubles(bench: &impl Bench) {
    const COUNT: usize = 400;
    let queue = bench.open().await;
    let receivers: Vec<_> = (0..8)
        .map(|number| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    match queue.receive(Events, 1 + number % 4).await {
                        Ok(received) => {
                            mine.extend(ids(&received).into_iter().map(str::to_owned));
                            let done = received.iter().map(|d| Settlement::Done(d.receipt));
                            queue.settle(done.collect()).await.unwrap();
                        }
                        Err(QueueError::Closed) => return mine,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for number in 0..COUNT {
        queue.publish(to(Events, number)).await.unwrap();
    }
    // A message on its way from a broker to us is counted by neither for a moment.
    let mut empty_looks = 0;
    eventually("an empty queue", async || {
        empty_looks = match queue.depths().await.unwrap().queues.first() {
            Some((_, depth)) if depth.ready + depth.in_flight > 0 => 0,
            _ => empty_looks + 1,
        };
        (empty_looks == 5).then_some(())
    })
    .await;
    queue.close().await;
    let mut all = Vec::new();
    for receiver in receivers {
        all.extend(receiver.await.unwrap());
    }
    assert_eq!(all.len(), COUNT);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), COUNT);
}

pub(crate) async fn queues_are_separate(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(Conference, "a")).await.unwrap();
    for other in [Events, Chat, ChatLater] {
        assert_silent(&*queue, other).await;
    }
    assert_eq!(receive_one(&*queue, Conference).await.message.id, "a");
}

pub(crate) async fn receive_waits_for_a_message(bench: &impl Bench) {
    let queue = bench.open().await;
    let waiting = queue.clone();
    let waiting = tokio::spawn(async move { receive_one(&*waiting, Chat).await });
    assert_silent(&*queue, ChatLater).await;
    queue.publish(to(Chat, "a")).await.unwrap();
    assert_eq!(waiting.await.unwrap().message.id, "a");
}

pub(crate) async fn delayed_message_is_not_early_and_holds_up_no_other(bench: &impl Bench) {
    const DELAY: Duration = Duration::from_millis(400);
    let queue = bench.open().await;
    let published = Instant::now();
    queue
        .publish(later(ChatLater, "long", Duration::from_secs(3600)))
        .await
        .unwrap();
    queue
        .publish(later(ChatLater, "short", DELAY))
        .await
        .unwrap();
    queue.publish(to(ChatLater, "none")).await.unwrap();
    assert_eq!(receive_one(&*queue, ChatLater).await.message.id, "none");
    assert_eq!(receive_one(&*queue, ChatLater).await.message.id, "short");
    // Clocks of queues count whole milliseconds.
    assert!(published.elapsed() + Duration::from_millis(2) >= DELAY);
    assert_silent(&*queue, ChatLater).await;
}

pub(crate) async fn delay_outlasts_a_restart(bench: &impl Bench) {
    const DELAY: Duration = Duration::from_millis(800);
    let queue = bench.open().await;
    let published = Instant::now();
    queue.publish(later(ChatLater, "a", DELAY)).await.unwrap();
    let queue = reopen(bench, queue).await;
    let received = receive_one(&*queue, ChatLater).await;
    assert!(published.elapsed() + Duration::from_millis(2) >= DELAY);
    assert!(!received.redelivered, "nobody has had it yet");
}

pub(crate) async fn cancelled_receive_loses_nothing(bench: &impl Bench) {
    const COUNT: usize = 100;
    let queue = bench.open().await;
    let publishing = queue.clone();
    let publishing = tokio::spawn(async move {
        for number in 0..COUNT {
            publishing.publish(to(Events, number)).await.unwrap();
        }
    });
    let mut seen = BTreeSet::new();
    let mut pause = 0;
    while seen.len() < COUNT {
        pause = (pause + 37) % 2000;
        // Most of these end in the middle of something.
        let waiting = timeout(Duration::from_micros(pause), queue.receive(Events, 3));
        if let Ok(received) = waiting.await {
            for delivery in received.unwrap() {
                assert!(seen.insert(delivery.message.id), "handed out twice");
            }
        }
    }
    publishing.await.unwrap();
    assert_silent(&*queue, Events).await;
}
