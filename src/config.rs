//! Configuration: one TOML file overlaid by the environment, read by one declarative table of keys.
//!
//! - [`keys`]: the table. It drives the typed tree, unknown-key detection, the reference and `config show`.
//! - `source`: the file, the environment, secret files and aliases, flattened to found values.
//! - `reader`, `value`: found values become types; every fault is collected, none stops the reading.
//! - `check`: what keys must say together. [`essentials`]: what serving needs beyond a faultless tree.
//! - `reload`: what a running relay takes over of a changed configuration.
//! - `exposed`: files with secrets that everybody can read.
//! - `reference`, `show`: the table as Markdown, the effective values without secrets.

#[macro_use]
mod table;
mod check;
pub mod essentials;
mod exposed;
pub mod keys;
pub mod problem;
mod reader;
mod reference;
mod reload;
mod show;
pub mod source;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use essentials::{Essentials, MattermostAccess, PlugNmeetAccess, WayOut};
pub use keys::{
    Breaker, Card, Config, DeadLetters, Dedup, Log, Mattermost, PlugNmeet, Queue, Retry, Room,
    Rule, Server, Spool, Store, Sweep,
};
pub use problem::{Origin, Problem, Problems};
pub use reference::reference;
pub use reload::is_reloaded;
pub use show::Shown;
pub use source::{Environment, Sources};
pub use value::{
    AmqpUrl, Declare, HostName, LogFormat, LogLevel, NoticeFormat, PostgresUrl, QueueUrl,
    SecretUrl, SslMode, StoreUrl, Template,
};

/// A faultless configuration, with where each value comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed tree.
    pub config: Config,
    /// Where each key that was given comes from; a key that is not here has its default.
    origins: BTreeMap<String, Origin>,
}

/// Reads the configuration from its sources.
///
/// # Errors
/// Every fault of every source at once, each with its place, its key and what to write instead.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let found = source::collect(sources, &mut problems);
    let mut reader = reader::Reader::new(found, problems);
    let config = Config::read(&mut reader);
    check::check_together(&config, &mut reader);
    let (origins, mut problems) = reader.finish();
    problems.sort_by_key(|problem| (problem.origin.is_none(), problem.origin.clone()));
    if problems.is_empty() {
        Ok(Loaded { config, origins })
    } else {
        Err(Problems(problems))
    }
}
