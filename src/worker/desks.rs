//! One job at a time on one meeting's posts within this process: they queue up here, so that the lease in the store
//! is contended by other replicas only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::MeetingId;

/// Desks remembered before those that nobody uses are cleared away.
const DESKS_MAX: usize = 1024;

/// A desk for each meeting that somebody works on.
#[derive(Default)]
pub(super) struct Desks(Mutex<HashMap<MeetingId, Weak<AsyncMutex<()>>>>);

impl Desks {
    /// Waits until nobody of this process works on the meeting's posts; they stay ours until the guard is dropped.
    pub(super) async fn take(&self, meeting: MeetingId) -> OwnedMutexGuard<()> {
        self.desk(meeting).lock_owned().await
    }

    fn desk(&self, meeting: MeetingId) -> Arc<AsyncMutex<()>> {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(desk) = desks.get(&meeting).and_then(Weak::upgrade) {
            return desk;
        }
        if desks.len() >= DESKS_MAX {
            desks.retain(|_, desk| desk.strong_count() > 0);
        }
        let desk = Arc::new(AsyncMutex::new(()));
        desks.insert(meeting, Arc::downgrade(&desk));
        desk
    }
}
