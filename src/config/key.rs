//! What one key and one section of the configuration are, as the table of `keys` declares them.

use super::value::{Raw, Setting};

/// What the relay's variables begin with; single underscores are left alone, because container platforms make
/// variables like `MEETRELAY_SERVICE_HOST` by themselves.
pub(crate) const PREFIX: &str = "MEETRELAY__";

/// One key of the configuration, as the table declares it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConfigKey {
    /// The section's path, like `plugnmeet.room`.
    pub(crate) section: &'static str,
    /// The key's own name.
    pub(crate) name: &'static str,
    /// Its meaning: the lines of its doc comment.
    pub(crate) doc: &'static [&'static str],
    /// Its default, written as in an environment variable; `None` when the key may be absent.
    pub(crate) default: Option<&'static str>,
    /// The least and the greatest value.
    pub(crate) range: Option<(&'static str, &'static str)>,
    /// Its value is hidden, and may come from a file.
    pub(crate) is_secret: bool,
    /// Quotes around its value in a variable may be part of it.
    pub(crate) keeps_quotes: bool,
    /// What is written there, with its unit.
    pub(crate) type_name: fn() -> String,
    /// The default as it stands in a file.
    pub(crate) show_default: fn(&str) -> Option<String>,
}

impl ConfigKey {
    /// `section.name`.
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        let path = self.path().replace('.', "__").to_uppercase();
        format!("{PREFIX}{path}")
    }
}

/// One section of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// Its path, as in the file's brackets.
    pub(crate) path: &'static str,
    /// What it is about.
    pub(crate) about: &'static [&'static str],
    /// Its keys in reading order.
    pub(crate) keys: &'static [ConfigKey],
    /// It may stand several times (`[[path]]`).
    pub(crate) is_repeated: bool,
}

/// The default of a key of type `T` as it stands in a file.
pub(crate) fn show_default<T: Setting>(text: &str) -> Option<String> {
    T::read(&Raw::Text(text.to_owned()))
        .ok()
        .and_then(|value| value.show())
}
