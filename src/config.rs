//! Configuration: one TOML file overlaid by the environment, read by one declarative table of keys.
//!
//! - `keys`: the table. It drives the typed tree, unknown-key detection, the reference and `config show`.
//! - `source`: the file, the environment, secret files and aliases, flattened to found values.
//! - `reader`, `value`: found values become types; every fault is collected, none stops the reading.
//! - `check`: what keys must say together. `doubts`: what is no fault and probably not meant. `essentials`: what
//!   serving needs beyond a faultless tree.
//! - `reload`: what a running relay takes over of a changed configuration.
//! - `exposed`: files with secrets that everybody can read.
//! - `reference`, `show`: the table as Markdown, the effective values without secrets.

#[macro_use]
mod table;
mod check;
mod doubts;
pub(crate) mod essentials;
mod exposed;
mod key;
pub(crate) mod keys;
pub(crate) mod problem;
mod reader;
mod reference;
mod reload;
mod show;
pub(crate) mod source;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use essentials::{DeliveryConfig, Essentials, MattermostAccess, PlugNmeetAccess};
pub use keys::{
    Breaker, Card, Config, DeadLetters, Dedup, Log, Mattermost, PlugNmeet, Queue, Retry, Room,
    Rule, Server, Spool, Store, Sweep,
};
pub use problem::{Problem, Problems, ValueOrigin};
pub use reference::reference;
pub use reload::is_reloaded;
pub use show::Shown;
pub use source::{Environment, Sources};
pub use value::{
    AmqpUrl, DeclareSetting, HostName, LogFormat, LogLevel, NoticeFormatSetting, PostgresUrl,
    QueueUrl, SecretUrl, SslMode, StoreUrl, Template,
};

/// A faultless configuration, with where each value comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed tree.
    pub config: Config,
    /// Where each key that was given comes from; a key that is not here has its default.
    origins: BTreeMap<String, ValueOrigin>,
    doubts: Vec<Problem>,
}

impl Loaded {
    /// What is no fault and probably not what was meant: for `check`, and for the log at start and after a reload.
    pub fn warnings(&self) -> Vec<String> {
        let doubts = self.doubts.iter().map(ToString::to_string);
        let exposed = self.exposed_files().into_iter().map(|path| {
            format!(
                "{} holds secrets and can be read by everybody on this machine; chmod 0600",
                path.display()
            )
        });
        doubts.chain(exposed).collect()
    }
}

/// Reads the configuration from its sources.
///
/// # Errors
/// Every fault of every source at once, each with its place, its key and what to write instead.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let found = source::collect(sources, &mut problems);
    let mut reader = reader::ConfigReader::new(found, problems);
    let mut config = Config::read(&mut reader);
    let doubts = doubts::settle(&mut config, &reader);
    check::check_together(&config, &mut reader);
    let (origins, mut problems) = reader.finish();
    problems.sort_by_key(|problem| (problem.origin.is_none(), problem.origin.clone()));
    if problems.is_empty() {
        Ok(Loaded {
            config,
            origins,
            doubts,
        })
    } else {
        Err(Problems(problems))
    }
}
