//! `meetrelay healthcheck`: what a container's health check runs.

use super::admin_client::AdminClient;
use super::offline::Offline;
use super::outcome::{Failure, Outcome};
use crate::config::Sources;

pub(super) async fn healthcheck(sources: &Sources) -> Outcome {
    let relay = AdminClient::of(sources, Offline::default()).await?;
    match relay.readiness().await? {
        (true, text) => Ok(text),
        (false, text) => Err(Failure::told(text)),
    }
}
