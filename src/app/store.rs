//! The store that `store.url` names. The relay starts even if PostgreSQL is unavailable, and tries until it is
//! available.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admin::{self, AdminToken};
use crate::config::{Config, PostgresUrl, SslMode, StoreUrl};
use crate::log_throttle::LogThrottle;
use crate::ports::Store;
use crate::store::{Encryption, PostgresError, PostgresSettings, PostgresStore, SqliteStore};
use crate::telemetry::metrics::labels::Check;
use crate::token::Links;

use super::admin_listeners::AdminListeners;
use super::data_dir::AdminSocket;
use super::secrets::SigningSecrets;
use super::unsigned::Unsigned;
use super::{AppContext, StartError};

/// Pause before an unavailable PostgreSQL is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// An opened back end.
pub(super) struct StoreParts {
    pub(super) store: Arc<dyn Store>,
    pub(super) side: StoreSide,
}

/// What the application uses of the store's back end besides its port.
#[derive(Clone)]
pub(super) struct StoreSide {
    /// `None` with SQLite.
    postgres: Option<Arc<PostgresStore>>,
    unavailable: Arc<LogThrottle>,
}

/// Opens the SQLite file, or tries once to prepare the PostgreSQL database.
///
/// # Errors
/// The file cannot be used, or the database refuses, so that a person must change something.
pub(super) async fn open(config: &Config) -> Result<StoreParts, StartError> {
    let url = match config.store_url() {
        StoreUrl::Sqlite(path) => {
            return Ok(StoreParts {
                store: Arc::new(SqliteStore::open(&path)?),
                side: StoreSide::new(None),
            });
        }
        StoreUrl::Postgres(url) => url,
    };
    let postgres = Arc::new(PostgresStore::new(settings(config, &url)).await?);
    let side = StoreSide::new(Some(Arc::clone(&postgres)));
    match postgres.prepare().await {
        Err(error @ PostgresError::Refused(_)) => return Err(error.into()),
        prepared => side.log(prepared),
    }
    Ok(StoreParts {
        store: postgres,
        side,
    })
}

/// Opens the store for one command, which does not wait until the store is available.
///
/// # Errors
/// It cannot be used now.
pub(super) async fn open_now(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    let StoreParts { store, side } = open(config).await?;
    match &side.postgres {
        Some(postgres) if !postgres.is_prepared() => {
            postgres.prepare().await?;
        }
        _ => {}
    }
    Ok(store)
}

impl StoreSide {
    fn new(postgres: Option<Arc<PostgresStore>>) -> Self {
        Self {
            postgres,
            unavailable: Arc::default(),
        }
    }

    /// Logs at most once a minute why the store is unavailable, and when it is available again.
    fn log(&self, prepared: Result<(), PostgresError>) {
        match prepared {
            Ok(()) => {
                if self.unavailable.clear() {
                    tracing::info!("the store is available again: waiting work continues");
                }
            }
            Err(error) => {
                if self.unavailable.should_log() {
                    tracing::error!(%error, "the store is unavailable: events wait, nothing is lost");
                }
            }
        }
    }

    /// Tries until the store is prepared. Returns at once for SQLite.
    pub(super) async fn prepare(&self) {
        let Some(postgres) = &self.postgres else {
            return;
        };
        while !postgres.is_prepared() {
            tokio::time::sleep(AGAIN_AFTER).await;
            self.log(postgres.prepare().await);
        }
    }

    /// Prepares the store while the relay already runs. Then links and envelopes learn the signing secret that the
    /// store keeps, and `unsigned` is watched. It never ends.
    pub(super) async fn watch(self, config: Config, links: Links, unsigned: Unsigned) {
        loop {
            self.prepare().await;
            match SigningSecrets::of(&config, unsigned.store.as_ref()).await {
                Ok(signing) => break signing.take_over(&links, &unsigned.signer),
                Err(error) if self.unavailable.should_log() => {
                    tracing::error!(%error, "previous signing secrets cannot be read from the store: messages in the queue wait");
                }
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        unsigned.watch().await;
    }

    fn is_waiting(&self) -> bool {
        self.postgres.as_ref().is_some_and(|own| !own.is_prepared())
    }

    /// Prepares the store before anything else, for a relay that keeps its signing secret there. Meanwhile the admin
    /// listeners answer that the relay is not ready.
    ///
    /// # Errors
    /// The admin listener cannot be bound, or a stop was requested.
    pub(super) async fn wait(
        &self,
        config: &Config,
        context: &AppContext,
        socket: Option<&AdminSocket>,
    ) -> Result<(), StartError> {
        if !self.is_waiting() {
            return Ok(());
        }
        tracing::warn!(
            "waiting for the store before serving: it keeps the signing secret, because server.signing_secret is not \
             set"
        );
        context.readiness.set(Check::Store, false);
        let listeners = AdminListeners::bind(config, socket)?;
        let served = CancellationToken::new();
        let routes = |access| {
            let readiness = Arc::clone(&context.readiness);
            admin::health_routes(readiness, Arc::clone(&context.metrics), access)
        };
        let limits = super::limits(config);
        let serving = listeners.serve(routes, AdminToken::unknown(), limits, served.clone());
        tokio::pin!(serving);
        let prepared = tokio::select! {
            () = self.prepare() => Ok(()),
            () = context.shutdown.requested() => Err(StartError::Stopped),
            // A listener ends only after a request to stop.
            _ = &mut serving => return Err(StartError::Stopped),
        };
        served.cancel();
        // These listeners are closed before the relay's own listeners are bound to the same addresses.
        serving.await;
        prepared
    }
}

fn settings(config: &Config, url: &PostgresUrl) -> PostgresSettings {
    let store = &config.store;
    PostgresSettings {
        host: url.host.clone(),
        port: url.port,
        user: url.user.clone(),
        password: url.password.clone(),
        database: url.database.clone(),
        encryption: match url.ssl_mode {
            SslMode::Disable => Encryption::Disable,
            SslMode::Prefer => Encryption::Prefer,
            SslMode::Require => Encryption::Require,
        },
        shown: url.shown().to_owned(),
        ca_file: store.ca_file.clone(),
        connections: store.connections as usize,
        connect_timeout: store.connect_timeout,
        call_timeout: store.call_timeout,
    }
}
