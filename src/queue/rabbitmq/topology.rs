//! What lies in the broker: names, arguments, and how a delay is waited for.
//!
//! ```text
//!  publisher --key--> [meetrelay] --key--> meetrelay.events .conference .chat .chat.later --given up--> [meetrelay.dead] --> meetrelay.dead
//!                        |   ^
//!               no route |   +--the same key, when its time is up-- meetrelay.delay.2s .10s .1m .10m <-- [meetrelay.delay.*] <--key-- publisher
//!                        v
//!              [meetrelay.unrouted] --> meetrelay.unrouted
//! ```
//! Everything that correctness needs is a queue argument, since AMQP cannot set policies; a policy may tune
//! `max-length` alone. All dead-lettering is at-least-once, which needs quorum queues and reject-publish
//! (src/queue/rabbitmq/README.md, "Topology"): a full or missing target holds messages back where they are instead of
//! losing them.

mod declare;
mod definitions;
mod plan;
mod route;

#[cfg(test)]
mod tests;

pub(crate) use declare::TopologyReport;
pub(crate) use declare::ensure;
pub(crate) use definitions::definitions;
pub(crate) use plan::{DEAD, DELAYS, UNROUTED, queue_name};
pub(crate) use route::route;

use super::connect::{BrokerError, BrokerSettings, connect};
use declare::{DeclareMode, go_through};

/// The name of this program's own connections in the broker's list.
const CONNECTION: &str = "meetrelay topology";

/// Makes everything, whatever `settings.declare` says, and tells what is in the way.
///
/// # Errors
/// The broker cannot be used.
pub(crate) async fn apply(settings: &BrokerSettings) -> Result<TopologyReport, BrokerError> {
    once(settings, DeclareMode::Make).await
}

/// Changes nothing and tells all that is missing, and all that is different as far as the account may compare.
///
/// # Errors
/// The broker cannot be used.
pub(crate) async fn check(settings: &BrokerSettings) -> Result<TopologyReport, BrokerError> {
    once(settings, DeclareMode::Compare).await
}

/// How many exchanges, queues and bindings there are when all is well.
pub(crate) fn counts() -> (usize, usize, usize) {
    let (exchanges, queues) = (plan::exchanges().len(), plan::queues().len());
    (exchanges, queues, plan::bindings().len())
}

async fn once(settings: &BrokerSettings, way: DeclareMode) -> Result<TopologyReport, BrokerError> {
    let connection = connect(settings, CONNECTION).await?;
    let report = go_through(&connection, settings, way).await;
    // Not answered: it ends with this process.
    let closed = connection.close(200, "done".into());
    let _ = tokio::time::timeout(settings.call_timeout, closed).await;
    report
}
