//! The store that `store.url` names. A PostgreSQL that is away stops no start: it is tried until it is there.

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

/// How often a PostgreSQL that is away is tried.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A back end, opened.
pub(super) struct StoreParts {
    pub(super) store: Arc<dyn Store>,
    pub(super) side: StoreSide,
}

/// The store's back end as the application sees it besides its port.
#[derive(Clone)]
pub(super) struct StoreSide {
    /// None: SQLite.
    postgres: Option<Arc<PostgresStore>>,
    away: Arc<LogThrottle>,
}

/// Opens the SQLite file, or tries once to prepare the PostgreSQL database.
///
/// # Errors
/// The file cannot be used; the database refuses, so that a person must change something.
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
        prepared => side.tell(prepared),
    }
    Ok(StoreParts {
        store: postgres,
        side,
    })
}

/// Opens the store for one command, which waits for nothing.
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
            away: Arc::default(),
        }
    }

    /// Tells once a minute why the store is away, and that it is there.
    fn tell(&self, prepared: Result<(), PostgresError>) {
        match prepared {
            Ok(()) => {
                if self.away.clear() {
                    tracing::info!("the store is there: what waited goes on");
                }
            }
            Err(error) => {
                if self.away.should_log() {
                    tracing::error!(%error, "the store is away: events wait, nothing is lost");
                }
            }
        }
    }

    /// Tries until the store is prepared; at once for SQLite.
    pub(super) async fn prepare(&self) {
        let Some(postgres) = &self.postgres else {
            return;
        };
        while !postgres.is_prepared() {
            tokio::time::sleep(AGAIN_AFTER).await;
            self.tell(postgres.prepare().await);
        }
    }

    /// Prepares the store beside everything else, then lets links and envelopes know what the store keeps that signed
    /// before, then goes on with `unsigned`; never ends.
    pub(super) async fn watch(self, config: Config, links: Links, unsigned: Unsigned) {
        loop {
            self.prepare().await;
            match SigningSecrets::of(&config, unsigned.store.as_ref()).await {
                Ok(signing) => break signing.take_over(&links, &unsigned.signer),
                Err(error) if self.away.should_log() => {
                    tracing::error!(%error, "the store does not tell what signed before: what is in the queue waits");
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
    /// listeners answer that nothing is ready.
    ///
    /// # Errors
    /// The admin listener cannot be had; a stop was asked for.
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
            "nothing is served before the store is there: it keeps the signing secret, as server.signing_secret \
             is not set"
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
            // Only a listener that was told to end does.
            _ = &mut serving => return Err(StartError::Stopped),
        };
        served.cancel();
        // The listeners are closed before the relay's own are opened.
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
