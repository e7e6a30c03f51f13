//! Whether there is room for more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::ports::{Message, Outgoing, PublishError, QueueError, QueueName};
use crate::sqlite::SqliteError;

use super::{EmbeddedQueue, away, refused, rows};

/// As long as an ordinary event.
const TRIAL_BYTES: usize = 4096;

impl EmbeddedQueue {
    /// Bytes of the file that hold something: what `bytes_max` bounds.
    ///
    /// # Errors
    /// The file cannot be read, or is closed.
    pub async fn bytes_used(&self) -> Result<u64, QueueError> {
        let sqlite = self.sqlite().ok_or(QueueError::Closed)?;
        let used = sqlite.read(rows::bytes_used).await;
        used.map_err(|error| away(&self.shared, &error))
    }

    /// Finds out whether the disk takes a write, by a message that is taken back in the same commit: nobody is handed
    /// it.
    ///
    /// # Errors
    /// What a publish would meet.
    pub async fn try_to_write(&self) -> Result<(), PublishError> {
        let sqlite = self
            .sqlite()
            .ok_or_else(|| refused(&self.shared, &SqliteError::Closed))?;
        let shared = Arc::clone(&self.shared);
        let write = sqlite.write(move |connection| {
            let (_, key) = shared.insert(connection, &trial())?;
            rows::delete(connection, key)?;
            Ok(())
        });
        write.await.map_err(|error| refused(&self.shared, &error))
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
