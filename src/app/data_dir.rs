//! The data directory: made for the relay's user alone, one relay's at a time, with the socket of the commands in it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::config::{Config, StoreUrl};
use crate::lock::{LockError, lock};

use super::StartError;

/// The permissions of everybody but the owner and the group.
const OTHERS: u32 = 0o007;

/// Makes the folders of the relay's files, for its user alone. One that is there is left as it is.
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

/// Warns of a data directory that an earlier version or a person made, and that every user of this machine can enter.
pub(super) fn warn_if_open(config: &Config) {
    let path = &config.server.data_dir;
    if fs::metadata(path).is_ok_and(|found| found.permissions().mode() & OTHERS != 0) {
        tracing::warn!(
            path = %path.display(),
            "server.data_dir is open to every user of this machine: chmod 0700 it"
        );
    }
}

/// The right to this data directory, and the place of its socket. Dropped, both are free.
pub(super) struct AdminSocket {
    path: PathBuf,
    _lock: File,
}

impl AdminSocket {
    /// Takes the data directory for this process.
    pub(super) fn take(config: &Config) -> Result<Self, LockError> {
        let path = config.admin_socket_path();
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The same, where a directory in which no lock can be made (on a full disk, say) is no reason not to start.
    ///
    /// # Errors
    /// Another process has it, or another user made its lock.
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

    /// Makes the socket, in the place of one that a killed relay left. One that cannot be made is told in the log.
    pub(super) fn listen(&self) -> Option<UnixListener> {
        make_socket(&self.path)
            .map_err(|why| format!("{} cannot be made: {why}", self.path.display()))
            .inspect_err(|error| warn_of(error))
            .ok()
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // It may never have been made.
        drop(fs::remove_file(&self.path));
    }
}

fn warn_of(error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "the commands of this program cannot reach this relay");
}

/// A socket takes connections as soon as it is bound, with whatever permissions it then has. So it is bound in a folder
/// that nobody else can enter, and moved to its place when its permissions are right. The name of that folder is short
/// because the system takes no socket whose path is longer than 107 bytes.
fn make_socket(path: &Path) -> io::Result<UnixListener> {
    let folder = path.with_file_name(".sock");
    let socket = folder.join("s");
    // Left by a relay that was killed just here.
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
