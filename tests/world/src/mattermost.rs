//! A strict, stateful fake of Mattermost 11.
//!
//! It answers REST v4 and response URLs as the recorded server does, sends outgoing webhooks and slash
//! commands byte for byte as recorded, and shows its channels on a web page. People act through the verbs of
//! [`FakeMattermost`] (`say`, `command`, `join`, ...); what they see is read with [`Model`]'s queries.
//!
//! Reading order: `model` (what is kept), `posting` (rules of posts), `rest` (routes), `outgoing`, `command`
//! `answer`, `incoming` and `plugin` (integrations), `server` (connections and faults), `verbs` (people), `demo` (the
//! page).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod answer;
mod attachment;
mod clock;
mod command;
mod core;
mod demo;
mod error;
mod gostyle;
mod id;
mod incoming;
mod integration;
mod journal;
mod markdown;
mod model;
mod options;
mod outgoing;
mod panel;
mod plugin;
mod posting;
mod rest;
mod seed;
mod server;
mod sessions;
mod slack;
mod throttle;
mod verbs;
mod waiting;

pub use clock::SkewedClock;
pub use command::CommandAnswer;
pub use journal::{AuthKind, Delivery, ReceivedRequest};
pub use model::{
    Channel, ChannelKind, Ephemeral, Model, OutgoingHook, Post, Team, TriggerWhen, User,
};
pub use options::{Options, RateLimit};
pub use panel::{ActionFuture, ActionOutcome, DemoAction, DemoPanel, Effect};
pub use waiting::WaitedInVain;

/// A running (or stopped) fake server. Clones are the same server; dropping the last one stops it.
#[derive(Clone)]
pub struct FakeMattermost {
    core: Arc<core::Core>,
    address: SocketAddr,
    running: Arc<Mutex<Option<Running>>>,
}

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl FakeMattermost {
    /// Starts a server with a fresh state and listens.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listen = options.listen;
        let is_populated = options.is_populated;
        let site_url = options.site_url.clone();
        let core = core::Core::new(options, Model::default())?;
        let now = core.clock.now_ms();
        core.change(|model| seed::plant(model, is_populated, now));
        let listener = crate::ports::listen(listen).await?;
        let address = listener.local_addr()?;
        *core
            .site_url
            .write()
            .unwrap_or_else(PoisonError::into_inner) =
            site_url.unwrap_or_else(|| format!("http://{address}"));
        let server = Self {
            core,
            address,
            running: Arc::default(),
        };
        server.run(listener);
        Ok(server)
    }

    /// Mattermost goes down: connections are refused, open ones break off, requests in flight are lost.
    ///
    /// People's verbs go on working, as for a server that only the relay cannot reach.
    pub async fn stop(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Running { stop, task }) = running {
            stop.send_replace(true);
            let _ = task.await;
        }
    }

    /// Mattermost is back on the same address with the same state; pending post ids are forgotten, because
    /// the real server keeps them in memory.
    ///
    /// # Errors
    /// If somebody else has taken the port meanwhile.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await?;
        self.core.change(|model| model.pending.clear());
        self.run(listener);
        Ok(())
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end: the page for browsers, and the SiteURL unless the options
    /// say another one.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Faults by operation: `posts.create`, `posts.patch`, `posts.get`, `posts.delete`, `channels.posts`,
    /// `channels.get`, `channels.member`, `channels.join`, `channels.direct`, `users.me`, `users.login`,
    /// `users.logout`, `users.get`, `users.ids`, `users.by_name`, `config.client`, `system.ping`, `hooks.commands`,
    /// `hooks.incoming`, `plugins.call`; `""` is all of them.
    pub fn faults(&self) -> &crate::FaultSwitch {
        &self.core.faults
    }

    /// What the real server would not have understood, or a careful client would not have sent.
    pub fn unexpected(&self) -> &crate::Unexpected {
        &self.core.unexpected
    }

    /// The server's clock; advancing it ends the 30 s of a pending post id or the 30 min of a response URL.
    pub fn clock(&self) -> &SkewedClock {
        &self.core.clock
    }

    fn run(&self, listener: TcpListener) {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(server::serve(Arc::clone(&self.core), listener, stopped));
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running { stop, task });
    }
}

impl std::fmt::Debug for FakeMattermost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeMattermost")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
