//! The embedded queue: the claims, and what only a file with one owner can do wrong.

mod damage;
mod killed;
mod speed;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use meetrelay::clock::SystemClock;
use meetrelay::ports::{Message, Outgoing, PublishError, Queue, QueueName, Settlement};
use meetrelay::queue::{EmbeddedQueue, EmbeddedSettings, QueueOpenError};
use tempfile::TempDir;

use super::bench::{Bench, assert_silent, receipts, receive_all, receive_one, reopen, to};

use QueueName::{Chat, Events};

super::queue_conformance!(FileBench::new());

/// A directory with one file in it.
pub(crate) struct FileBench {
    directory: TempDir,
    bytes_max: u64,
}

impl FileBench {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            directory,
            bytes_max: 1 << 30,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("queue.db")
    }

    fn try_open(&self) -> Result<EmbeddedQueue, QueueOpenError> {
        let settings = EmbeddedSettings {
            path: self.path(),
            bytes_max: self.bytes_max,
        };
        EmbeddedQueue::open(settings, Arc::new(SystemClock))
    }

    fn refusal(&self) -> String {
        match self.try_open() {
            Ok(_) => panic!("it opens"),
            Err(error) => error.to_string(),
        }
    }
}

#[async_trait]
impl Bench for FileBench {
    async fn open(&self) -> Arc<dyn Queue> {
        Arc::new(self.try_open().unwrap())
    }
}

fn of_length(id: usize, bytes: usize) -> Outgoing {
    let body = Bytes::from(vec![b'x'; bytes]);
    Outgoing {
        message: Message {
            id: id.to_string(),
            body,
        },
        ..to(Events, id)
    }
}

#[tokio::test]
async fn second_owner_is_refused_until_the_first_is_gone() {
    let bench = FileBench::new();
    let first = bench.open().await;
    let refusal = bench.refusal();
    assert!(
        refusal.contains("queue.db is in use by another process"),
        "{refusal}"
    );
    first.close().await;
    let second = bench.open().await;
    drop(second);
    bench.open().await;
}

#[tokio::test]
async fn missing_folder_is_named() {
    let bench = FileBench::new();
    let settings = EmbeddedSettings {
        path: bench.directory.path().join("missing").join("queue.db"),
        bytes_max: 1 << 30,
    };
    let refusal = EmbeddedQueue::open(settings, Arc::new(SystemClock))
        .err()
        .unwrap();
    assert!(
        refusal.to_string().contains("missing/queue.db.lock"),
        "{refusal}"
    );
}

#[tokio::test]
async fn full_queue_refuses_settles_and_recovers() {
    let bench = FileBench {
        bytes_max: 1 << 20,
        ..FileBench::new()
    };
    let queue = bench.open().await;
    let mut taken = 0;
    let refusal = loop {
        match queue.publish(of_length(taken, 10_000)).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 200);
    };
    assert!(
        matches!(&refusal, PublishError::Full(why) if why.contains("1048576")),
        "{refusal}"
    );
    assert!(taken > 50, "{taken}");
    // Work goes on: what is accepted is handed out, retried and done.
    let received = receive_all(&*queue, Events, taken).await;
    let mut settlements: Vec<_> = receipts(&received)
        .into_iter()
        .map(Settlement::Done)
        .collect();
    settlements[0] = Settlement::Again {
        receipt: received[0].receipt,
        next: to(Chat, "retry"),
    };
    queue.settle(settlements).await.unwrap();
    queue.publish(to(Events, "later")).await.unwrap();
    let queue = reopen(&bench, queue).await;
    assert_eq!(receive_one(&*queue, Events).await.message.id, "later");
    assert_eq!(receive_one(&*queue, Chat).await.message.id, "retry");
    assert_silent(&*queue, Events).await;
}

#[tokio::test]
async fn drained_backlog_gives_its_space_back() {
    const COUNT: usize = 600;
    let bench = FileBench::new();
    let queue = bench.open().await;
    let batch = (0..COUNT)
        .map(|number| of_length(number, 100_000))
        .collect();
    queue.publish_all(batch).await.unwrap();
    let mut left = COUNT;
    while left > 0 {
        let received = receive_all(&*queue, Events, left.min(20)).await;
        left -= received.len();
        let done = receipts(&received).into_iter().map(Settlement::Done);
        queue.settle(done.collect()).await.unwrap();
    }
    queue.close().await;
    let bytes = std::fs::metadata(bench.path()).unwrap().len();
    // 60 MB lay in it; it keeps 8 MiB for what comes next.
    assert!(bytes < 12 << 20, "{bytes}");
    assert!(!bench.path().with_extension("db-wal").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let bench = FileBench::new();
    let _queue = bench.open().await;
    let mode = std::fs::metadata(bench.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
