//! Configuration: one TOML file, then the environment, read by one declarative table of keys.
//!
//! - `keys`: the table. It drives the typed tree, unknown-key detection, the reference and `config show`.
//! - `source`: reads the file, the environment, secret files and aliases into one map of values.
//! - `reader`, `value`: convert values to types. Every error is collected, and none stops the reading.
//! - `check`: rules for several keys together. `warnings`: values that are allowed and probably not meant.
//!   `essentials`: the settings that serving needs.
//! - `reload`: the changes that a running relay applies.
//! - `exposed`: files with secrets that every user can read.
//! - `reference`, `show`: the table as Markdown, and the effective values without secrets.

#[macro_use]
mod table;
mod check;
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
mod warnings;

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

/// A configuration without errors, with the source of each value.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed tree.
    pub config: Config,
    /// The source of each key that was set. A key that is not here has its default.
    origins: BTreeMap<String, ValueOrigin>,
    suspicious: Vec<Problem>,
}

impl Loaded {
    /// Values that are allowed and probably not meant: for `check`, and for the log at start and after a reload.
    pub fn warnings(&self) -> Vec<String> {
        let suspicious = self.suspicious.iter().map(ToString::to_string);
        let exposed = self.exposed_files().into_iter().map(|path| {
            format!(
                "{} holds secrets and can be read by everybody on this machine; chmod 0600",
                path.display()
            )
        });
        suspicious.chain(exposed).collect()
    }
}

/// Reads the configuration from its sources.
///
/// # Errors
/// All errors of all sources at once, each with its position, its key and what to write instead.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let found = source::collect(sources, &mut problems);
    let mut reader = reader::ConfigReader::new(found, problems);
    let mut config = Config::read(&mut reader);
    let suspicious = warnings::settle(&mut config, &reader);
    check::check_together(&config, &mut reader);
    let (origins, mut problems) = reader.finish();
    problems.sort_by_key(|problem| (problem.origin.is_none(), problem.origin.clone()));
    if problems.is_empty() {
        Ok(Loaded {
            config,
            origins,
            suspicious,
        })
    } else {
        Err(Problems(problems))
    }
}
