#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod any;
mod folders;
mod forwarding;
mod publishing;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Instant;

use bytes::Bytes;
use rusqlite::Connection;

use super::*;
use crate::domain::Timestamp;
use crate::ports::Message;

/// A clock that always shows the same time.
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }
}

/// How the broker answers a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Takes,
    Unavailable,
    Full,
    /// Takes no message and never answers.
    Hangs,
    /// Takes the message and never confirms it.
    Silent,
}

/// A broker in memory whose behaviour can be changed. It delivers no messages to consumers.
struct Broker {
    behaviour: Mutex<Behaviour>,
    taken: Mutex<Vec<String>>,
    /// The id of a message that is refused permanently.
    rejected: Mutex<Option<String>>,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    at_once_max: AtomicUsize,
}

impl Broker {
    fn new(behaviour: Behaviour) -> Arc<Self> {
        Arc::new(Self {
            behaviour: Mutex::new(behaviour),
            taken: Mutex::default(),
            rejected: Mutex::default(),
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            at_once_max: AtomicUsize::new(0),
        })
    }

    fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    fn has_all(&self, ids: &[String]) -> bool {
        let taken: HashSet<String> = self.taken().into_iter().collect();
        ids.iter().all(|id| taken.contains(id))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Queue for Broker {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let id = outgoing.message.id;
        if self.rejected.lock().unwrap().as_ref() == Some(&id) {
            return Err(PublishError::TooLarge { bytes: 1 });
        }
        let behaviour = *self.behaviour.lock().unwrap();
        match behaviour {
            Behaviour::Takes => {
                let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                self.at_once_max.fetch_max(at_once, Ordering::SeqCst);
                tokio::task::yield_now().await;
                self.at_once.fetch_sub(1, Ordering::SeqCst);
                self.taken.lock().unwrap().push(id);
                Ok(())
            }
            Behaviour::Unavailable => {
                Err(PublishError::Unavailable("the broker is down".to_owned()))
            }
            Behaviour::Full => Err(PublishError::Full("the broker is full".to_owned())),
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::Silent => {
                self.taken.lock().unwrap().push(id);
                std::future::pending().await
            }
        }
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        for outgoing in outgoing {
            self.publish(outgoing).await?;
        }
        Ok(())
    }

    async fn receive(&self, _: QueueName, _: usize) -> Result<Vec<Delivery>, QueueError> {
        std::future::pending().await
    }

    async fn settle(&self, _: Vec<Settlement>) -> Result<(), QueueError> {
        Ok(())
    }

    async fn depths(&self) -> Result<Depths, QueueError> {
        Ok(Depths::default())
    }

    async fn close(&self) {}
}

#[derive(Default)]
struct Counts {
    spooled: AtomicU64,
    forwarded: AtomicU64,
}

impl SpoolObserver for Counts {
    fn spooled(&self) {
        self.spooled.fetch_add(1, Ordering::SeqCst);
    }
    fn forwarded(&self) {
        self.forwarded.fetch_add(1, Ordering::SeqCst);
    }
}

/// A data directory and a broker, used by one relay after another.
struct Bench {
    directory: tempfile::TempDir,
    broker: Arc<Broker>,
    counts: Arc<Counts>,
    bytes_max: u64,
}

impl Bench {
    fn new(behaviour: Behaviour) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            broker: Broker::new(behaviour),
            counts: Arc::default(),
            bytes_max: 64 << 20,
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    /// Starts a relay.
    fn open(&self) -> Spool {
        self.open_with(Arc::clone(&self.broker))
    }

    fn open_with(&self, broker: Arc<Broker>) -> Spool {
        let settings = SpoolSettings {
            root: self.root(),
            instance: Uuid::now_v7(),
            bytes_max: self.bytes_max,
        };
        let counts = Arc::clone(&self.counts) as Arc<dyn SpoolObserver>;
        Spool::open(settings, broker, Arc::new(FixedClock), counts).unwrap()
    }

    /// The names of the entries of the directory of all spools.
    fn entries_found(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.root()) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Kills the relay: no work is finished, and the system releases its locks.
async fn kill(spool: Spool) {
    let path = spool.core.own.as_ref().map(|own| own.path.clone());
    let core = Arc::downgrade(&spool.core);
    drop(spool);
    until("its tasks are gone", async || core.strong_count() == 0).await;
    if let Some(path) = path {
        // Or another relay has adopted and removed it already.
        until("the lock is free", async || {
            crate::lock::lock(&path.join("queue.db")).is_ok() || !path.exists()
        })
        .await;
    }
}

/// Waits for a state. The limit is in real time, even if the runtime's clock is paused. A spool that was still locked
/// at the first scan is found a minute later.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(90), "not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_taken(bench: &Bench, ids: &[String]) {
    until("the broker has them", async || bench.broker.has_all(ids)).await;
}

async fn until_empty(spool: &Spool) {
    until("the spool is empty", async || {
        spool.level().await.messages == 0
    })
    .await;
}

fn event(id: impl ToString) -> Outgoing {
    Outgoing {
        queue: QueueName::Events,
        message: Message {
            id: id.to_string(),
            body: Bytes::from(vec![b'x'; 1000]),
        },
        delay: Duration::ZERO,
    }
}

/// Publishes `count` events one after the other and returns their ids.
async fn accept(spool: &Spool, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = Uuid::now_v7().to_string();
        spool.publish(event(&id)).await.unwrap();
        ids.push(id);
    }
    ids
}

/// Changes the file without the spool's knowledge.
fn run(path: &Path, statements: &str) {
    let connection = Connection::open(path.join("queue.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch(statements).unwrap();
}

fn own_path(spool: &Spool) -> PathBuf {
    spool.core.own.as_ref().unwrap().path.clone()
}
