//! The composition root: the only module that names every adapter. It decides nothing itself.

mod admin_api;
mod admin_listeners;
mod catch_up;
mod chat;
mod data_dir;
mod ledger;
mod links;
mod observers;
pub(crate) mod offline;
mod public_routes;
mod queue;
mod reload;
mod secrets;
mod settings;
mod spool;
mod store;
pub(crate) mod topology;
mod unsigned;
mod watch;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::{self, AdminToken, Readiness};
use crate::clock::SystemClock;
use crate::config::{Config, Essentials, Problems, Sources};
use crate::envelope::EnvelopeQueue;
use crate::http::{Http, HttpSetupError};
use crate::listen::{self, ListenLimits};
use crate::lock::LockError;
use crate::plugnmeet::PlugNmeet;
use crate::ports::{Clock, Queue, QueueName, Store, StoreError};
use crate::queue::rabbitmq::BrokerError;
use crate::shutdown::Shutdown;
use crate::store::PostgresError;
use crate::telemetry::metrics::labels::Check;
use crate::telemetry::{LogLevelSwitch, Metrics};
use crate::token::Links;
use crate::trigger::OwnUser;
use crate::worker::{Deps, Workers};
use admin_listeners::AdminListeners;
use chat::ChatClient;
use data_dir::AdminSocket;
use ledger::EventLedger;
use links::SignedLinks;
use observers::Meter;
use reload::Holders;
pub use reload::{ReloadError, Reloader};
use secrets::SigningSecrets;
use unsigned::Unsigned;
use watch::WatchedParts;

/// Why the relay does not start. Each text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is not enough to serve.
    #[error(transparent)]
    Incomplete(#[from] Problems),
    /// A folder of the relay's files cannot be made.
    #[error("server.data_dir {}: {why}; make it a folder that the relay's user can write to, or name another", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        why: std::io::Error,
    },
    /// A listener cannot be bound.
    #[error(
        "server.{key} {address}: {why}; stop the process that listens there, or write another address"
    )]
    Listen {
        /// `listen` or `admin_listen`.
        key: &'static str,
        /// The configured address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        why: std::io::Error,
    },
    /// A setting that the part that uses it refuses.
    #[error(transparent)]
    Setting(Box<dyn Error + Send + Sync>),
    /// RabbitMQ refuses: a person must change something.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// PostgreSQL refuses: a person must change something.
    #[error(transparent)]
    Database(#[from] PostgresError),
    /// A stop was requested before the store was available.
    #[error("stopped while waiting for the store")]
    Stopped,
    /// The queue's file cannot be opened.
    #[error(transparent)]
    Queue(#[from] crate::queue::QueueOpenError),
    /// The spool cannot be opened.
    #[error(transparent)]
    Spool(#[from] crate::queue::SpoolError),
    /// The store's file cannot be opened.
    #[error(transparent)]
    OpenStore(#[from] crate::store::sqlite::OpenError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process uses the data directory.
    #[error(transparent)]
    InUse(#[from] LockError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] HttpSetupError),
}

/// A worker or watcher ended without a request to stop.
#[derive(Debug, thiserror::Error)]
#[error("a worker or watcher ended by itself, which is a defect; see the log")]
pub struct WorkerEnded;

/// What a relay needs besides its configuration.
#[derive(Debug, Clone)]
pub struct AppContext {
    /// The metrics that every part updates.
    pub metrics: Arc<Metrics>,
    /// The readiness that every part reports to.
    pub readiness: Arc<Readiness>,
    /// The request to stop, and its deadline.
    pub shutdown: Shutdown,
}

/// A running relay.
pub struct App {
    context: AppContext,
    public: SocketAddr,
    workers: Workers,
    public_loop: JoinHandle<usize>,
    admin_loop: JoinHandle<usize>,
    /// Ends the admin listeners. They end last.
    drained: CancellationToken,
    watchers: JoinSet<()>,
    holders: Holders,
    queue: Arc<dyn Queue>,
    store: Arc<dyn Store>,
    /// Keeps the data directory locked until everything is closed.
    _socket: Option<AdminSocket>,
}

impl App {
    /// Opens the files, binds the listeners and starts the workers. It does not wait for Mattermost or plugNmeet.
    ///
    /// # Errors
    /// See [`StartError`]. Everything that was started is undone.
    pub async fn start(
        config: &Config,
        essentials: &Essentials,
        context: AppContext,
    ) -> Result<Self, StartError> {
        data_dir::make(config)?;
        data_dir::warn_if_open(config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (ledger, lines) = EventLedger::new();
        let renewed = Arc::new(Notify::new());
        let meter = Arc::new(Meter {
            metrics: Arc::clone(&context.metrics),
            readiness: Arc::clone(&context.readiness),
            clock: Arc::clone(&clock),
            ledger,
            ask_again: Arc::clone(&renewed),
        });
        // The queue is opened first, because its lock shows whether another relay uses these files.
        let opened = queue::open(config, &clock, &meter).await?;
        let socket = AdminSocket::take_if_possible(config)?;
        let instance = Uuid::now_v7();
        let (queue, spool) = spool::before(opened.queue, config, instance, &clock, &meter)?;
        let store::StoreParts { store, side } = store::open(config).await?;
        if config.server.signing_secret.is_none() {
            side.wait(config, &context, socket.as_ref()).await?;
        }
        let signing = SigningSecrets::known_now(config, store.as_ref()).await?;
        let links = Links::new(&essentials.public_url, signing.signer());
        let envelopes = signing.envelope_signer();
        let conference = Arc::new(conference(config, essentials, &meter)?);
        let chat = ChatClient::new(config, essentials, &meter, &clock, signing.present)?;
        let deps = Deps {
            store: Arc::clone(&store),
            queue: EnvelopeQueue::new(Arc::clone(&queue), envelopes.clone()),
            returned: opened
                .returned
                .into_iter()
                .chain(spool.returned())
                .collect(),
            chat: chat.port(),
            conference: Arc::clone(&conference) as _,
            links: Arc::new(SignedLinks(links.clone())),
            clock,
            observer: Arc::clone(&meter) as _,
        };
        let own_user = OwnUser::unknown();
        watch::remember_own_user(store.as_ref(), &own_user).await;
        let public = bind("listen", config.server.listen)?;
        let admin_listeners = AdminListeners::bind(config, socket.as_ref())?;
        let token = AdminToken::unknown();
        admin_listeners::renew_token(&token, config);
        let address = public.local_addr().unwrap_or(config.server.listen);
        let mut watchers = JoinSet::new();
        let unsigned = Unsigned {
            store: Arc::clone(&store),
            queue: Arc::clone(&queue),
            spool: spool.clone(),
            clock: Arc::clone(&deps.clock),
            signer: envelopes.clone(),
        };
        watchers.spawn(side.watch(config.clone(), links.clone(), unsigned));
        let watched = WatchedParts {
            deps: deps.clone(),
            queue: Arc::clone(&queue),
            side: opened.side,
            spool,
            own_user: own_user.clone(),
            renewed: Arc::clone(&renewed),
            context: context.clone(),
        };
        watched.start(&mut watchers);
        let places = ledger::Places {
            store: Arc::clone(&store),
            queue: Arc::clone(&queue),
            metrics: Arc::clone(&context.metrics),
            settled_within: config.ledger.settled_within,
        };
        watchers.spawn(ledger::watch(lines, places));
        set_limits(config, &context.metrics);
        let catch_up = catch_up::settings(config, essentials, &deps, &own_user).await?;
        let missed_posts = catch_up
            .as_ref()
            .map(|settings| settings.missed_posts.clone());
        let (public_routes, keyring) = public_routes::open(
            config,
            essentials,
            &deps,
            links.clone(),
            own_user,
            missed_posts,
            meter,
        )
        .map_err(|why| StartError::Setting(why.into()))?;
        let delivery_method = deps.chat.kind();
        let parts = admin_api::Parts {
            store: Arc::clone(&store),
            queue: Some(deps.queue.clone()),
            clock: Arc::clone(&deps.clock),
            links: links.clone(),
            delivery_method,
        };
        let admin = admin_api::admin(config, parts, &context);
        let holders = Holders {
            links,
            envelopes,
            keyring,
            admin_token: token.clone(),
            conference,
            chat,
            store: Arc::clone(&store),
            metrics: Arc::clone(&context.metrics),
            renewed,
        };
        let mut worker = settings::worker(config, delivery_method, instance);
        worker.catch_up = catch_up;
        let workers = Workers::start(deps, worker);
        let limits = limits(config);
        let stop = context.shutdown.clone();
        let public_loop = listen::serve(public, public_routes, limits.clone(), async move {
            stop.requested().await;
        });
        // The admin listeners answer until the end, because /readyz and /metrics report the drain.
        let drained = CancellationToken::new();
        let routes = move |access| admin::routes(Arc::clone(&admin), access);
        let admin_loop = admin_listeners.serve(routes, token, limits, drained.clone());
        let (public_loop, admin_loop) = (spawn(public_loop), spawn(admin_loop));
        context.readiness.mark_started();
        tracing::info!(listen = %address, "meetrelay serves");
        Ok(Self {
            context,
            public: address,
            workers,
            public_loop,
            admin_loop,
            drained,
            watchers,
            holders,
            queue,
            store,
            _socket: socket,
        })
    }

    /// The address of the public listener, with the port that the system chose if port 0 is configured.
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// Applies changes of the configuration while the relay runs. `config` is the configuration that it was started
    /// with, read from `sources`.
    pub fn reloader(&self, sources: Sources, config: Config, level: LogLevelSwitch) -> Reloader {
        Reloader::new(self.holders.clone(), sources, config, level)
    }

    /// Runs until a stop is requested, then drains.
    ///
    /// # Errors
    /// A worker or watcher ended by itself. This is a defect: the process should end with a failure and be started
    /// again.
    pub async fn run(mut self) -> Result<(), WorkerEnded> {
        let is_requested = tokio::select! {
            () = self.context.shutdown.requested() => true,
            () = self.workers.any_ended() => false,
            Some(_) = self.watchers.join_next() => false,
        };
        self.stop().await;
        if is_requested {
            Ok(())
        } else {
            Err(WorkerEnded)
        }
    }

    /// Requests a stop and drains. Returns whether all work in flight was finished in time.
    pub async fn stop(self) -> bool {
        self.context.shutdown.request();
        self.drain().await
    }

    async fn drain(mut self) -> bool {
        let AppContext {
            readiness,
            shutdown,
            ..
        } = &self.context;
        readiness.set(Check::NotDraining, false);
        tracing::info!("draining: no new work is accepted, work in flight is finished");
        // A listener that panicked has logged it, and has nothing left to drain.
        // The listener and the workers drain at the same time: a slow sender must not use up the time of the jobs.
        let (_, finished) = tokio::join!(self.public_loop, self.workers.drain(shutdown.expired()));
        self.watchers.shutdown().await;
        self.drained.cancel();
        drop(self.admin_loop.await);
        self.holders.chat.log_out().await;
        self.queue.close().await;
        self.store.close().await;
        if !finished {
            tracing::warn!("work in flight was cut off; it is done again after the next start");
        }
        finished
    }
}

fn conference(
    config: &Config,
    essentials: &Essentials,
    meter: &Arc<Meter>,
) -> Result<PlugNmeet, StartError> {
    let http = Http::new(
        settings::http(config.plugnmeet.call_timeout),
        Arc::clone(meter) as _,
    )?;
    let settings = settings::plugnmeet(config, &essentials.plugnmeet, &essentials.public_url)
        .map_err(|error| StartError::Setting(format!("server.public_url: {error}").into()))?;
    PlugNmeet::new(settings, http).map_err(|error| StartError::Setting(error.into()))
}

fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    listen::bind(address).map_err(|why| StartError::Listen { key, address, why })
}

fn limits(config: &Config) -> ListenLimits {
    ListenLimits {
        connections: config.server.connections_max as usize,
        head_deadline: config.server.header_timeout,
        request_deadline: config.server.request_timeout,
        drain_deadline: config.server.drain_timeout,
        ..ListenLimits::default()
    }
}

fn set_limits(config: &Config, metrics: &Metrics) {
    let (chat, conference) = (config.mattermost.concurrency, config.plugnmeet.concurrency);
    for (queue, limit) in [
        (QueueName::Events, 1),
        (QueueName::Conference, conference),
        (QueueName::Chat, chat),
        (QueueName::ChatLater, chat.div_ceil(2)),
    ] {
        metrics
            .worker_concurrency_limit
            .with(queue)
            .set(i64::from(limit));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tracked: drain waits for every listener"
)]
fn spawn(listener: impl Future<Output = usize> + Send + 'static) -> JoinHandle<usize> {
    tokio::spawn(listener)
}
