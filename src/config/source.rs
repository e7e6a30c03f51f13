//! Reads the sources of values: the file, and then the environment. Nothing else reads either.

mod alias;
mod environment;
mod file;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::key::ConfigKey;
use super::keys::Config;
use super::problem::{Problem, ValueOrigin};
use super::reader::SourcedValue;

pub use environment::Environment;

/// Names the configuration file.
pub(crate) const FILE_VARIABLE: &str = "MEETRELAY_CONFIG";
/// The file that is read, if it is there, when none is named.
pub(crate) const DEFAULT_FILE: &str = "meetrelay.toml";

/// What a configuration is read from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The file, if there is one to be read.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Environment,
}

impl Sources {
    /// The sources of a process: the file named by an argument, else by `MEETRELAY_CONFIG`, else `meetrelay.toml`
    /// in the working directory if it is there.
    pub fn of(argument: Option<PathBuf>, environment: Environment) -> Self {
        let named = argument.or_else(|| environment.get(FILE_VARIABLE).map(PathBuf::from));
        let file = named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
        Self { file, environment }
    }
}

/// Reads every source into one map from path to value. Later sources replace earlier ones.
pub(crate) fn collect(
    sources: &Sources,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, SourcedValue> {
    let mut found = BTreeMap::new();
    if let Some(path) = &sources.file {
        file::collect(path, &mut found, problems);
    }
    alias::replace(&sources.environment, &mut found);
    environment::collect(&sources.environment, &mut found, problems);
    alias::add(&sources.environment, &mut found, problems);
    take_renamed(&mut found);
    found
}

/// A key that was renamed: its section, its name before and its name now. The old name is accepted for one version,
/// with a warning.
pub(crate) struct RenamedKey {
    pub(crate) section: &'static str,
    pub(crate) old: &'static str,
    pub(crate) new: &'static str,
}

/// All renamed keys.
pub(crate) const RENAMED: &[RenamedKey] = &[RenamedKey {
    section: "rule",
    old: "worth",
    new: "start_deadline",
}];

/// Gives values under an old name to the new one, unless that has a value of its own.
fn take_renamed(found: &mut BTreeMap<String, SourcedValue>) {
    for key in RENAMED {
        let old = format!(".{}", key.old);
        let given: Vec<String> = found
            .keys()
            .filter_map(|path| path.strip_suffix(&old))
            .filter(|at| at.split('[').next() == Some(key.section))
            .map(str::to_owned)
            .collect();
        for at in given {
            let value = found[&format!("{at}{old}")].clone();
            found.entry(format!("{at}.{}", key.new)).or_insert(value);
        }
    }
}

/// The meaning of a path.
enum Named {
    Key(&'static ConfigKey),
    Section { is_repeated: bool },
    Nothing,
}

fn name(path: &str) -> Named {
    for section in Config::SECTIONS {
        if section.path == path {
            return Named::Section {
                is_repeated: section.is_repeated,
            };
        }
        let renamed = RENAMED
            .iter()
            .filter(|renamed| renamed.section == section.path)
            .find(|renamed| path == format!("{}.{}", renamed.section, renamed.old));
        let is_named = |key: &&ConfigKey| {
            key.path() == path || renamed.is_some_and(|renamed| renamed.new == key.name)
        };
        if let Some(key) = section.keys.iter().find(is_named) {
            return Named::Key(key);
        }
    }
    Named::Nothing
}

/// The error for a key that does not exist, with the key that was probably meant.
fn unknown(
    path: &str,
    shown: &str,
    origin: ValueOrigin,
    spell: fn(&ConfigKey) -> String,
) -> Problem {
    Problem {
        origin: Some(origin),
        key: None,
        what: format!("unknown {shown}"),
        instead: suggestion(path, spell),
    }
}

/// The key that was probably meant: one with nearly the same name, first in the same section.
fn suggestion(path: &str, spell: fn(&ConfigKey) -> String) -> String {
    let (section, own_name) = path.rsplit_once('.').unwrap_or(("", path));
    if let Named::Key(key) = name(path) {
        // The key exists in a repeated section, which a variable cannot name.
        return format!("write [[{}]] into the configuration's file", key.section);
    }
    let nearness = |key: &ConfigKey| {
        let is_here = key.section == section;
        strsim::jaro_winkler(key.name, own_name) + if is_here { 0.05 } else { 0.0 }
    };
    Config::SECTIONS
        .iter()
        .flat_map(|section| section.keys)
        .map(|key| (nearness(key), key))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .filter(|(nearness, _)| *nearness > 0.87)
        .map_or_else(
            || "`meetrelay config reference` lists every key".to_owned(),
            |(_, key)| format!("did you mean {}?", spell(key)),
        )
}
