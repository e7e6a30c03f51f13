//! Lists, and values that may be absent.

use super::{Mismatch, Raw, Setting};

/// Most entries that a list of the configuration may have.
const ENTRIES_MAX: usize = 1000;

impl<T: Setting> Setting for Vec<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn type_name() -> String {
        format!("list of {}", T::type_name())
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        let entries = entries(raw, T::IS_ONE_WORD)?;
        if entries.len() > ENTRIES_MAX {
            return Err(Mismatch {
                what: format!("has {} entries", entries.len()),
                instead: format!("write at most {ENTRIES_MAX}"),
            });
        }
        entries.iter().map(T::read).collect()
    }

    fn show(&self) -> Option<String> {
        let entries: Vec<String> = self.iter().filter_map(T::show).collect();
        Some(format!("[{}]", entries.join(", ")))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .zip(other)
                .all(|(one, other)| one.is_same(other))
    }
}

impl<T: Setting> Setting for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;
    const KEEPS_QUOTES: bool = T::KEEPS_QUOTES;

    fn type_name() -> String {
        T::type_name()
    }

    /// An empty text is an absent value: `KEY=` in an environment file means "not set".
    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        match raw.text() {
            Some("") => Ok(None),
            _ => T::read(raw).map(Some),
        }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

/// The entries of a list: as they stand, from a JSON array, from lines (a secret's file) or between commas. Quotes
/// around a whole entry are taken off. Entries of one word each with anything else between them are a fault.
pub(crate) fn entries(raw: &Raw, is_one_word: bool) -> Result<Vec<Raw>, Mismatch> {
    match raw {
        Raw::List(entries) => Ok(entries.clone()),
        Raw::Text(text) if text.trim_start().starts_with('[') => json_entries(text),
        Raw::Text(text) => text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| match unquoted(entry) {
                Some(inner) => Ok(Raw::Text(inner.to_owned())),
                None if is_one_word && entry.contains(SEPARATORS) => Err(separated()),
                None => Ok(Raw::Text(entry.to_owned())),
            })
            .collect(),
        other => Err(Mismatch::kind(other, "a list, like [\"a\", \"b\"]")),
    }
}

/// What people write between entries instead of commas, and quotes that do not stand around a whole entry.
const SEPARATORS: [char; 5] = [' ', '\t', ';', '"', '\''];

fn separated() -> Mismatch {
    Mismatch {
        what:
            "holds a blank, a semicolon or another sign where only commas can stand between entries"
                .to_owned(),
        instead: "write them like first,second or as a JSON array like [\"first\", \"second\"]"
            .to_owned(),
    }
}

/// What stands between the quotes of `text`, if it is quoted as a whole: files of variables that no shell reads keep
/// the quotes as part of the value.
pub(crate) fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    })
}

fn json_entries(text: &str) -> Result<Vec<Raw>, Mismatch> {
    let wrong = || Mismatch {
        what: "begins with [ and is no JSON array".to_owned(),
        instead: "write a JSON array of texts, or the texts with commas between them".to_owned(),
    };
    let values: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    Ok(values.into_iter().map(Raw::of_json).collect())
}
