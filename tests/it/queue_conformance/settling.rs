use std::time::{Duration, Instant};

use meetrelay::ports::{QueueName, Receipt, Settlement};

use super::bench::{
    Bench, assert_silent, ids, later, receipts, receive_all, receive_one, reopen, to,
};

use QueueName::{Chat, ChatLater, Conference, Events};
use Settlement::{Again, Done, Return};

pub(crate) async fn done_message_is_gone_after_a_restart(bench: &impl Bench) {
    let queue = bench.open().await;
    queue
        .publish_all(vec![to(Events, "a"), to(Events, "b")])
        .await
        .unwrap();
    let received = receive_one(&*queue, Events).await;
    queue.settle(vec![Done(received.receipt)]).await.unwrap();
    let queue = reopen(bench, queue).await;
    assert_eq!(receive_one(&*queue, Events).await.message.id, "b");
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn returned_message_comes_again_unmarked(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(Events, "a")).await.unwrap();
    for _ in 0..3 {
        let received = receive_one(&*queue, Events).await;
        assert_eq!(received.message.id, "a");
        assert!(!received.redelivered);
        queue.settle(vec![Return(received.receipt)]).await.unwrap();
    }
    let received = receive_one(&*queue, Events).await;
    queue.settle(vec![Done(received.receipt)]).await.unwrap();
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn again_puts_the_next_message_in_its_place(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(ChatLater, "first")).await.unwrap();
    let receipt = receive_one(&*queue, ChatLater).await.receipt;
    let next = to(ChatLater, "second");
    queue.settle(vec![Again { receipt, next }]).await.unwrap();
    let queue = reopen(bench, queue).await;
    let received = receive_one(&*queue, ChatLater).await;
    assert_eq!(received.message.id, "second");
    queue.settle(vec![Done(received.receipt)]).await.unwrap();
    assert_silent(&*queue, ChatLater).await;
}

pub(crate) async fn again_may_move_to_another_queue(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(Chat, "first")).await.unwrap();
    let receipt = receive_one(&*queue, Chat).await.receipt;
    let next = to(ChatLater, "second");
    queue.settle(vec![Again { receipt, next }]).await.unwrap();
    let received = receive_one(&*queue, ChatLater).await;
    assert_eq!(received.message.id, "second");
    assert!(!received.redelivered);
    assert_silent(&*queue, Chat).await;
}

pub(crate) async fn again_waits_for_its_delay(bench: &impl Bench) {
    const DELAY: Duration = Duration::from_millis(300);
    let queue = bench.open().await;
    queue.publish(to(Conference, "first")).await.unwrap();
    let receipt = receive_one(&*queue, Conference).await.receipt;
    let settled = Instant::now();
    let next = later(Conference, "second", DELAY);
    queue.settle(vec![Again { receipt, next }]).await.unwrap();
    assert_eq!(receive_one(&*queue, Conference).await.message.id, "second");
    assert!(settled.elapsed() + Duration::from_millis(2) >= DELAY);
}

/// Whoever dies before it settles, with whatever intent, leaves the message.
pub(crate) async fn message_not_settled_comes_again_marked(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(Events, "a")).await.unwrap();
    assert!(!receive_one(&*queue, Events).await.redelivered);
    let queue = reopen(bench, queue).await;
    let received = receive_one(&*queue, Events).await;
    assert_eq!(received.message.id, "a");
    assert!(received.redelivered);
    queue.settle(vec![Return(received.receipt)]).await.unwrap();
    let received = receive_one(&*queue, Events).await;
    assert!(received.redelivered, "giving back takes no suspicion away");
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn receipt_of_an_earlier_run_is_ignored(bench: &impl Bench) {
    let queue = bench.open().await;
    queue
        .publish_all(vec![to(Events, "a"), to(Events, "b"), to(Events, "c")])
        .await
        .unwrap();
    let stale = receipts(&receive_all(&*queue, Events, 3).await);
    let queue = reopen(bench, queue).await;
    let received = receive_all(&*queue, Events, 3).await;
    let next = to(Events, "stale");
    let settlements = vec![
        Done(stale[0]),
        Return(stale[1]),
        Again {
            receipt: stale[2],
            next,
        },
        Done(Receipt(0)),
    ];
    queue.settle(settlements).await.unwrap();
    assert_silent(&*queue, Events).await;
    let queue = reopen(bench, queue).await;
    let again = receive_all(&*queue, Events, 3).await;
    assert_eq!(ids(&again), ids(&received));
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn receipt_is_good_once(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(Events, "a")).await.unwrap();
    let receipt = receive_one(&*queue, Events).await.receipt;
    let next = |id: &str| Again {
        receipt,
        next: to(Events, id),
    };
    queue
        .settle(vec![next("b"), next("c"), Return(receipt)])
        .await
        .unwrap();
    queue.settle(vec![next("d")]).await.unwrap();
    assert_eq!(receive_one(&*queue, Events).await.message.id, "b");
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn many_are_settled_at_once(bench: &impl Bench) {
    let queue = bench.open().await;
    let batch = (0..30).map(|number| to(Events, number)).collect();
    queue.publish_all(batch).await.unwrap();
    let received = receive_all(&*queue, Events, 30).await;
    let settlements = receipts(&received)
        .into_iter()
        .enumerate()
        .map(|(number, receipt)| {
            let next = to(Chat, number);
            match number % 3 {
                0 => Done(receipt),
                1 => Return(receipt),
                _ => Again { receipt, next },
            }
        });
    queue.settle(settlements.collect()).await.unwrap();
    let returned = receive_all(&*queue, Events, 10).await;
    assert_eq!(
        ids(&returned),
        ["1", "4", "7", "10", "13", "16", "19", "22", "25", "28"]
    );
    let moved = receive_all(&*queue, Chat, 10).await;
    assert_eq!(
        ids(&moved),
        ["2", "5", "8", "11", "14", "17", "20", "23", "26", "29"]
    );
    assert_silent(&*queue, Events).await;
    assert_silent(&*queue, Chat).await;
}
