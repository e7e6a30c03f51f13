//! `meetrelay config ...`

use clap::Subcommand;

use super::outcome::{CommandResult, Failure};
use crate::config::{Sources, load, reference};
use crate::telemetry::metrics;

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// The values in force and where each comes from; secrets are hidden
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Every key with type, default, meaning and variable, in Markdown
    Reference {
        /// Every metric instead
        #[arg(long)]
        metrics: bool,
    },
}

impl Config {
    pub(super) fn run(self, sources: &Sources) -> CommandResult {
        match self {
            Self::Reference { metrics: true } => Ok(metrics::reference()),
            Self::Reference { metrics: false } => Ok(reference()),
            Self::Show { json } => {
                let loaded = load(sources)?;
                if json {
                    serde_json::to_string_pretty(&loaded.shown()).map_err(Failure::failed)
                } else {
                    Ok(loaded.shown_as_toml())
                }
            }
        }
    }
}
