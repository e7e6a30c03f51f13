//! Converts values to types and collects the errors.

use std::collections::{BTreeMap, BTreeSet};

use super::key::ConfigKey;
use super::problem::{Problem, ValueOrigin};
use super::value::{Mismatch, Raw, Setting};

/// A value as its source gave it.
#[derive(Debug, Clone)]
pub(crate) struct SourcedValue {
    /// The value, which is not converted yet.
    pub(crate) raw: Raw,
    /// Where it was given.
    pub(crate) origin: ValueOrigin,
}

/// Returns typed values. A value that cannot be converted is reported and its default is used, so that the reading
/// continues and all errors are reported at once.
#[derive(Debug)]
pub(crate) struct ConfigReader {
    found: BTreeMap<String, SourcedValue>,
    problems: Vec<Problem>,
    faulty: BTreeSet<String>,
}

impl ConfigReader {
    pub(crate) fn new(found: BTreeMap<String, SourcedValue>, problems: Vec<Problem>) -> Self {
        let faulty = problems.iter().filter_map(|p| p.key.clone()).collect();
        Self {
            found,
            problems,
            faulty,
        }
    }

    /// The value of `key` in the section `at`, or its default.
    pub(crate) fn take<T: Setting>(&mut self, at: &str, key: &ConfigKey) -> T {
        let path = format!("{at}.{}", key.name);
        let read = self.found.get(&path).map(|found| {
            let value = T::read(&found.raw)?;
            match key.range {
                Some((low, high)) => within(value, low, high),
                None => Ok(value),
            }
        });
        match read {
            Some(Ok(value)) => value,
            Some(Err(Mismatch { what, instead })) => {
                self.complain(&path, what, instead);
                default(key)
            }
            None => default(key),
        }
    }

    /// The paths of a repeated section, in the order of the file: `rule[1]`, `rule[2]`. One with nothing but
    /// defaults when there is none.
    pub(crate) fn repeats(&self, section: &str) -> Vec<String> {
        let given: Vec<String> = (1..)
            .map(|number| format!("{section}[{number}]"))
            .take_while(|at| self.found.contains_key(at))
            .collect();
        if given.is_empty() {
            return vec![format!("{section}[1]")];
        }
        given
    }

    /// Whether this key is already known to be wrong. Then errors that depend on it are not reported.
    pub(crate) fn is_faulty(&self, path: &str) -> bool {
        self.faulty.contains(path)
    }

    /// Where the key was given, if it was.
    pub(crate) fn origin(&self, path: &str) -> Option<ValueOrigin> {
        self.found.get(path).map(|found| found.origin.clone())
    }

    /// Reports an error of a key.
    pub(crate) fn complain(
        &mut self,
        path: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.faulty.insert(path.to_owned());
        self.problems.push(Problem {
            origin: self.origin(path),
            key: Some(path.to_owned()),
            what: what.into(),
            instead: instead.into(),
        });
    }

    /// The source of each key that was set, and all errors.
    pub(crate) fn finish(self) -> (BTreeMap<String, ValueOrigin>, Vec<Problem>) {
        let origins = self
            .found
            .into_iter()
            .map(|(path, found)| (path, found.origin))
            .collect();
        (origins, self.problems)
    }
}

fn within<T: Setting>(value: T, low: &str, high: &str) -> Result<T, Mismatch> {
    let bound = |text: &str| T::read(&Raw::Text(text.to_owned()));
    let is_below = value.is_less(&bound(low)?);
    let is_above = bound(high)?.is_less(&value);
    if is_below || is_above {
        return Err(Mismatch {
            what: format!("{} is out of range", value.show().unwrap_or_default()),
            instead: format!("write {low} to {high}"),
        });
    }
    Ok(value)
}

#[expect(
    clippy::expect_used,
    reason = "a key without a default has an optional type or a list, which an empty text reads as; the test \
              `every_default_reads_and_lies_in_its_range` goes through the whole table"
)]
fn default<T: Setting>(key: &ConfigKey) -> T {
    T::read(&Raw::Text(key.default.unwrap_or_default().to_owned())).expect("defaults are valid")
}
