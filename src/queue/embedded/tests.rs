#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests"
)]

mod accounts;
mod clocks;
mod damage;
mod damaged_log;
mod disk;
mod lost_rows;
mod reopening;

use std::path::Path;
use std::sync::atomic::AtomicI64;

use bytes::Bytes;

use super::*;
use crate::domain::Timestamp;
use crate::ports::Message;

/// A clock that shows the same time until it is set.
#[derive(Default)]
struct ManualClock(AtomicI64);

impl ManualClock {
    fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Bench {
    /// The clock shows 1 000 000.
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        clock.set(1_000_000);
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock,
        }
    }

    fn open(&self) -> EmbeddedQueue {
        let path = self.directory.path().join("queue.db");
        let settings = EmbeddedSettings {
            path,
            bytes_max: 1 << 30,
        };
        EmbeddedQueue::open(settings, Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }
}

/// Runs `change` on the file without the queue's knowledge, while the index is hidden from SQLite, so that the index is
/// not updated.
pub(in crate::queue) fn change_without_index(path: &Path, change: &str) {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let statements = format!(
        "PRAGMA writable_schema = ON;
         CREATE TEMP TABLE kept AS SELECT * FROM sqlite_master WHERE name = 'messages_in_order';
         DELETE FROM sqlite_master WHERE name = 'messages_in_order';
         PRAGMA writable_schema = RESET;
         {change};
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_master SELECT * FROM kept;
         PRAGMA writable_schema = RESET;"
    );
    connection.execute_batch(&statements).unwrap();
}

fn later(id: impl ToString, millis: u64) -> Outgoing {
    Outgoing {
        queue: QueueName::Events,
        message: Message {
            id: id.to_string(),
            body: Bytes::from_static(b"body"),
        },
        delay: Duration::from_millis(millis),
    }
}

/// Returns the messages that can be received within 100 ms.
async fn receive(queue: &EmbeddedQueue, max: usize) -> Vec<Delivery> {
    let waiting = queue.receive(QueueName::Events, max);
    let received = tokio::time::timeout(Duration::from_millis(100), waiting).await;
    received.map_or_else(|_| Vec::new(), Result::unwrap)
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.message.id.as_str())
        .collect()
}

async fn depth(queue: &EmbeddedQueue) -> (u64, u64, u64) {
    let (_, depth) = queue.depths().await.unwrap().queues[0];
    (depth.ready, depth.delayed, depth.in_flight)
}
