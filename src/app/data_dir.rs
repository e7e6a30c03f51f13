//! The data directory: made for the relay's user alone, used by one relay at a time. It holds the socket that the
//! program's commands use.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::config::{Config, StoreUrl};
use crate::lock::{LockError, lock};

use super::StartError;

/// The permission bits of everybody but the owner and the group.
const OTHERS: u32 = 0o007;

/// Makes the folders of the relay's files, for its user alone. A folder that exists keeps its permissions.
pub(super) fn make(config: &Config) -> Result<(), StartError> {
    let mut paths = vec![config.admin_socket_path(), config.queue_path()];
    if let StoreUrl::Sqlite(path) = config.store_url() {
        paths.push(path);
    }
    for folder in paths.iter().filter_map(|path| path.parent()) {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(folder);
        made.map_err(|why| StartError::DataDir {
            path: folder.to_owned(),
            why,
        })?;
    }
    Ok(())
}

/// Warns if every user of this machine can enter the data directory. An earlier version, or a person, made it so.
pub(super) fn warn_if_open(config: &Config) {
    let path = &config.server.data_dir;
    if fs::metadata(path).is_ok_and(|folder| folder.permissions().mode() & OTHERS != 0) {
        tracing::warn!(
            path = %path.display(),
            "server.data_dir can be entered by every user of this machine: set its permissions to 0700"
        );
    }
}

/// The lock of the data directory, and the path of its socket. When dropped, it releases the lock and removes the
/// socket.
pub(super) struct AdminSocket {
    path: PathBuf,
    _lock: File,
}

impl AdminSocket {
    /// Locks the data directory for this process.
    pub(super) fn take(config: &Config) -> Result<Self, LockError> {
        let path = config.admin_socket_path();
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The same, but returns `None` if no lock can be made, for example on a full disk: the relay starts all the same.
    ///
    /// # Errors
    /// Another process holds the lock, or another user made the lock file.
    pub(super) fn take_if_possible(config: &Config) -> Result<Option<Self>, StartError> {
        match Self::take(config) {
            Ok(socket) => Ok(Some(socket)),
            Err(error @ LockError::InUse { .. }) => Err(error.into()),
            Err(error) if error.is_of_another_user() => Err(error.into()),
            Err(error @ LockError::NotMade { .. }) => {
                warn_of(&error);
                Ok(None)
            }
        }
    }

    /// Makes the socket. It replaces one that a killed relay left. If it cannot be made, that is logged.
    pub(super) fn listen(&self) -> Option<UnixListener> {
        make_socket(&self.path)
            .map_err(|why| format!("{} cannot be made: {why}", self.path.display()))
            .inspect_err(|error| warn_of(error))
            .ok()
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // The socket may never have been made.
        drop(fs::remove_file(&self.path));
    }
}

fn warn_of(error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "the commands of this program cannot reach this relay");
}

/// A socket accepts connections as soon as it is bound, with the permissions that it has at that moment. So it is bound
/// in a folder that nobody else can enter, and moved to its final path when its permissions are right. The name of that
/// folder is short, because the path of a socket may have at most 107 bytes.
fn make_socket(path: &Path) -> io::Result<UnixListener> {
    let folder = path.with_file_name(".sock");
    let socket = folder.join("s");
    // A relay that was killed in this function may have left them.
    missing_is_fine(fs::remove_file(&socket))?;
    missing_is_fine(fs::remove_dir(&folder))?;
    DirBuilder::new().mode(0o700).create(&folder)?;
    let listener = UnixListener::bind(&socket)?;
    fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
    fs::rename(&socket, path)?;
    fs::remove_dir(&folder)?;
    Ok(listener)
}

fn missing_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
