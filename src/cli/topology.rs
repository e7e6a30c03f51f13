//! `meetrelay topology ...`

use clap::{Args, Subcommand};

use super::outcome::{CommandResult, Failure};
use crate::app::topology::{self, TopologyError, TopologyReport};
use crate::config::{AmqpUrl, Config, Sources, load};

#[derive(Debug, Subcommand)]
pub(super) enum Topology {
    /// Make every exchange, queue and binding in RabbitMQ; exit code 1 when something different is in the way
    Apply(Broker),
    /// Report what is missing or different in RabbitMQ and change nothing; exit code 1 when something is
    Check(Broker),
    /// Print it as definitions for `rabbitmqctl import_definitions`, without users
    Export {
        /// The virtual host that it is for
        #[arg(long, default_value = "meetrelay")]
        vhost: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Broker {
    /// Another account or broker than queue.url. Other users of this machine can read it here, but not in
    /// MEETRELAY__QUEUE__URL
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Topology {
    pub(super) async fn run(self, sources: &Sources) -> CommandResult {
        match self {
            Self::Export { vhost } => Ok(topology::definitions(&vhost)),
            Self::Apply(broker) => {
                let (config, url) = broker.read(sources)?;
                let report = topology::apply(&config, url.as_ref()).await?;
                outcome_of(
                    &report,
                    &place(&config, url.as_ref()),
                    "made, or existed with the expected arguments",
                )
            }
            Self::Check(broker) => {
                let (config, url) = broker.read(sources)?;
                let report = topology::check(&config, url.as_ref()).await?;
                let done = match report.not_compared {
                    0 => "present, with the expected arguments".to_owned(),
                    some => format!(
                        "present; the arguments of {some} were not compared, because the account has no right to configure"
                    ),
                };
                outcome_of(&report, &place(&config, url.as_ref()), &done)
            }
        }
    }
}

impl Broker {
    fn read(&self, sources: &Sources) -> Result<(Config, Option<AmqpUrl>), Failure> {
        let config = load(sources)?.config;
        let url = match &self.url {
            // The text is not repeated in the error, because it contains a password.
            Some(text) => Some(AmqpUrl::parse(text).ok_or_else(|| {
                Failure::usage(
                    "--url is not the address of a broker; write one like amqp://user:password@host:5672/vhost, \
                     special characters percent-encoded",
                )
            })?),
            None => None,
        };
        Ok((config, url))
    }
}

impl From<TopologyError> for Failure {
    fn from(error: TopologyError) -> Self {
        if error.is_configuration() {
            Self::usage(error)
        } else {
            Self::failed(error)
        }
    }
}

fn place(config: &Config, url: Option<&AmqpUrl>) -> String {
    let configured = || config.queue.url.shown().to_owned();
    url.map_or_else(configured, |url| url.shown().to_owned())
}

/// Reports all differences at once, one line each.
fn outcome_of(report: &TopologyReport, place: &str, done: &str) -> CommandResult {
    if report.differences.is_empty() {
        let (exchanges, queues, bindings) = topology::counts();
        return Ok(format!(
            "OK: {exchanges} exchanges and {queues} queues in {place} are {done}.\n\
             AMQP shows neither bindings ({bindings}) nor policies: see rabbitmqctl list_bindings and list_policies.\n"
        ));
    }
    let lines: String = report
        .differences
        .iter()
        .map(|difference| format!("  {}: {}\n", difference.what, difference.why))
        .collect();
    let count = report.differences.len();
    let noun = if count == 1 { "thing is" } else { "things are" };
    Err(Failure::plain(format!(
        "meetrelay: {count} {noun} not as needed in {place}:\n{lines}"
    )))
}
