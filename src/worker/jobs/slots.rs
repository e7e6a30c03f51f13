//! Limits how many jobs call a peer at the same time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most deliveries that are received at once, however many slots are free.
const TAKEN_MAX: usize = 32;

/// The slots for calls to one peer. A half shares the slots but can use only half of them.
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

    /// The same slots, of which at most half can be taken through the result.
    pub(in crate::worker) fn half(&self) -> Self {
        let half = self.own.available_permits().div_ceil(2);
        Self {
            own: Arc::new(Semaphore::new(half)),
            shared: Some(Arc::clone(&self.own)),
        }
    }

    /// Takes a slot. It is released when the permits are dropped.
    pub(super) async fn take(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let mut permits = vec![Arc::clone(&self.own).acquire_owned().await.ok()?];
        if let Some(shared) = &self.shared {
            permits.push(Arc::clone(shared).acquire_owned().await.ok()?);
        }
        Some(permits)
    }

    /// Waits until a slot is free, and returns how many are, without taking any: a slot must not be held while there is
    /// no work for it, because the other queue of the peer may need it.
    pub(super) async fn wait(&self) -> usize {
        let permit = self.own.acquire().await;
        let free = self.own.available_permits() + usize::from(permit.is_ok());
        free.clamp(1, TAKEN_MAX)
    }
}
