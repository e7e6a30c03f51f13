//! The admin API's token, for callers over TCP: the configured one, or a new one at each start. A new one is written to
//! a file that only the relay's own user can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Length of a generated token, in bytes.
const TOKEN_BYTES: usize = 32;

/// The bearer token of the admin API over TCP. Clones share it.
#[derive(Debug, Clone)]
pub struct AdminToken(Arc<ArcSwap<SecretString>>);

/// The token's file could not be written, so nobody knows the token.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {why}", path.display())]
pub struct TokenError {
    path: PathBuf,
    #[source]
    why: io::Error,
}

impl AdminToken {
    /// A token that nobody knows yet.
    pub fn unknown() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(random())))
    }

    /// Uses the configured token from now on. If there is none, makes a new one, which replaces the one in the file.
    ///
    /// # Errors
    /// The file cannot be written. The token is replaced all the same.
    pub fn renew(&self, configured: Option<&SecretString>, path: &Path) -> Result<(), TokenError> {
        if let Some(token) = configured {
            self.0.store(Arc::new(token.clone()));
            // A token of an earlier start is no longer valid. But the configured token may be read from this same file.
            let kept = fs::read_to_string(path).unwrap_or_default();
            if kept.trim() != token.expose_secret().trim() {
                drop(fs::remove_file(path));
            }
            return Ok(());
        }
        let token = random();
        let written = write(path, token.expose_secret());
        self.0.store(Arc::new(token));
        written.map_err(|why| TokenError {
            path: path.to_owned(),
            why,
        })
    }

    /// Whether an `Authorization` header carries the token. The comparison takes constant time.
    pub(super) fn is_in(&self, header: &str) -> bool {
        let given = header.strip_prefix("Bearer ").unwrap_or_default();
        let known = self.0.load();
        given
            .as_bytes()
            .ct_eq(known.expose_secret().as_bytes())
            .into()
    }
}

fn random() -> SecretString {
    hex::encode(rand::random::<[u8; TOKEN_BYTES]>()).into()
}

/// Writes another file and renames it, so that a reader never sees half a token.
fn write(path: &Path, token: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
