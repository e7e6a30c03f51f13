//! One job at a time on one meeting's posts within this process: they queue up here, so that the lease in the store
//! is contended by other replicas only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::MeetingId;

/// Desks remembered before those that nobody uses are cleared away.
const LOCKS_MAX: usize = 1024;

/// A desk for each meeting that somebody works on.
#[derive(Default)]
pub(super) struct MeetingLocks(Mutex<HashMap<MeetingId, Weak<AsyncMutex<()>>>>);

impl MeetingLocks {
    /// Waits until nobody of this process works on the meeting's posts; they stay ours until the guard is dropped.
    pub(super) async fn take(&self, meeting: MeetingId) -> OwnedMutexGuard<()> {
        self.lock(meeting).lock_owned().await
    }

    fn lock(&self, meeting: MeetingId) -> Arc<AsyncMutex<()>> {
        let mut meeting_locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = meeting_locks.get(&meeting).and_then(Weak::upgrade) {
            return lock;
        }
        if meeting_locks.len() >= LOCKS_MAX {
            meeting_locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(AsyncMutex::new(()));
        meeting_locks.insert(meeting, Arc::downgrade(&lock));
        lock
    }
}
