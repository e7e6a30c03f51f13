//! The broker's topology, for the commands `meetrelay topology ...`.

use crate::config::{AmqpUrl, Config, QueueUrl};
use crate::queue::rabbitmq::{BrokerError, topology};

pub(crate) use crate::queue::rabbitmq::topology::{TopologyReport, counts, definitions};

use super::settings;

/// Why the topology cannot be made or checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopologyError {
    /// `queue.url` names the embedded queue.
    #[error("queue.url is \"embedded\", which has no topology; name a broker there or with --url")]
    NoBroker,
    /// The broker refused, or is unavailable.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl TopologyError {
    /// Whether a person must change something first.
    pub(crate) fn is_configuration(&self) -> bool {
        !matches!(self, Self::Broker(BrokerError::Unavailable(_)))
    }
}

/// Makes everything that the relay needs, with the account of `url`, or with the configured one if there is none.
///
/// # Errors
/// See [`TopologyError`]. Differences that prevent it are in the report.
pub(crate) async fn apply(
    config: &Config,
    url: Option<&AmqpUrl>,
) -> Result<TopologyReport, TopologyError> {
    Ok(topology::apply(&settings::broker(config, named(config, url)?)).await?)
}

/// Reports what is missing or different, and changes nothing.
///
/// # Errors
/// See [`TopologyError`].
pub(crate) async fn check(
    config: &Config,
    url: Option<&AmqpUrl>,
) -> Result<TopologyReport, TopologyError> {
    Ok(topology::check(&settings::broker(config, named(config, url)?)).await?)
}

fn named<'a>(config: &'a Config, url: Option<&'a AmqpUrl>) -> Result<&'a AmqpUrl, TopologyError> {
    match (url, &config.queue.url) {
        (Some(url), _) | (None, QueueUrl::Amqp(url)) => Ok(url),
        (None, QueueUrl::Embedded) => Err(TopologyError::NoBroker),
    }
}
