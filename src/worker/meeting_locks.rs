//! Lets one job at a time work on the posts of a meeting within this process. So only other replicas compete for the
//! lease in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::MeetingId;

/// Locks that are kept before the unused ones are removed.
const LOCKS_MAX: usize = 1024;

/// A lock for each meeting whose posts are worked on.
#[derive(Default)]
pub(super) struct MeetingLocks(Mutex<HashMap<MeetingId, Weak<AsyncMutex<()>>>>);

impl MeetingLocks {
    /// Waits until no other job of this process works on the meeting's posts. The guard keeps other jobs out.
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
