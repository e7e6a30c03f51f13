//! The admin API's token: a file that only the relay's own user can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Length of a token: 32 random bytes in hexadecimal.
const TOKEN_CHARS: usize = 64;

/// Who holds it may use the admin API.
#[derive(Debug, Clone)]
pub struct AdminToken(SecretString);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It could not be written.
    #[error("the admin token {path} cannot be written: {source}")]
    Write {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be read.
    #[error(
        "the admin token {path} cannot be read: {source}; run this command as the relay's user, with the relay's \
         configuration (server.data_dir), once the relay has run"
    )]
    Read {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl AdminToken {
    /// The token of `path`; made anew when there is none, or when others can read it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn make(path: &Path) -> Result<Self, TokenError> {
        if let Ok(token) = Self::read(path)
            && is_private(path)
            && is_token(token.expose())
        {
            return Ok(token);
        }
        let token = hex::encode(rand::random::<[u8; TOKEN_CHARS / 2]>());
        write(path, &token).map_err(|source| TokenError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(token.into()))
    }

    /// The token of a running relay.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = fs::read_to_string(path).map_err(|source| TokenError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(text.trim().into()))
    }

    /// The token itself, for a header.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether an `Authorization` header carries it; takes the same time whatever it carries.
    pub(super) fn is_in(&self, header: &str) -> bool {
        let given = header.strip_prefix("Bearer ").unwrap_or_default();
        given.as_bytes().ct_eq(self.expose().as_bytes()).into()
    }
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 == 0)
}

/// Writes beside and renames, so that a reader never sees half a token.
fn write(path: &Path, token: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
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
