//! The system's user for whom the server runs: ourselves, or `postgres` when we are root.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The user that the distribution's package brings.
const USER: &str = "postgres";

/// A user of this machine that is not root.
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// The one to become; None when we can stay who we are.
    ///
    /// # Errors
    /// We are root, and the package's user is missing.
    pub(super) fn to_become() -> Result<Option<Self>, String> {
        let own = std::fs::metadata("/proc/self").map_err(|error| error.to_string())?;
        if own.uid() != 0 {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
        let account = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(USER);
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            is_it.then_some(Self { uid, gid })
        });
        account.map(Some).ok_or_else(|| {
            format!("no user {USER}: run tests/run, which installs the package postgresql")
        })
    }

    /// What stands before a command that this account is to run (util-linux).
    pub(super) fn prefix(&self) -> [String; 4] {
        let Self { uid, gid } = self;
        [
            "setpriv".to_owned(),
            format!("--reuid={uid}"),
            format!("--regid={gid}"),
            "--clear-groups".to_owned(),
        ]
    }

    /// Makes a file or directory this account's own.
    pub(super) fn take(&self, path: &Path) -> Result<(), String> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}
