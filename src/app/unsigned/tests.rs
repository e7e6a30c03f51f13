#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::ports::{Delivery, Depths, Outgoing, PublishError, QueueError, QueueName, Settlement};
use crate::store::SqliteStore;

const UNSIGNED: &[u8] = br#"{"v":1}"#;

/// A queue in which this many messages wait.
#[derive(Default)]
struct WaitingQueue(AtomicU64);

#[async_trait]
impl Queue for WaitingQueue {
    async fn publish(&self, _: Outgoing) -> Result<(), PublishError> {
        Ok(())
    }
    async fn publish_all(&self, _: Vec<Outgoing>) -> Result<(), PublishError> {
        Ok(())
    }
    async fn receive(&self, _: QueueName, _: usize) -> Result<Vec<Delivery>, QueueError> {
        std::future::pending().await
    }
    async fn settle(&self, _: Vec<Settlement>) -> Result<(), QueueError> {
        Ok(())
    }
    async fn depths(&self) -> Result<Depths, QueueError> {
        Ok(Depths {
            queues: Vec::new(),
            shared_delayed: self.0.load(Ordering::Relaxed),
        })
    }
    async fn close(&self) {}
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_795_269_720)
    }
}

struct Bench {
    store: Arc<SqliteStore>,
    queue: Arc<WaitingQueue>,
    _directory: TempDir,
}

impl Bench {
    fn new(waiting: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("store.db")).unwrap();
        Self {
            store: Arc::new(store),
            queue: Arc::new(WaitingQueue(AtomicU64::new(waiting))),
            _directory: directory,
        }
    }

    /// The state after a start of the relay.
    fn started(&self) -> Unsigned {
        Unsigned {
            store: Arc::clone(&self.store) as _,
            queue: Arc::clone(&self.queue) as _,
            spool: SpoolSide::none(),
            clock: Arc::new(Noon),
            signer: EnvelopeSigner::new(&"one".to_owned().into(), &[]),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_unsigned_messages_are_read_until_the_queue_was_empty_and_after_no_later_start() {
    let bench = Bench::new(3);
    let unsigned = bench.started();
    let draining = async {
        unsigned.signer.can_read().await;
        tokio::time::sleep(100 * SCAN_EVERY).await;
        assert!(unsigned.signer.verify(UNSIGNED).is_ok(), "they still wait");
        bench.queue.0.store(0, Ordering::Relaxed);
    };
    tokio::join!(unsigned.run(), draining);
    assert!(unsigned.signer.verify(UNSIGNED).is_err());
    let kept = bench.store.setting(SETTING).await.unwrap();
    assert_eq!(kept.as_deref(), Some(REFUSED));
    bench.queue.0.store(3, Ordering::Relaxed);
    let later = bench.started();
    later.run().await;
    assert!(later.signer.verify(UNSIGNED).is_err());
}

#[tokio::test(start_paused = true)]
async fn s11_whoever_fills_the_queue_does_not_keep_it_open_for_unsigned_messages() {
    let bench = Bench::new(3);
    let over = Noon.now().millis().to_string();
    bench.store.put_setting(SETTING, &over).await.unwrap();
    let unsigned = bench.started();
    unsigned.run().await;
    assert!(unsigned.signer.verify(UNSIGNED).is_err());
}
