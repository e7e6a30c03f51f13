//! The TOML file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Named, name, unknown};
use crate::config::problem::{Problem, ValueOrigin};
use crate::config::reader::SourcedValue;
use crate::config::value::Raw;

/// Longest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads the file. That it cannot be read is an error, and so is each syntax error.
pub(super) fn collect(
    path: &Path,
    found: &mut BTreeMap<String, SourcedValue>,
    problems: &mut Vec<Problem>,
) {
    let text = match read(path) {
        Ok(text) => text,
        Err(why) => {
            problems.push(Problem {
                origin: None,
                key: None,
                what: format!("the configuration file {} {why}", path.display()),
                instead: "name another with --config, or make it readable".to_owned(),
            });
            return;
        }
    };
    let mut file = Reading {
        path: path.to_owned(),
        text: &text,
        found,
        problems,
    };
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        // Only the message is used: the display of the error repeats the line, which may contain a secret.
        let at = error.span().map_or(0, |span| span.start);
        let what = format!("this is no TOML: {}", error.message());
        file.complain(at, None, what, String::new());
    }
    file.take_table("", table.get_ref());
}

fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(cannot)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

struct Reading<'a> {
    path: PathBuf,
    text: &'a str,
    found: &'a mut BTreeMap<String, SourcedValue>,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    fn take_table(&mut self, at: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = match at {
                "" => key.get_ref().to_string(),
                at => format!("{at}.{}", key.get_ref()),
            };
            self.take_entry(&path, key.span().start, value);
        }
    }

    fn take_entry(&mut self, path: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        match (name(path), value.get_ref()) {
            (Named::Key(_), value) => {
                let raw = self.raw(value);
                self.put(path.to_owned(), raw, at);
            }
            (Named::Section { is_repeated: false }, DeValue::Table(table)) => {
                self.take_table(path, table);
            }
            (Named::Section { is_repeated: true }, DeValue::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.take_item(path, index + 1, item);
                }
            }
            (Named::Section { is_repeated }, _) => {
                let head = if is_repeated {
                    format!("[[{path}]]")
                } else {
                    format!("[{path}]")
                };
                let instead = format!("write {head} and its keys below");
                self.complain(at, Some(path), "is a section".to_owned(), instead);
            }
            (Named::Nothing, value) => {
                let shown = match value {
                    DeValue::Table(_) => format!("section [{path}]"),
                    _ => format!("key {path}"),
                };
                let origin = self.origin(at);
                self.problems
                    .push(unknown(path, &shown, origin, |key| key.path()));
            }
        }
    }

    /// One `[[section]]`.
    fn take_item(&mut self, section: &str, number: usize, item: &Spanned<DeValue<'_>>) {
        let start = item.span().start;
        let at = format!("{section}[{number}]");
        self.put(at.clone(), Raw::Table, start);
        let DeValue::Table(table) = item.get_ref() else {
            let instead = format!("write [[{section}]] and its keys below");
            self.complain(start, Some(&at), "is no table".to_owned(), instead);
            return;
        };
        for (key, value) in table {
            let path = format!("{section}.{}", key.get_ref());
            match name(&path) {
                Named::Key(_) => {
                    let raw = self.raw(value.get_ref());
                    self.put(format!("{at}.{}", key.get_ref()), raw, key.span().start);
                }
                _ => self.take_entry(&path, key.span().start, value),
            }
        }
    }

    fn raw(&self, value: &DeValue<'_>) -> Raw {
        match value {
            DeValue::String(text) => Raw::String(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Raw::Other("a number out of range"), Raw::Integer),
            DeValue::Boolean(truth) => Raw::Boolean(*truth),
            DeValue::Array(items) => {
                Raw::List(items.iter().map(|item| self.raw(item.get_ref())).collect())
            }
            DeValue::Float(_) => Raw::Other("a fraction"),
            DeValue::Datetime(_) => Raw::Other("a date"),
            DeValue::Table(_) => Raw::Other("a table"),
        }
    }

    fn put(&mut self, path: String, raw: Raw, at: usize) {
        let origin = self.origin(at);
        self.found.insert(path, SourcedValue { raw, origin });
    }

    fn complain(&mut self, at: usize, key: Option<&str>, what: String, instead: String) {
        let origin = Some(self.origin(at));
        self.problems.push(Problem {
            origin,
            key: key.map(str::to_owned),
            what,
            instead,
        });
    }

    fn origin(&self, at: usize) -> ValueOrigin {
        let before = self.text.get(..at).unwrap_or(self.text);
        ValueOrigin::File {
            path: self.path.clone(),
            line: 1 + before.bytes().filter(|byte| *byte == b'\n').count(),
        }
    }
}
