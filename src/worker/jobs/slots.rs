//! How many jobs may call a peer at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most deliveries taken at once, whatever room there is.
const TAKEN_MAX: usize = 32;

/// How many jobs may call a peer at once; a half shares the slots but may not take them all.
#[derive(Clone)]
pub(in crate::worker) struct Slots {
    own: Arc<Semaphore>,
    shared: Option<Arc<Semaphore>>,
}

impl Slots {
    pub(in crate::worker) fn new(count: usize) -> Self {
        Self {
            own: Arc::new(Semaphore::new(count.max(1))),
            shared: None,
        }
    }

    /// Slots out of the same ones, at most half of them at a time.
    pub(in crate::worker) fn half(&self) -> Self {
        let half = self.own.available_permits().div_ceil(2);
        Self {
            own: Arc::new(Semaphore::new(half)),
            shared: Some(Arc::clone(&self.own)),
        }
    }

    /// A slot; given back when it is dropped.
    pub(super) async fn take(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let mut permits = vec![Arc::clone(&self.own).acquire_owned().await.ok()?];
        if let Some(shared) = &self.shared {
            permits.push(Arc::clone(shared).acquire_owned().await.ok()?);
        }
        Some(permits)
    }

    /// Waits until there is a free slot and tells how many there are, without keeping any: slots must not be held
    /// while there is nothing to do, the other queue of the peer needs them.
    pub(super) async fn wait(&self) -> usize {
        let permit = self.own.acquire().await;
        let free = self.own.available_permits() + usize::from(permit.is_ok());
        free.clamp(1, TAKEN_MAX)
    }
}
