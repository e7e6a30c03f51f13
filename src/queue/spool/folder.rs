//! The directory of a spool: creating, adopting and removing it.
//!
//! While a directory holds `queue.db`, the lock beside it shows whether its relay is running, because the lock is taken
//! before the file is created. Only the directory's own relay puts messages into it. So a spool that was once found
//! empty and unlocked stays empty.

use std::error::Error;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::lock::{LockError, lock};
use crate::ports::{Clock, Queue};
use crate::queue::{EmbeddedQueue, EmbeddedSettings, QueueOpenError};

use super::SpoolSettings;

/// The name of the queue's file in a directory.
const FILE: &str = "queue.db";
/// Every file that the relay creates in a directory, in the order of removal.
const FILES: [&str; 5] = [
    "queue.db-wal",
    "queue.db-shm",
    "queue.db-journal",
    FILE,
    "queue.db.lock",
];
/// Another relay may scan a directory while it is being created and remove it as a leftover. So creating it is retried.
const CREATE_ATTEMPTS: usize = 5;
const CREATE_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Why a relay has no spool of its own.
#[derive(Debug, thiserror::Error)]
#[error(
    "the spool {} cannot be created: {why}; set server.data_dir to a directory on a local disk that has free space and that the relay's user can write to, or switch the spool off (spool.max_bytes = \"0B\")",
    path.display()
)]
pub struct SpoolError {
    path: PathBuf,
    #[source]
    why: Box<dyn Error + Send + Sync>,
}

/// An open spool.
#[derive(Clone)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) queue: Arc<EmbeddedQueue>,
}

impl Folder {
    /// Creates this relay's own spool.
    pub(super) fn make(
        settings: &SpoolSettings,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, SpoolError> {
        let path = settings.root.join(settings.instance.to_string());
        let make = || -> Result<Self, Box<dyn Error + Send + Sync>> {
            create_durably(&path)?;
            Ok(open(&path, settings.bytes_max, clock)?)
        };
        let mut made = make();
        for _ in 1..CREATE_ATTEMPTS {
            if made.is_ok() {
                break;
            }
            std::thread::sleep(CREATE_AGAIN_AFTER);
            made = make();
        }
        made.map_err(|why| SpoolError { path, why })
    }

    /// Adopts the spool of another relay. `Ok(None)`: its relay is running, or the spool was removed meanwhile.
    pub(super) fn adopt(
        path: &Path,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, QueueOpenError> {
        match open(path, u64::MAX, clock) {
            Ok(folder) => Ok(Some(folder)),
            Err(QueueOpenError::Lock(LockError::InUse { .. })) => Ok(None),
            Err(_) if !has_file(path) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn is_empty(&self) -> bool {
        let depths = self.queue.depths().await;
        depths.is_ok_and(|depths| depths.total() == 0)
    }

    /// Releases the file, and removes the directory if there are no messages.
    pub(super) async fn end(&self) {
        let depths = self.queue.depths().await;
        self.queue.close().await;
        match depths.map(|depths| depths.total()) {
            Ok(0) => self.remove().await,
            Ok(messages) => {
                tracing::info!(path = %self.path.display(), messages, "accepted events stay in the spool; the next relay with this data directory forwards them");
            }
            // It was closed before, or cannot be read. The relay that opens it next handles its messages.
            Err(_) => {}
        }
    }

    async fn remove(&self) {
        let path = self.path.clone();
        let removed = tokio::task::spawn_blocking(move || remove(&path)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(path = %self.path.display(), %error, "the empty spool cannot be removed");
        }
    }
}

/// Whether the directory may hold messages.
pub(super) fn has_file(path: &Path) -> bool {
    path.join(FILE).exists()
}

/// Removes a directory without messages, unless a relay owns it or it holds a file that is not the relay's.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if !FILES.iter().any(|file| name == *file) {
            let name = name.to_string_lossy().into_owned();
            return Err(io::Error::other(format!(
                "it holds {name:?}, which is not the relay's"
            )));
        }
    }
    // Held to the end, so that no relay starts to use a directory that is being removed.
    let Ok(_lock) = lock(&path.join(FILE)) else {
        return Ok(());
    };
    for file in FILES {
        match fs::remove_file(path.join(file)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(path)
}

fn open(path: &Path, bytes_max: u64, clock: &Arc<dyn Clock>) -> Result<Folder, QueueOpenError> {
    let settings = EmbeddedSettings {
        path: path.join(FILE),
        bytes_max,
    };
    Ok(Folder {
        path: path.to_owned(),
        queue: Arc::new(EmbeddedQueue::open(settings, Arc::clone(clock))?),
    })
}

/// Creates the directory, accessible to its owner only, and makes it survive a power cut: the queue's file syncs only
/// itself and the directory that holds it.
fn create_durably(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    for folder in path.ancestors().skip(1).take(2) {
        if !folder.as_os_str().is_empty() {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(())
}
