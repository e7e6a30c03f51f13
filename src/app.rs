//! The composition root: the only file that names every adapter. What is decided is decided elsewhere.

mod door;
mod ledger;
mod links;
mod observers;
mod operations;
mod queue;
mod settings;
mod spool;
mod store;
pub mod topology;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::{self, Admin, AdminToken, Readiness, TokenError};
use crate::clock::SystemClock;
use crate::config::{Config, Essentials, MattermostAccess, Problems, StoreUrl, WayOut};
use crate::http::{Http, HttpSetupError};
use crate::ingress::OwnUser;
use crate::listen::{self, ListenLimits};
use crate::mattermost::{Credential, Mattermost, Notices};
use crate::plugnmeet::PlugNmeet;
use crate::ports::{Chat, Clock, Queue, QueueName, Store, StoreError};
use crate::queue::Mailroom;
use crate::shutdown::Shutdown;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels::Check;
use crate::token::{Links, Signer};
use crate::worker::{Deps, Workers};
use ledger::Ledger;
use links::SignedLinks;
use observers::Meter;

/// The setting of the store under which a signing secret is kept that nobody configured.
const SIGNING_SECRET: &str = "signing_secret";

/// Why the relay does not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration says too little to serve.
    #[error("{0}")]
    Incomplete(#[from] Problems),
    /// A file or folder.
    #[error("server.data_dir {}: {why}; make it a folder that the relay's user can write to, or name another", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A listener.
    #[error("server.{key} {address}: {why}; stop what listens there, or write another address")]
    Listen {
        /// `listen` or `admin_listen`.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// A setting that its part refuses.
    #[error("{0}")]
    Setting(String),
    /// RabbitMQ refuses: a person must change something.
    #[error("{0}")]
    Broker(String),
    /// PostgreSQL refuses: a person must change something.
    #[error("{0}")]
    Database(String),
    /// A stop was asked for before everything was there.
    #[error("stopped while it waited for the store")]
    Stopped,
    /// The queue's file.
    #[error(transparent)]
    Queue(#[from] crate::queue::OpenError),
    /// The spool's folder.
    #[error(transparent)]
    Spool(#[from] crate::queue::SpoolError),
    /// The store's file.
    #[error(transparent)]
    OpenStore(#[from] crate::store::sqlite::OpenError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The admin token's file.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The HTTP client.
    #[error(transparent)]
    Http(#[from] HttpSetupError),
}

/// A worker ended although nobody asked.
#[derive(Debug, thiserror::Error)]
#[error("a worker ended by itself, which is a defect; the log says more")]
pub struct WorkerEnded;

/// What a relay is made of besides its configuration.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where parts count.
    pub metrics: Arc<Metrics>,
    /// Where parts tell how they are.
    pub readiness: Arc<Readiness>,
    /// When to stop.
    pub shutdown: Shutdown,
}

/// A running relay.
pub struct App {
    surroundings: Surroundings,
    public: SocketAddr,
    workers: Workers,
    public_loop: JoinHandle<usize>,
    admin_loop: JoinHandle<usize>,
    /// Ends the admin listener, last.
    drained: CancellationToken,
    watchers: JoinSet<()>,
    account: Option<Arc<Mattermost>>,
    queue: Arc<dyn Queue>,
    store: Arc<dyn Store>,
}

impl App {
    /// Opens the files, binds the listeners, starts the workers. Nothing is called yet.
    ///
    /// # Errors
    /// See [`StartError`]; whatever was begun is undone.
    pub async fn start(
        config: &Config,
        essentials: &Essentials,
        surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        make_data_dir(config)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (ledger, lines) = Ledger::new();
        let meter = Arc::new(Meter {
            metrics: Arc::clone(&surroundings.metrics),
            clock: Arc::clone(&clock),
            ledger,
        });
        // First: its lock tells whether another relay has these files.
        let opened = queue::open(config, &clock, &meter).await?;
        let instance = Uuid::now_v7();
        let (queue, spool) = spool::before(opened.queue, config, instance, &clock, &meter)?;
        let store::Opened { store, side } = store::open(config).await?;
        if config.server.signing_secret.is_none() {
            side.wait(config, &store, &surroundings).await?;
        }
        let signing_secret = signing_secret(config, store.as_ref()).await?;
        let links = Links::new(&essentials.public_url, Signer::new(&signing_secret, &[]));
        let conference = Arc::new(conference(config, essentials, &meter)?);
        let (chat, account) = chat(config, essentials, &meter, &clock, signing_secret)?;
        let deps = Deps {
            store: Arc::clone(&store),
            mail: Arc::new(Mailroom::new(Arc::clone(&queue))),
            castoffs: opened
                .castoffs
                .into_iter()
                .chain(spool.castoffs())
                .collect(),
            chat,
            conference,
            links: Arc::new(SignedLinks(links.clone())),
            clock,
            observer: Arc::clone(&meter) as _,
        };
        let own_user = OwnUser::unknown();
        let public = bind("listen", config.server.listen).await?;
        let admin_listener = bind("admin_listen", config.server.admin_listen).await?;
        let token = AdminToken::make(&config.admin_token_path())?;
        let address = public.local_addr().unwrap_or(config.server.listen);
        let mut watchers = JoinSet::new();
        watchers.spawn(side.watch());
        let way_out = essentials.mattermost.as_ref().map(|chat| &chat.way_out);
        watch::start(
            &mut watchers,
            &deps,
            (&queue, opened.side, spool),
            &own_user,
            &surroundings,
            way_out,
        );
        let places = ledger::Places {
            store: Arc::clone(&store),
            queue: Arc::clone(&queue),
            metrics: Arc::clone(&surroundings.metrics),
            settled_within: config.ledger.settled_within,
        };
        watchers.spawn(ledger::watch(lines, places));
        set_limits(config, &surroundings.metrics);
        let door = door::open(config, essentials, &deps, links, own_user, meter)
            .map_err(StartError::Setting)?;
        let admin = Arc::new(Admin {
            store: Arc::clone(&store),
            operations: Arc::new(operations::Repairs { deps: deps.clone() }),
            readiness: Arc::clone(&surroundings.readiness),
            metrics: Arc::clone(&surroundings.metrics),
            token,
        });
        let way_out = deps.chat.kind();
        let workers = Workers::start(deps, settings::worker(config, way_out, instance));
        let limits = limits(config);
        let stop = surroundings.shutdown.clone();
        let public_loop = listen::serve(public, door, limits.clone(), async move {
            stop.requested().await;
        });
        // The admin listener answers until the very end: /readyz and /metrics tell of the drain.
        let drained = CancellationToken::new();
        let admin_loop = listen::serve(
            admin_listener,
            admin::routes(admin),
            limits,
            drained.clone().cancelled_owned(),
        );
        let (public_loop, admin_loop) = (spawn(public_loop), spawn(admin_loop));
        surroundings.readiness.mark_started();
        tracing::info!(listen = %address, "meetrelay serves");
        Ok(Self {
            surroundings,
            public: address,
            workers,
            public_loop,
            admin_loop,
            drained,
            watchers,
            account,
            queue,
            store,
        })
    }

    /// Where the public listener listens.
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// Runs until a stop is asked for, then drains.
    ///
    /// # Errors
    /// A worker ended by itself: a defect, after which the process should end with a failure and be started again.
    pub async fn run(mut self) -> Result<(), WorkerEnded> {
        let is_asked_for = tokio::select! {
            () = self.surroundings.shutdown.requested() => true,
            () = self.workers.any_ended() => false,
        };
        self.stop().await;
        if is_asked_for {
            Ok(())
        } else {
            Err(WorkerEnded)
        }
    }

    /// Asks for a stop and drains.
    pub async fn stop(self) -> bool {
        self.surroundings.shutdown.request();
        self.drain().await
    }

    async fn drain(mut self) -> bool {
        let Surroundings {
            readiness,
            shutdown,
            ..
        } = &self.surroundings;
        readiness.set(Check::NotDraining, false);
        tracing::info!("draining: nothing new is taken, work in flight is finished");
        // A listener that panicked has said so; there is nothing left to drain.
        // Both have the same time: a slow sender must not use up what the jobs need.
        let (_, finished) = tokio::join!(self.public_loop, self.workers.drain(shutdown.expired()));
        self.watchers.shutdown().await;
        self.drained.cancel();
        drop(self.admin_loop.await);
        if let Some(account) = &self.account {
            account.log_out().await;
        }
        self.queue.close().await;
        self.store.close().await;
        if !finished {
            tracing::warn!("work in flight was cut off; it is done again after the next start");
        }
        finished
    }
}

fn make_data_dir(config: &Config) -> Result<(), StartError> {
    let mut paths = vec![config.queue_path(), config.admin_token_path()];
    if let StoreUrl::Sqlite(path) = config.store_url() {
        paths.push(path);
    }
    for folder in paths.iter().filter_map(|path| path.parent()) {
        std::fs::create_dir_all(folder).map_err(|why| StartError::DataDir {
            path: folder.to_owned(),
            why,
        })?;
    }
    Ok(())
}

/// The configured one, or one made once and kept in the store, so that links outlive a restart.
async fn signing_secret(config: &Config, store: &dyn Store) -> Result<SecretString, StartError> {
    if let Some(secret) = &config.server.signing_secret {
        return Ok(secret.clone());
    }
    let drawn = hex::encode(rand::random::<[u8; 32]>());
    Ok(store
        .setting_or_insert(SIGNING_SECRET, &drawn)
        .await?
        .into())
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
        .map_err(|error| StartError::Setting(format!("server.public_url: {error}")))?;
    PlugNmeet::new(settings, http).map_err(|error| StartError::Setting(error.to_string()))
}

/// The way out, and the client to log out with at the end.
type ChatClient = (Arc<dyn Chat>, Option<Arc<Mattermost>>);

fn chat(
    config: &Config,
    essentials: &Essentials,
    meter: &Arc<Meter>,
    clock: &Arc<dyn Clock>,
    post_secret: SecretString,
) -> Result<ChatClient, StartError> {
    let Some(access) = &essentials.mattermost else {
        return Ok((Arc::new(door::NoChat), None));
    };
    let http = Http::new(
        settings::http(config.mattermost.call_timeout),
        Arc::clone(meter) as _,
    )?;
    let credential = match access.way_out.clone() {
        WayOut::Bot { token } => Credential::Token(token),
        WayOut::Login { login_id, password } => Credential::Login { login_id, password },
        WayOut::Plugin { .. } | WayOut::IncomingWebhook { .. } => {
            return Ok((notices(access, http)?, None));
        }
    };
    let settings = settings::mattermost(access, credential, post_secret);
    let chat = Mattermost::new(settings, http, Arc::clone(clock))
        .map_err(|error| StartError::Setting(error.to_string()))?;
    let chat = Arc::new(chat);
    Ok((Arc::clone(&chat) as _, Some(chat)))
}

fn notices(access: &MattermostAccess, http: Http) -> Result<Arc<dyn Chat>, StartError> {
    let Some(settings) = settings::notices(access) else {
        return Err(StartError::Setting(
            "mattermost.incoming_webhook_url is missing".to_owned(),
        ));
    };
    let notices =
        Notices::new(settings, http).map_err(|error| StartError::Setting(error.to_string()))?;
    Ok(Arc::new(notices))
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|why| StartError::Listen { key, address, why })
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
