//! The admin API for commands with `--offline`, which open the files of a relay that does not run.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::Service;
use url::Url;

use crate::admin::{self, Access, Admin, Readiness};
use crate::clock::SystemClock;
use crate::config::{Config, DeliveryConfig, QueueUrl, StoreUrl};
use crate::envelope::EnvelopeQueue;
use crate::lock::{Holder, LockError};
use crate::ports::{Clock, DeliveryMethod, Queue, Store};
use crate::queue::{EmbeddedQueue, EmbeddedSettings};
use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;
use crate::token::Links;

use super::admin_api::{self, Parts};
use super::data_dir::{self, AdminSocket};
use super::secrets::SigningSecrets;
use super::{AppContext, StartError, store};

/// Why the files cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfflineError {
    /// A running relay uses them.
    #[error(
        "{} is in use by {holder}: a relay runs with this configuration; omit --offline, or stop the relay",
        path.display()
    )]
    Running {
        /// The path that the relay locked.
        path: std::path::PathBuf,
        /// The relay's process, as far as it can be found.
        holder: Holder,
    },
    /// The store's file does not exist.
    #[error("there is no {}: no relay has run with this configuration (server.data_dir, store.url)", .0.display())]
    Missing(std::path::PathBuf),
    /// An error that would also stop a relay from starting.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The admin API on the files of a relay that does not run. While it is open, no relay of this configuration can start,
/// and no job runs.
pub(crate) struct Offline {
    admin: Arc<Admin>,
    queue: Option<Arc<EmbeddedQueue>>,
    store: Arc<dyn Store>,
    /// Keeps the data directory locked until everything is closed.
    _socket: AdminSocket,
}

impl std::fmt::Debug for Offline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offline").finish_non_exhaustive()
    }
}

impl Offline {
    /// Opens the files under their lock.
    ///
    /// # Errors
    /// See [`OfflineError`].
    pub(crate) async fn open(config: &Config) -> Result<Self, OfflineError> {
        if let StoreUrl::Sqlite(path) = config.store_url()
            && !path.exists()
        {
            return Err(OfflineError::Missing(path));
        }
        data_dir::make(config)?;
        let socket = AdminSocket::take(config).map_err(|error| match error {
            LockError::InUse { path, holder } => OfflineError::Running { path, holder },
            error @ LockError::NotMade { .. } => StartError::from(error).into(),
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let queue = queue(config, &clock)?;
        let store = store::open_now(config).await?;
        let signing = SigningSecrets::of(config, store.as_ref()).await;
        let signing = signing.map_err(StartError::from)?;
        let links = links(config, &signing)?;
        let envelopes = queue
            .clone()
            .map(|queue| EnvelopeQueue::new(queue, signing.envelope_signer()));
        let metrics = Metrics::new()
            .map(Arc::new)
            .map_err(|error| StartError::Setting(error.into()))?;
        let context = AppContext {
            readiness: Arc::new(Readiness::new(Arc::clone(&metrics))),
            metrics,
            // No workers run that would have to stop.
            shutdown: Shutdown::new(Duration::ZERO),
        };
        let parts = Parts {
            store: Arc::clone(&store),
            queue: envelopes,
            clock,
            links,
            delivery_method: delivery_method(config),
        };
        Ok(Self {
            admin: admin_api::admin(config, parts, &context),
            queue,
            store,
            _socket: socket,
        })
    }

    /// The answer that a relay on these files would give through its socket.
    pub(crate) async fn answer(&self, request: Request<String>) -> Response<Bytes> {
        let routes = admin::routes(Arc::clone(&self.admin), Access::Socket);
        let Ok(answer): Result<_, Infallible> = warp::service(routes).call(request).await;
        let (head, body) = answer.into_parts();
        // The body is made in this process, and holds no stream that could fail.
        let body = body.collect().await;
        Response::from_parts(head, body.map(|body| body.to_bytes()).unwrap_or_default())
    }

    /// Closes the files and releases their locks.
    pub(crate) async fn close(self) {
        if let Some(queue) = self.queue {
            queue.close().await;
        }
        self.store.close().await;
    }
}

/// The embedded queue, locked. `None` with RabbitMQ, because nothing is published there without a relay's spool.
fn queue(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<EmbeddedQueue>>, StartError> {
    match &config.queue.url {
        QueueUrl::Embedded => {
            let settings = EmbeddedSettings {
                path: config.queue_path(),
                bytes_max: config.queue.bytes_max.as_u64(),
            };
            Ok(Some(Arc::new(EmbeddedQueue::open(
                settings,
                Arc::clone(clock),
            )?)))
        }
        QueueUrl::Amqp(_) => Ok(None),
    }
}

/// Verifies the links of the relay whose files these are. Only their tokens matter, not the host.
fn links(config: &Config, signing: &SigningSecrets) -> Result<Links, StartError> {
    let placeholder = "http://localhost/".parse();
    let base: Url = match &config.server.public_url {
        Some(url) => url.clone(),
        None => placeholder.map_err(|error: url::ParseError| StartError::Setting(error.into()))?,
    };
    Ok(Links::new(&base, signing.signer()))
}

fn delivery_method(config: &Config) -> DeliveryMethod {
    match config.delivery_method() {
        Some(DeliveryConfig::Plugin { .. } | DeliveryConfig::IncomingWebhook { .. }) => {
            DeliveryMethod::Notices
        }
        Some(DeliveryConfig::Bot { .. } | DeliveryConfig::Login { .. }) | None => {
            DeliveryMethod::Posts
        }
    }
}
