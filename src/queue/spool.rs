//! The spool: takes accepted events while the broker is away, blocked, full or too slow, and forwards them when it is
//! back. It wraps the broker's queue; each relay has its own embedded queue in `<root>/<instance>/`.
//!
//! A message is removed from the spool only after the broker confirmed it. So it may exist twice, with the same id: a
//! crash between the two, or a publish that took too long and was confirmed after all. Apply drops the second one.

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

/// An event that the broker has not confirmed within this time goes to the spool. What is left of the time
/// in which a sender has to be answered must do for writing it there.
pub(crate) const CONFIRM_WITHIN: Duration = Duration::from_millis(500);

/// Where spools are and how large this relay's own may become.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// The folder of all spools of this data directory.
    pub root: PathBuf,
    /// Names this run of the relay, and its folder below `root`.
    pub instance: Uuid,
    /// Bytes of the own file beyond which nothing is taken. 0: no spool of its own, what the broker does not take is
    /// refused; what others left is forwarded all the same.
    pub bytes_max: u64,
}

/// Counts what goes through the spool.
pub trait SpoolObserver: Send + Sync + 'static {
    /// A message was made durable in the spool.
    fn spooled(&self);
    /// A message of the spool, or of one that was found, was confirmed by the broker.
    fn forwarded(&self);
}

/// How full the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolLevel {
    /// Messages that wait to be forwarded, also those of spools that were found.
    pub messages: u64,
    /// Bytes in use of the own file; [`SpoolSettings::bytes_max`] bounds them.
    pub bytes: u64,
    /// Another event would be made durable here. Never with a spool that is switched off.
    pub has_room: bool,
}

/// A queue with a spool before it.
pub struct Spool {
    core: Arc<Core>,
    /// The forwarders; taken by `close`, aborted by dropping.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// What `publish` and the forwarders share.
struct Core {
    inner: Arc<dyn Queue>,
    own: Option<Folder>,
    root: PathBuf,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn SpoolObserver>,
    stop: CancellationToken,
    /// The broker let a publish wait in vain and has confirmed nothing to the forwarder since: new messages go to
    /// the spool without trying. There is then always one there for the forwarder to try.
    is_detoured: AtomicBool,
    /// Told when the broker took a message.
    took: Notify,
    turn: AsyncMutex<ForwardTurn>,
    returned_messages: SpoolReturned,
    episode: Mutex<Episode>,
    /// Spools that were found and are being forwarded.
    adopted: Mutex<Vec<Arc<EmbeddedQueue>>>,
}

impl Spool {
    /// Makes this relay's own spool and begins to forward what lies in it and in every other that nobody has. Blocks
    /// for the disk: call it before serving. Needs a running runtime.
    ///
    /// # Errors
    /// The own folder or file cannot be made. Other folders never stop the start.
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
            took: Notify::new(),
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

    /// How full it is now. After a failed write the disk is tried, so that a replica which nobody calls any more
    /// finds out by itself that there is room again.
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

    /// Tries the broker, for as long as a sender can wait. What was not confirmed by then may be confirmed later:
    /// the message then exists here and there.
    async fn try_inner(&self, own: &Folder, outgoing: Outgoing) -> Result<(), PublishError> {
        let message = outgoing.clone();
        let tried = tokio::time::timeout(CONFIRM_WITHIN, self.inner.publish(outgoing)).await;
        let why = match tried {
            Ok(Ok(())) => {
                self.is_detoured.store(false, Ordering::Relaxed);
                self.took.notify_waiters();
                return Ok(());
            }
            Ok(Err(error @ (PublishError::TooLarge { .. } | PublishError::Unwritable(_)))) => {
                return Err(error);
            }
            Ok(Err(error)) => error,
            Err(_) => {
                // Before the message is stored: as soon as it is, the forwarder may end the detour by it.
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
            both(&why, &error)
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

    /// The broker's alone: what lies in the spool is [`Spool::level`]'s, so that nothing is counted twice.
    async fn depths(&self) -> Result<Depths, QueueError> {
        self.core.inner.depths().await
    }

    /// Forwards no more, waits a moment for confirms, gives the files free and closes the broker's queue. An own
    /// folder without messages is removed; one with messages is found at the next start.
    async fn close(&self) {
        self.core.stop.cancel();
        let tasks = self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut tasks) = tasks {
            // One that panicked has said so; the files are given free all the same.
            while tasks.join_next().await.is_some() {}
        }
        if let Some(own) = &self.core.own {
            own.end().await;
        }
        self.core.inner.close().await;
    }
}

/// What cannot be forwarded and waits to be kept elsewhere.
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

fn both(inner: &PublishError, spool: &PublishError) -> PublishError {
    PublishError::Full(format!("{inner}; and the spool does not take it: {spool}"))
}
