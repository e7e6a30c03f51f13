//! A large backlog (Q19). How long a million takes and how much memory is measured by hand
//! (queue_conformance::embedded::speed); here it is shown that neither grows with what waits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meetrelay::clock::SystemClock;
use meetrelay::ports::{Message, Outgoing, Queue, QueueName};
use meetrelay::queue::{EmbeddedQueue, EmbeddedSettings};

use super::{ask, each_has_one_card, is_accepted, on_files};

const BACKLOG: usize = 20_000;

fn later(number: usize) -> Outgoing {
    let id = format!("backlog-{number}");
    Outgoing {
        queue: QueueName::ChatLater,
        message: Message {
            body: Bytes::from(format!("{{\"v\":1,\"kind\":\"job\",\"id\":\"{id}\"}}").repeat(8)),
            id,
        },
        // They wait for hours, as after a day without a peer.
        delay: Duration::from_secs(36_000),
    }
}

/// The relay starts with it, and what is asked for now does not wait behind it.
#[tokio::test]
async fn q19_fresh_meeting_is_not_held_up_by_a_backlog() {
    let mut world = on_files().start().await;
    world.relay.stop().await;
    let settings = EmbeddedSettings {
        path: world.data().join("queue.db"),
        bytes_max: 1 << 30,
    };
    let queue = EmbeddedQueue::open(settings, Arc::new(SystemClock)).unwrap();
    for first in (0..BACKLOG).step_by(5_000) {
        let batch = (first..first + 5_000).map(later).collect();
        queue.publish_all(batch).await.unwrap();
    }
    queue.close().await;
    drop(queue);
    world.relay.start_again().await;
    let depth = format!("meetrelay_queue_depth{{queue=\"chat.later\"}} {BACKLOG}");
    world.relay.await_metric(&depth).await;
    assert!(is_accepted(&ask(&world, "fresh").await));
    each_has_one_card(&world, &["fresh".to_owned()]).await;
    let peak = world.relay.peak_memory();
    assert!(peak < 200 << 20, "{peak} bytes");
    world.finish().await;
}
