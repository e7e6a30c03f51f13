//! The effective values with their sources. Secrets never show.

use serde::Serialize;

use super::Loaded;
use super::problem::ValueOrigin;
use super::value::Setting;

/// One key with its effective value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its section, for a rule with its number: `rule[1]`.
    pub section: String,
    /// Its name.
    pub key: String,
    /// Its value as it stands in a file, a secret as `"[redacted]"`; `None` when it is absent.
    pub value: Option<String>,
    /// Where the value was given; `default` when it was not.
    pub source: String,
}

impl Shown {
    pub(crate) fn of<T: Setting>(at: &str, key: &str, value: &T) -> Self {
        Self {
            section: at.to_owned(),
            key: key.to_owned(),
            value: value.show(),
            source: "default".to_owned(),
        }
    }
}

impl Loaded {
    /// Every key with its effective value and source, in reading order.
    pub fn shown(&self) -> Vec<Shown> {
        let mut shown = self.config.show();
        for shown in &mut shown {
            let path = format!("{}.{}", shown.section, shown.key);
            if let Some(origin) = self.origins.get(&path) {
                shown.source = ValueOrigin::to_string(origin);
            }
        }
        shown
    }

    /// The same as a file that could be read again, but for the secrets.
    pub fn shown_as_toml(&self) -> String {
        let mut text = String::new();
        let mut section = String::new();
        for shown in self.shown() {
            if shown.section != section {
                let head = match shown.section.split_once('[') {
                    Some((repeated, _)) => format!("[[{repeated}]]"),
                    None => format!("[{}]", shown.section),
                };
                let missed_posts = if section.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{missed_posts}{head}\n"));
                section.clone_from(&shown.section);
            }
            let line = match shown.value {
                Some(value) => format!("{} = {value}", shown.key),
                None => format!("# {} is not set", shown.key),
            };
            text.push_str(&format!("{line:<60} # {}\n", shown.source));
        }
        text
    }
}
