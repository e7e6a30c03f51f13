//! `meetrelay healthcheck`: the command for a container's health check.

use super::admin_client::AdminClient;
use super::offline::OfflineArgs;
use super::outcome::{CommandResult, Failure};
use crate::config::Sources;

pub(super) async fn healthcheck(sources: &Sources) -> CommandResult {
    let relay = AdminClient::of(sources, OfflineArgs::default()).await?;
    match relay.readiness().await? {
        (true, text) => Ok(text),
        (false, text) => Err(Failure::plain(text)),
    }
}
