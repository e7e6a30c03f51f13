//! `meetrelay serve`

use std::sync::Arc;

use super::outcome::{CommandResult, Failure};
use crate::admin::Readiness;
use crate::app::{App, AppContext, StartError};
use crate::config::{Config, Environment, Essentials, Sources, load};
use crate::shutdown::{Hangups, ServiceManager, Shutdown, Signals};
use crate::telemetry::{self, LogLevelSwitch, Metrics};

/// Runs the relay. Nothing is bound or written before the configuration is checked.
pub(super) async fn serve(sources: &Sources) -> CommandResult {
    let loaded = load(sources)?;
    let essentials = loaded.config.essentials()?;
    let config = &loaded.config;
    let metrics = Arc::new(Metrics::new().map_err(Failure::failed)?);
    let level = telemetry::start(&config.log, Arc::clone(&metrics)).map_err(Failure::failed)?;
    let shutdown = Shutdown::new(config.server.drain_timeout);
    let signals = Signals::listen().map_err(Failure::failed)?;
    // SIGHUP is handled from here on, so that one during the start does not end the process.
    let hangups = Hangups::listen().map_err(Failure::failed)?;
    announce(config, &essentials);
    telemetry::warn_of(&loaded);
    let context = AppContext {
        readiness: Arc::new(Readiness::new(Arc::clone(&metrics))),
        shutdown: shutdown.clone(),
        metrics,
    };
    let manager = manager(&sources.environment);
    let reload = Reload {
        sources: sources.clone(),
        level,
        hangups,
    };
    tokio::select! {
        ended = until_stopped(config, &essentials, context, &manager, reload) => {
            match &ended {
                Ok(()) => tracing::info!("stopped"),
                Err(error) => tracing::error!(error = error.to_string(), "meetrelay cannot serve: stopped"),
            }
            ended.map(|()| String::new()).map_err(failure)
        }
        () = signals.drive(shutdown) => {
            Err(Failure::failed("ended at once by a second signal; work in flight is done again after the next start"))
        }
    }
}

/// A refusal of the broker or the database counts as wrong configuration.
fn failure(error: anyhow::Error) -> Failure {
    match error.downcast_ref() {
        Some(StartError::Broker(_) | StartError::Database(_)) => Failure::usage(error),
        _ => Failure::failed(error),
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

/// What a reload needs besides the running relay.
struct Reload {
    sources: Sources,
    level: LogLevelSwitch,
    hangups: Hangups,
}

/// Runs the relay from its start to its end.
async fn until_stopped(
    config: &Config,
    essentials: &Essentials,
    context: AppContext,
    manager: &ServiceManager,
    reload: Reload,
) -> anyhow::Result<()> {
    let shutdown = context.shutdown.clone();
    let app = match App::start(config, essentials, context).await {
        Err(StartError::Stopped) => return Ok(()),
        started => started?,
    };
    manager.ready();
    let reloader = app.reloader(reload.sources, config.clone(), reload.level);
    let run = app.run();
    tokio::pin!(run);
    tokio::select! {
        ended = &mut run => return Ok(ended?),
        () = reloader.run(reload.hangups) => {}
        () = shutdown.requested() => manager.stopping(),
    }
    Ok(run.await?)
}
