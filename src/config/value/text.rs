//! Texts: plain ones, secrets, paths, titles' templates and time zones.

use std::path::PathBuf;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use secrecy::{ExposeSecret, SecretString};

use super::{Mismatch, Raw, Setting, quoted};

/// Longest text of the configuration, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

impl Setting for String {
    fn type_name() -> String {
        "text".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        match raw.text() {
            Some(text) if text.len() <= TEXT_BYTES_MAX => Ok(text.to_owned()),
            Some(text) => Err(Mismatch {
                what: format!("has {} bytes", text.len()),
                instead: format!("write at most {TEXT_BYTES_MAX}"),
            }),
            None => Err(Mismatch::kind(raw, "text in quotes")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Setting for SecretString {
    const IS_SECRET: bool = true;
    const IS_ONE_WORD: bool = true;
    const KEEPS_QUOTES: bool = true;

    fn type_name() -> String {
        "secret".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        if text.is_empty() || text.trim() != text || text.contains(['\n', '\r']) {
            return Err(Mismatch {
                what: "is empty, or has a line break or a blank around it".to_owned(),
                instead: "write the secret alone".to_owned(),
            });
        }
        Ok(text.into())
    }

    fn show(&self) -> Option<String> {
        Some(quoted("[redacted]"))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.expose_secret() == other.expose_secret()
    }
}

impl Setting for PathBuf {
    fn type_name() -> String {
        "path".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        match String::read(raw)? {
            text if text.is_empty() || text.contains('\0') => {
                Err(Mismatch::text(&text, "is no path", "write a path"))
            }
            text => Ok(text.into()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.display().to_string()))
    }
}

/// A minijinja template that compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Template {
    fn type_name() -> String {
        "minijinja template".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        let compiled = minijinja::Environment::new()
            .template_from_str(&text)
            .map(drop);
        match compiled {
            _ if text.trim().is_empty() => Err(Mismatch::text(
                &text,
                "is empty",
                "write a title, like \"{{ channel }} meeting\"",
            )),
            Ok(()) => Ok(Self(text)),
            Err(error) => Err(Mismatch {
                what: format!("{text:?} is no template: {error}"),
                instead: "write a title, like \"{{ channel }} meeting\"".to_owned(),
            }),
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

impl Setting for TimeZone {
    fn type_name() -> String {
        "time zone".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let text = String::read(raw)?;
        let name = text.trim();
        // Never from a file: it is the default, and a machine may have none.
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Self::UTC);
        }
        // The machine's data may be newer than the program's, or be missing in whole or in part.
        Self::get(name)
            .or_else(|_| TimeZoneDatabase::bundled().get(name))
            .map_err(|_| {
                Mismatch::text(
                    &text,
                    "is no time zone",
                    "write a name like \"UTC\" or \"Europe/Berlin\"",
                )
            })
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.iana_name().unwrap_or("UTC")))
    }
}
