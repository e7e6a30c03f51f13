//! The spool: stores accepted events while the broker is unavailable, blocked, full or too slow, and forwards them when
//! the broker accepts them again. It wraps the broker's queue. Each relay has its own embedded queue in
//! `<root>/<instance>/`.
//!
//! A message is removed from the spool only after the broker confirmed it. So it may exist twice with the same id:
//! after a crash between the two steps, or if a publish took too long and was confirmed later. Apply drops the second
//! one.

mod adopt;
mod episode;
mod folder;
mod forward;
mod returned_messages;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::crash_point;
use crate::ports::{
    Clock, Delivery, Depths, Outgoing, PublishError, Queue, QueueError, QueueName, Receipt,
    ReturnedMessage, ReturnedMessages, Settlement,
};

use super::EmbeddedQueue;
use episode::Episode;
use folder::Folder;
use forward::ForwardTurn;
use returned_messages::SpoolReturned;

pub use folder::SpoolError;

/// An event that the broker has not confirmed within this time goes to the spool. The rest of the time in which a
/// sender must be answered has to suffice for writing it there.
pub(crate) const CONFIRM_WITHIN: Duration = Duration::from_millis(500);

/// Where the spools are, and how large this relay's own spool may become.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// The directory of all spools of this data directory.
    pub root: PathBuf,
    /// Identifies this run of the relay, and names its directory below `root`.
    pub instance: Uuid,
    /// Bytes of the own file beyond which no event is stored. 0: the relay has no spool, and an event that the broker
    /// does not accept is refused; spools of other relays are still forwarded.
    pub bytes_max: u64,
}

/// Counts the messages that go through the spool.
pub trait SpoolObserver: Send + Sync + 'static {
    /// A message was stored in the spool.
    fn spooled(&self);
    /// The broker confirmed a message of this spool, or of an adopted one.
    fn forwarded(&self);
}

/// The fill level of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolLevel {
    /// Messages that wait to be forwarded, including those of adopted spools.
    pub messages: u64,
    /// Bytes in use of the own file, bounded by [`SpoolSettings::bytes_max`].
    pub bytes: u64,
    /// Whether another event would be stored. Always false if the spool is switched off.
    pub has_room: bool,
}

/// A queue with a spool in front of it.
pub struct Spool {
    core: Arc<Core>,
    /// The forwarding tasks. `close` takes them; dropping the spool aborts them.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// The state that `publish` and the forwarding tasks share.
struct Core {
    inner: Arc<dyn Queue>,
    own: Option<Folder>,
    root: PathBuf,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn SpoolObserver>,
    stop: CancellationToken,
    /// Set when a publish was not confirmed in time; cleared when the broker confirms a message again. While it is set,
    /// new messages go to the spool without trying the broker. So the spool always holds a message that the forwarder
    /// can try.
    is_detoured: AtomicBool,
    /// Notified when the broker confirmed a message.
    confirmed: Notify,
    turn: AsyncMutex<ForwardTurn>,
    returned_messages: SpoolReturned,
    episode: Mutex<Episode>,
    /// Spools of other relays that are being forwarded.
    adopted: Mutex<Vec<Arc<EmbeddedQueue>>>,
}

impl Spool {
    /// Creates this relay's own spool, and starts to forward its messages and those of every spool that no relay owns
    /// any more. Blocks for the disk: call it before serving. Needs a running runtime.
    ///
    /// # Errors
    /// The own directory or file cannot be created. Other spools never prevent the start.
    pub fn open(
        settings: SpoolSettings,
        inner: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn SpoolObserver>,
    ) -> Result<Self, SpoolError> {
        let own = match settings.bytes_max {
            0 => None,
            _ => Some(Folder::make(&settings, &clock)?),
        };
        let core = Arc::new(Core {
            inner,
            own,
            root: settings.root,
            clock,
            observer,
            stop: CancellationToken::new(),
            is_detoured: AtomicBool::new(false),
            confirmed: Notify::new(),
            turn: AsyncMutex::default(),
            returned_messages: SpoolReturned::default(),
            episode: Mutex::default(),
            adopted: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&core).forward_own());
        tasks.spawn(adopt::run(Arc::clone(&core), settings.instance));
        Ok(Self {
            core,
            tasks: Mutex::new(Some(tasks)),
        })
    }

    /// The fill level now. After a failed write the disk is tried, so that a replica that receives no calls detects
    /// that there is room again.
    pub async fn level(&self) -> SpoolLevel {
        let mut messages = 0;
        let adopted = self.core.adopted().clone();
        for queue in adopted {
            messages += queue.depths().await.map_or(0, |depths| depths.total());
        }
        let Some(own) = &self.core.own else {
            return SpoolLevel {
                messages,
                ..SpoolLevel::default()
            };
        };
        let (depths, used) = (own.queue.depths().await, own.queue.bytes_used().await);
        let has_room = own.queue.has_room().await;
        SpoolLevel {
            messages: messages + depths.map_or(0, |depths| depths.total()),
            bytes: used.unwrap_or(0),
            has_room,
        }
    }
}

impl Core {
    fn adopted(&self) -> MutexGuard<'_, Vec<Arc<EmbeddedQueue>>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn episode(&self) -> MutexGuard<'_, Episode> {
        self.episode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries the broker for as long as a sender can wait. A message that was not confirmed by then may still be
    /// confirmed later. It then exists in the broker and in the spool.
    async fn try_inner(&self, own: &Folder, outgoing: Outgoing) -> Result<(), PublishError> {
        let message = outgoing.clone();
        let tried = tokio::time::timeout(CONFIRM_WITHIN, self.inner.publish(outgoing)).await;
        let why = match tried {
            Ok(Ok(())) => {
                self.is_detoured.store(false, Ordering::Relaxed);
                self.confirmed.notify_waiters();
                return Ok(());
            }
            Ok(Err(error @ (PublishError::TooLarge { .. } | PublishError::Unwritable(_)))) => {
                return Err(error);
            }
            Ok(Err(error)) => error,
            Err(_) => {
                // Set before the message is stored: as soon as it is stored, the forwarder may forward it and clear
                // this flag.
                self.is_detoured.store(true, Ordering::Relaxed);
                PublishError::Unavailable(format!(
                    "no confirm within {} ms",
                    CONFIRM_WITHIN.as_millis()
                ))
            }
        };
        let stored = self.store(own, message, Some(&why)).await;
        stored.map_err(|error| {
            self.is_detoured.store(false, Ordering::Relaxed);
            combine(&why, &error)
        })
    }

    async fn store(
        &self,
        own: &Folder,
        outgoing: Outgoing,
        why: Option<&PublishError>,
    ) -> Result<(), PublishError> {
        own.queue.publish(outgoing).await?;
        crash_point::reach("spool.appended");
        self.episode().spooled(why);
        self.observer.spooled();
        Ok(())
    }
}

#[async_trait]
impl Queue for Spool {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let core = &self.core;
        let Some(own) = &core.own else {
            return core.inner.publish(outgoing).await;
        };
        if core.is_detoured.load(Ordering::Relaxed)
            && core.store(own, outgoing.clone(), None).await.is_ok()
        {
            return Ok(());
        }
        core.try_inner(own, outgoing).await
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        self.core.inner.publish_all(outgoing).await
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError> {
        self.core.inner.receive(queue, max).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), QueueError> {
        self.core.inner.settle(settlements).await
    }

    /// Counts the broker's messages only. [`Spool::level`] counts those in the spool, so that no message is counted
    /// twice.
    async fn depths(&self) -> Result<Depths, QueueError> {
        self.core.inner.depths().await
    }

    /// Stops forwarding, waits up to 1 s for outstanding confirms, releases the files and closes the broker's queue. An
    /// own directory without messages is removed; one with messages is adopted at the next start.
    async fn close(&self) {
        self.core.stop.cancel();
        let tasks = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut tasks) = tasks {
            // A panic of a task was logged already; the files are released in any case.
            while tasks.join_next().await.is_some() {}
        }
        if let Some(own) = &self.core.own {
            own.end().await;
        }
        self.core.inner.close().await;
    }
}

/// The messages that can never be forwarded and wait to be stored elsewhere.
#[async_trait]
impl ReturnedMessages for Spool {
    async fn receive(&self, max: usize) -> Result<Vec<ReturnedMessage>, QueueError> {
        tokio::select! {
            biased;
            () = self.core.stop.cancelled() => Err(QueueError::Closed),
            returned = self.core.returned_messages.receive(max.max(1)) => Ok(returned),
        }
    }

    async fn settle(&self, done: Vec<Receipt>) -> Result<(), QueueError> {
        self.core.returned_messages.settle(done).await
    }
}

fn combine(inner: &PublishError, spool: &PublishError) -> PublishError {
    PublishError::Full(format!(
        "{inner}; and the spool does not accept it: {spool}"
    ))
}
