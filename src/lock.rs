//! Lock files. A lock shows whether a running process uses the file beside it, and the error names that process.

use std::fmt;
use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Permissions for the owner alone, because whoever can open a lock file can also hold its lock.
const MODE: u32 = 0o600;

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error(
        "{} is in use by {holder}: stop it, or give this relay its own server.data_dir",
        path.display()
    )]
    InUse {
        /// The path that the lock protects.
        path: PathBuf,
        /// The process that holds it, as far as it can be found.
        holder: Holder,
    },
    /// The lock file cannot be made.
    #[error("{} cannot be made: {why}", path.display())]
    NotMade {
        /// The lock file.
        path: PathBuf,
        /// The system's error.
        #[source]
        why: io::Error,
    },
}

impl LockError {
    /// The lock file exists, but this user may not open it: a command that ran as root, or another user's relay, made
    /// it.
    pub fn is_of_another_user(&self) -> bool {
        matches!(self, Self::NotMade { path, why }
            if why.kind() == io::ErrorKind::PermissionDenied && path.exists())
    }
}

/// The process that holds a lock, as far as the system reports it. Nothing is known of a process in another container,
/// or where `/proc/locks` is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(Option<Process>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    pid: u32,
    program: Option<String>,
    user: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another process")?;
        let Some(process) = &self.0 else {
            return Ok(());
        };
        write!(f, " (pid {}", process.pid)?;
        if let Some(program) = &process.program {
            write!(f, ", program {program}")?;
        }
        if let Some(user) = &process.user {
            write!(f, ", user {user}")?;
        }
        f.write_str(")")
    }
}

/// Locks `path`, by locking the file beside it whose name ends in `.lock`. The system releases the lock when the
/// process ends, in whatever way it ends.
///
/// # Errors
/// See [`LockError`].
pub(crate) fn lock(path: &Path) -> Result<File, LockError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let not_made = |why| LockError::NotMade {
        path: name.clone(),
        why,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(MODE)
        .open(&name)
        .map_err(not_made)?;
    match file.try_lock() {
        Ok(()) => {
            make_private(&file);
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(LockError::InUse {
            path: path.to_owned(),
            holder: holder_of(&file),
        }),
        Err(TryLockError::Error(why)) => Err(not_made(why)),
    }
}

/// Makes the lock file private, because earlier versions made lock files that other users can open.
fn make_private(file: &File) {
    let is_open_to_others = |file: std::fs::Metadata| file.permissions().mode() & 0o077 != 0;
    if file.metadata().is_ok_and(is_open_to_others)
        && let Err(error) = file.set_permissions(Permissions::from_mode(MODE))
    {
        tracing::debug!(%error, "the lock file remains readable for other users");
    }
}

fn holder_of(file: &File) -> Holder {
    let process = || {
        let metadata = file.metadata().ok()?;
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let pid = pid_in(&locks, metadata.dev(), metadata.ino())?;
        Some(Process {
            pid,
            program: program_of(pid),
            user: user_of(pid),
        })
    };
    Holder(process())
}

/// The process that holds the lock of this file, in the lines of `/proc/locks`:
/// `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`. A process of another namespace has the number 0 there, or no
/// line.
fn pid_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    // The C library splits a device number in the same way.
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    let wanted = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, pid, locked, ..] if locked == wanted => {
                pid.parse().ok().filter(|pid| *pid > 0)
            }
            _ => None,
        }
    })
}

/// The name that a process gives itself, without control characters, because it is printed on a terminal.
fn program_of(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let name: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    Some(name).filter(|name| !name.is_empty())
}

/// The user's name, or the user id if `/etc/passwd` has no name for it.
fn user_of(pid: u32) -> Option<String> {
    let id = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    });
    Some(name.unwrap_or_else(|| id.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn lock_file_is_private_even_if_an_earlier_version_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        let name = folder.path().join("queue.db.lock");
        let mode = || name.metadata().unwrap().permissions().mode() & 0o777;
        drop(lock(&path).unwrap());
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&name, Permissions::from_mode(0o644)).unwrap();
        drop(lock(&path).unwrap());
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn lock_that_is_taken_is_refused_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        let held = lock(&path).unwrap();
        let refusal = lock(&path).unwrap_err().to_string();
        assert!(
            refusal.contains("queue.db is in use by another process"),
            "{refusal}"
        );
        drop(held);
        lock(&path).unwrap();
    }

    #[test]
    fn holder_is_found_by_device_and_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 1 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 2 fe:00:78 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 3 fe:01:77 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 4 fe:00:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 5 fe:00:77 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 0 fe:00:79 0 EOF\n";
        let of = |device, inode| pid_in(locks, device, inode);
        assert_eq!(of(0xfe00, 77), Some(5), "neither a waiter nor another kind");
        assert_eq!(of(0xfe01, 77), Some(3));
        assert_eq!(of(0xfe00, 79), None, "a process of another container");
        assert_eq!(of(0xfe00, 80), None);
    }

    #[test]
    fn holder_is_named_as_far_as_it_is_known() {
        let all = Process {
            pid: 7,
            program: Some("meetrelay".to_owned()),
            user: Some("root".to_owned()),
        };
        let text = Holder(Some(all)).to_string();
        assert_eq!(
            text,
            "another process (pid 7, program meetrelay, user root)"
        );
        assert_eq!(Holder(None).to_string(), "another process");
        let own = std::process::id();
        assert!(program_of(own).is_some() && user_of(own).is_some());
    }
}
