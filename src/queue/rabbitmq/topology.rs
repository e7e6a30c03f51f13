//! The exchanges and queues in the broker: names, arguments, and how delays work.
//!
//! ```text
//!  publisher --key--> [meetrelay] --key--> meetrelay.events .conference .chat .chat.later --given up-->
//! [meetrelay.dead] --> meetrelay.dead
//!                        |   ^
//!               no route |   +--the same key, when its time is up-- meetrelay.delay.2s .10s .1m .10m <--
//! [meetrelay.delay.*] <--key-- publisher
//!                        v
//!              [meetrelay.unrouted] --> meetrelay.unrouted
//! ```
//! Every setting that correctness needs is a queue argument, because AMQP cannot set policies. A policy may tune
//! `max-length` alone. All dead-lettering is at-least-once, which needs quorum queues and reject-publish
//! (src/queue/rabbitmq/README.md, "Topology"). If the target is full or missing, messages stay in their queue instead
//! of being lost.

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
use declare::{DeclareMode, walk_plan};

/// The name of this program's own connections in the broker's connection list.
const CONNECTION: &str = "meetrelay topology";

/// Creates everything, whatever `settings.declare` says, and reports what prevents that.
///
/// # Errors
/// The broker cannot be used.
pub(crate) async fn apply(settings: &BrokerSettings) -> Result<TopologyReport, BrokerError> {
    once(settings, DeclareMode::Create).await
}

/// Changes nothing. Reports everything that is missing, and every difference that the account has the right to compare.
///
/// # Errors
/// The broker cannot be used.
pub(crate) async fn check(settings: &BrokerSettings) -> Result<TopologyReport, BrokerError> {
    once(settings, DeclareMode::Compare).await
}

/// How many exchanges, queues and bindings the plan has.
pub(crate) fn counts() -> (usize, usize, usize) {
    let (exchanges, queues) = (plan::exchanges().len(), plan::queues().len());
    (exchanges, queues, plan::bindings().len())
}

async fn once(settings: &BrokerSettings, mode: DeclareMode) -> Result<TopologyReport, BrokerError> {
    let connection = connect(settings, CONNECTION).await?;
    let report = walk_plan(&connection, settings, mode).await;
    // If the close is not answered, the connection ends with this process.
    let closed = connection.close(200, "done".into());
    let _ = tokio::time::timeout(settings.call_timeout, closed).await;
    report
}
