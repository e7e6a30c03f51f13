use bytes::Bytes;
use futures_util::future::join_all;
use meetrelay::ports::{MESSAGE_BYTES_MAX, Message, Outgoing, PublishError, QueueName};

use super::bench::{Bench, assert_silent, ids, receive_all, receive_one, reopen, to};

use QueueName::{Chat, ChatLater, Events};

fn of_length(id: &str, bytes: usize) -> Outgoing {
    let body = Bytes::from(vec![b'x'; bytes]);
    Outgoing {
        message: Message {
            id: id.to_owned(),
            body,
        },
        ..to(Events, id)
    }
}

pub(crate) async fn published_message_survives_a_restart(bench: &impl Bench) {
    let queue = bench.open().await;
    let outgoing = to(Events, "a");
    queue.publish(outgoing.clone()).await.unwrap();
    let queue = reopen(bench, queue).await;
    assert_eq!(receive_one(&*queue, Events).await.message, outgoing.message);
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn batch_survives_a_restart(bench: &impl Bench) {
    let queue = bench.open().await;
    let batch = vec![to(Events, "a"), to(Chat, "b"), to(Events, "c")];
    queue.publish_all(batch).await.unwrap();
    let queue = reopen(bench, queue).await;
    assert_eq!(ids(&receive_all(&*queue, Events, 2).await), ["a", "c"]);
    assert_eq!(receive_one(&*queue, Chat).await.message.id, "b");
}

pub(crate) async fn concurrent_publishers_each_get_their_own_result(bench: &impl Bench) {
    let queue = bench.open().await;
    let publish = |number: usize| {
        let queue = queue.clone();
        let id = format!("{number:03}");
        let outgoing = match number % 8 {
            3 => of_length(&id, MESSAGE_BYTES_MAX + number),
            _ => to(Events, &id),
        };
        tokio::spawn(async move { queue.publish(outgoing).await })
    };
    let results = join_all((0..200).map(publish)).await;
    let mut taken = Vec::new();
    for (number, result) in results.into_iter().enumerate() {
        match result.unwrap() {
            Ok(()) => taken.push(format!("{number:03}")),
            Err(error) => {
                let bytes = MESSAGE_BYTES_MAX + number;
                assert_eq!(error, PublishError::TooLarge { bytes });
            }
        }
    }
    assert_eq!(taken.len(), 175);
    let received = receive_all(&*queue, Events, taken.len()).await;
    let mut received = ids(&received);
    received.sort_unstable();
    assert_eq!(received, taken);
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn largest_message_is_taken_and_a_larger_one_refused(bench: &impl Bench) {
    let queue = bench.open().await;
    let largest = of_length("largest", MESSAGE_BYTES_MAX);
    queue.publish(largest.clone()).await.unwrap();
    let larger = of_length("larger", MESSAGE_BYTES_MAX + 1);
    let bytes = MESSAGE_BYTES_MAX + 1;
    let refused = queue.publish(larger).await.unwrap_err();
    assert_eq!(refused, PublishError::TooLarge { bytes });
    assert_eq!(receive_one(&*queue, Events).await.message, largest.message);
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn batch_with_a_too_large_message_is_refused_whole(bench: &impl Bench) {
    let queue = bench.open().await;
    let bytes = MESSAGE_BYTES_MAX + 1;
    let batch = vec![to(Events, "a"), of_length("b", bytes), to(Events, "c")];
    let refused = queue.publish_all(batch).await.unwrap_err();
    assert_eq!(refused, PublishError::TooLarge { bytes });
    assert_silent(&*queue, Events).await;
}

pub(crate) async fn empty_batch_is_nothing(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish_all(Vec::new()).await.unwrap();
    assert_silent(&*queue, Events).await;
}

/// Whoever is in doubt publishes again; apply and the workers know a double by its id.
pub(crate) async fn same_message_twice_is_handed_out_twice(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(to(ChatLater, "a")).await.unwrap();
    queue.publish(to(ChatLater, "a")).await.unwrap();
    let received = receive_all(&*queue, ChatLater, 2).await;
    assert_ne!(received[0].receipt, received[1].receipt);
}
