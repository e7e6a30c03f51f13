//! `meetrelay serve`

use std::sync::Arc;

use super::outcome::{Failure, Outcome};
use crate::admin::Readiness;
use crate::config::{Config, Environment, Essentials, Sources, load};
use crate::shutdown::{ServiceManager, Shutdown, Signals};
use crate::telemetry::metrics::labels::Check;
use crate::telemetry::{self, Metrics};

/// Everything that a relay is started with.
pub(crate) struct Start {
    /// The configuration.
    pub(crate) config: Config,
    /// The part of it that is needed to serve.
    pub(crate) essentials: Essentials,
    /// Where parts count.
    pub(crate) metrics: Arc<Metrics>,
    /// Where parts tell how they are.
    pub(crate) readiness: Arc<Readiness>,
    /// When to stop.
    pub(crate) shutdown: Shutdown,
    /// Is told when the relay is up and when it drains.
    pub(crate) manager: ServiceManager,
}

/// Nothing is bound or written before the configuration is known to be good.
pub(super) async fn serve(sources: &Sources) -> Outcome {
    let config = load(sources)?.config;
    let essentials = config.essentials()?;
    let metrics = Arc::new(Metrics::new().map_err(Failure::failed)?);
    telemetry::start(&config.log, Arc::clone(&metrics)).map_err(Failure::failed)?;
    let shutdown = Shutdown::new(config.server.drain_timeout);
    let signals = Signals::listen().map_err(Failure::failed)?;
    announce(&config, &essentials);
    let start = Start {
        readiness: Arc::new(Readiness::new(Arc::clone(&metrics))),
        manager: manager(&sources.environment),
        shutdown: shutdown.clone(),
        config,
        essentials,
        metrics,
    };
    tokio::select! {
        ended = until_stopped(start) => {
            tracing::info!("stopped");
            ended.map(|()| String::new()).map_err(Failure::failed)
        }
        () = signals.drive(shutdown) => {
            Err(Failure::failed("ended at once by a second signal; what was in work is done again at the next start"))
        }
    }
}

fn manager(environment: &Environment) -> ServiceManager {
    ServiceManager::at(environment.get("NOTIFY_SOCKET"))
}

fn announce(config: &Config, essentials: &Essentials) {
    tracing::info!(
        version = telemetry::VERSION,
        revision = telemetry::REVISION,
        listen = %config.server.listen,
        admin_listen = %config.server.admin_listen,
        public_url = %essentials.public_url,
        mattermost = essentials.mattermost.as_ref().map(|access| access.url.as_str()),
        plugnmeet = %essentials.plugnmeet.url,
        "meetrelay starts"
    );
}

/// Drives the relay from its start to its end: the seam to the composition root.
async fn until_stopped(start: Start) -> anyhow::Result<()> {
    let Start {
        shutdown,
        readiness,
        manager,
        ..
    } = start;
    readiness.mark_started();
    manager.ready();
    shutdown.requested().await;
    readiness.set(Check::NotDraining, false);
    manager.stopping();
    anyhow::bail!("this build has no composition root")
}
