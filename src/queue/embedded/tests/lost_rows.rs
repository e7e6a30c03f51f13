//! Files whose index and table are inconsistent.

use super::damage::COUNT;
use super::*;
use crate::ports::Settlement::Done;

#[tokio::test]
async fn message_that_is_only_in_the_index_delays_no_other() {
    let bench = Bench::new();
    let queue = bench.open();
    for id in ["a", "b", "c"] {
        queue.publish(later(id, 0)).await.unwrap();
    }
    change_without_index(&bench.path(), "DELETE FROM messages WHERE id = 'a'");
    let refused = queue.receive(QueueName::Events, 10).await.unwrap_err();
    assert!(
        matches!(&refused, QueueError::Unavailable(why) if why.contains("queue.db")),
        "{refused}"
    );
    let received = queue.receive(QueueName::Events, 10).await.unwrap();
    assert_eq!(ids(&received), ["b", "c"]);
    assert!(bench.has_quarantined(), "it is reported");
    queue
        .settle(
            received
                .iter()
                .map(|delivery| Done(delivery.receipt))
                .collect(),
        )
        .await
        .unwrap();
    assert_eq!(depth(&queue).await, (0, 0, 0));
}

/// An entry of an interior page of the table is wrong. A scan of the table finds every row, and a lookup by number does
/// not.
#[tokio::test]
async fn message_that_a_lookup_does_not_find_is_recovered() {
    let bench = Bench::new();
    let mut bytes = bench.filled().await;
    let is_interior = |page: &&mut [u8]| page[0] == 0x05;
    // The first page has the file's header before its own, so it is skipped.
    let mut pages = bytes.chunks_exact_mut(4096).skip(1).filter(is_interior);
    let page = pages.next().expect("the table has more than a page");
    let cells = usize::from(u16::from_be_bytes([page[3], page[4]]));
    assert!(cells > 4, "{cells}");
    let pointer = 12 + 2 * (cells / 2);
    let cell = usize::from(u16::from_be_bytes([page[pointer], page[pointer + 1]]));
    // A cell holds the number of the child page, then the largest key in it.
    assert!((10..128).contains(&page[cell + 4]));
    page[cell + 4] -= 2;
    bench.replace(&bytes, None);
    assert_eq!(bench.drain().await, Some((COUNT, 0)));
    assert!(bench.has_quarantined(), "it is reported");
}
