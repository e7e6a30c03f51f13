//! Whether the queue has room for more messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use crate::ports::{Message, Outgoing, PublishError, QueueError, QueueName};
use crate::sqlite::SqliteError;

use super::{EmbeddedQueue, rows};

/// The size of the trial message: that of an ordinary event.
const TRIAL_BYTES: usize = 4096;

impl EmbeddedQueue {
    /// Bytes of the file in use, which `bytes_max` bounds.
    ///
    /// # Errors
    /// The file cannot be read, or is closed.
    pub async fn bytes_used(&self) -> Result<u64, QueueError> {
        let used = self.open_sqlite().await?.read(rows::bytes_used).await;
        used.map_err(|error| self.shared.queue_error(&error))
    }

    /// Whether a message from outside would be stored. After a failed write the disk is tried here, so that a queue
    /// that nobody publishes to any more detects that there is room again.
    pub async fn has_room(&self) -> bool {
        let bytes_max = self.shared.settings.bytes_max;
        if !matches!(self.bytes_used().await, Ok(used) if used < bytes_max) {
            return false;
        }
        if self.shared.is_refusing.load(Ordering::Relaxed) && self.try_to_write().await.is_ok() {
            self.shared.is_refusing.store(false, Ordering::Relaxed);
        }
        !self.shared.is_refusing.load(Ordering::Relaxed)
    }

    /// Writes a message and deletes it in the same commit, so that it is never delivered.
    async fn try_to_write(&self) -> Result<(), PublishError> {
        let sqlite = self
            .sqlite()
            .ok_or_else(|| self.shared.publish_error(&SqliteError::Closed))?;
        let shared = Arc::clone(&self.shared);
        let write = sqlite.write(move |connection| {
            shared.check()?;
            let (_, key) = shared.insert(connection, &trial())?;
            rows::delete(connection, key)?;
            Ok(())
        });
        write
            .await
            .map_err(|error| self.shared.publish_error(&error))
    }
}

fn trial() -> Outgoing {
    Outgoing {
        queue: QueueName::Events,
        message: Message {
            id: "trial".to_owned(),
            body: Bytes::from(vec![0; TRIAL_BYTES]),
        },
        delay: Duration::ZERO,
    }
}
