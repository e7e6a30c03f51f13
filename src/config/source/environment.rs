//! Environment variables, and the files that some of them name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Named, name, unknown};
use crate::config::key::{ConfigKey, PREFIX};
use crate::config::problem::{Problem, ValueOrigin};
use crate::config::reader::SourcedValue;
use crate::config::value::{Raw, unquoted};

/// Longest file that holds a secret, in bytes.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Environment variables as they were when the process began, or as a test wants them. Quotes around a whole value
/// are taken off: programs that read a file of variables without a shell (`docker run --env-file`) leave them there.
/// They stay around a single secret, where nobody can tell whether they belong to it.
#[derive(Clone, Default)]
pub struct Environment {
    texts: BTreeMap<String, String>,
    unreadable: Vec<String>,
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.texts.keys()).finish()
    }
}

impl Environment {
    /// The environment of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// One variable, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(|written| plain(written))
    }

    /// The user of this process, if the environment names one.
    pub fn user_name(&self) -> &str {
        ["SUDO_USER", "USER", "LOGNAME"]
            .iter()
            .find_map(|name| self.get(name))
            .unwrap_or("unknown")
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    environment.texts.insert(name, value);
                }
                Err(_) => environment.unreadable.push(name),
            }
        }
        environment
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
        variables
            .into_iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect()
    }
}

/// A value without the quotes around all of it.
fn plain(written: &str) -> &str {
    unquoted(written.trim()).unwrap_or(written)
}

/// Reads every variable with the relay's prefix. One that names no key is an error.
pub(super) fn collect(
    environment: &Environment,
    found: &mut BTreeMap<String, SourcedValue>,
    problems: &mut Vec<Problem>,
) {
    for (variable, written) in &environment.texts {
        let value = plain(written);
        let Some(rest) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        let path = path_of(rest);
        let of_file = rest.strip_suffix("_FILE").map(path_of);
        match (name(&path), of_file.map(|path| name(&path))) {
            (Named::Key(key), _) if !is_repeated(key) => {
                let origin = ValueOrigin::Variable(variable.clone());
                // Quotes around an empty text mean that it is not set.
                let is_as_written = key.keeps_quotes && !value.is_empty();
                let text = if is_as_written {
                    written.as_str()
                } else {
                    value
                };
                let raw = Raw::Text(text.to_owned());
                found.insert(path, SourcedValue { raw, origin });
            }
            (Named::Section { is_repeated: true }, _) => {
                take_sections(&path, variable, value, found, problems);
            }
            (_, Some(Named::Key(key))) if key.is_secret => {
                let is_both = environment.get(&key.variable()).is_some();
                take_secret_file(key, variable, value, is_both, found, problems);
            }
            (_, Some(Named::Key(key))) => problems.push(Problem {
                origin: Some(ValueOrigin::Variable(variable.clone())),
                key: Some(key.path()),
                what: "is no secret, so it is not read from a file".to_owned(),
                instead: format!("write the value itself into {}", key.variable()),
            }),
            _ => {
                let origin = ValueOrigin::Variable(variable.clone());
                problems.push(unknown(&path, "variable", origin, ConfigKey::variable));
            }
        }
    }
    for variable in &environment.unreadable {
        if variable.starts_with(PREFIX) {
            problems.push(Problem {
                origin: Some(ValueOrigin::Variable(variable.clone())),
                key: None,
                what: "is not UTF-8".to_owned(),
                instead: String::new(),
            });
        }
    }
}

fn path_of(rest: &str) -> String {
    rest.to_ascii_lowercase().replace("__", ".")
}

fn is_repeated(key: &ConfigKey) -> bool {
    matches!(name(key.section), Named::Section { is_repeated: true })
}

fn take_secret_file(
    key: &ConfigKey,
    variable: &str,
    file: &str,
    is_both: bool,
    found: &mut BTreeMap<String, SourcedValue>,
    problems: &mut Vec<Problem>,
) {
    let mut complain = |what: String, instead: String| {
        problems.push(Problem {
            origin: Some(ValueOrigin::Variable(variable.to_owned())),
            key: Some(key.path()),
            what,
            instead,
        });
    };
    if is_both {
        let what = format!("{} is set too", key.variable());
        complain(what, "set one of the two".to_owned());
        return;
    }
    if file.is_empty() {
        return;
    }
    match read_secret(Path::new(file)) {
        Ok(text) => {
            let origin = ValueOrigin::SecretFile {
                variable: variable.to_owned(),
                path: file.into(),
            };
            let raw = Raw::Text(text);
            found.insert(key.path(), SourcedValue { raw, origin });
        }
        // The variable's text is not repeated, because some people write the secret itself there.
        Err(why) => complain(
            format!("the file that it names {why}"),
            "name a readable file that holds the secret alone".to_owned(),
        ),
    }
}

/// The content of a secret's file without the line break at its end, and without the mark that some editors put at the
/// beginning of a file.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut text = String::new();
    File::open(path)
        .map_err(cannot)?
        .take(SECRET_FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    if text.len() as u64 > SECRET_FILE_BYTES_MAX {
        return Err(format!("is longer than {SECRET_FILE_BYTES_MAX} bytes"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let trimmed = text.strip_suffix('\n').unwrap_or(text);
    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
    match trimmed {
        "" => Err("is empty".to_owned()),
        secret => Ok(secret.to_owned()),
    }
}

/// A repeated section as a JSON array of objects; it replaces all of the file's.
fn take_sections(
    section: &str,
    variable: &str,
    value: &str,
    found: &mut BTreeMap<String, SourcedValue>,
    problems: &mut Vec<Problem>,
) {
    let origin = ValueOrigin::Variable(variable.to_owned());
    let items: Vec<serde_json::Map<String, serde_json::Value>> = match serde_json::from_str(value) {
        Ok(items) => items,
        Err(error) => {
            problems.push(Problem {
                origin: Some(origin),
                key: Some(section.to_owned()),
                what: format!("is no JSON array of objects: {error}"),
                instead: "write one like [{\"phrases\": [\"meet now\"]}]".to_owned(),
            });
            return;
        }
    };
    found.retain(|path, _| !path.starts_with(&format!("{section}[")));
    for (index, item) in items.into_iter().enumerate() {
        let at = format!("{section}[{}]", index + 1);
        let put = |raw| SourcedValue {
            raw,
            origin: origin.clone(),
        };
        found.insert(at.clone(), put(Raw::Table));
        for (key, value) in item {
            let path = format!("{section}.{key}");
            if matches!(name(&path), Named::Key(_)) {
                found.insert(format!("{at}.{key}"), put(Raw::of_json(value)));
            } else {
                let shown = format!("key {path}");
                problems.push(unknown(&path, &shown, origin.clone(), |key| key.path()));
            }
        }
    }
}
