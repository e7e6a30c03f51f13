//! plugNmeet 2.4 as a strict, stateful model over real HTTP, built from what is written in
//! src/plugnmeet/README.md and from the recorded bodies.
//!
//! It authenticates and checks every request, keeps rooms, sessions, people, recordings and artifacts, sends real
//! webhooks, and can be stopped, told to fail ([`FakePlugNmeet::faults`]) or brought into the states in which the
//! real server says less than the truth (`verbs/trouble.rs`).
//!
//! Reading order: `options`, `state`, `api` (what it answers), `webhook` (what it sends), `verbs` (what happens in it).

mod answer;
mod api;
mod artifact;
mod demo;
mod json;
mod metadata;
mod options;
mod page;
mod participant;
mod protojson;
mod requests;
mod schema;
mod server;
mod session;
mod state;
mod token;
mod verbs;
mod webhook;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use options::Options;
pub use requests::{REQUESTS_KEPT, Request};
pub use session::{Phase, RoomView};
pub use token::{sign, sign_webhook};
pub use webhook::{Attempt, DELIVERIES_KEPT, Delivery, Held, Outcome};

use crate::{FaultSwitch, Unexpected};
use state::{Shared, State};

/// How every planted secret begins: nothing that starts so may come out of the relay.
pub const CANARY: &str = "CANARY-";

/// A back end of the real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// MariaDB: rows of rooms, recordings and artifacts.
    Database,
    /// NATS: running rooms and their users.
    Nats,
    /// Redis: locks.
    Redis,
}

/// A running (or stopped) fake. Clones are the same fake. Its verbs must be called in a Tokio runtime.
#[derive(Clone)]
pub struct FakePlugNmeet {
    shared: Arc<Shared>,
    server: Arc<Mutex<Option<server::Server>>>,
    address: SocketAddr,
}

impl FakePlugNmeet {
    /// Starts a fake; must be called in a Tokio runtime. Fails when the address cannot be bound.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let webhooks = webhook::Webhooks::new(
            options.global_webhook_url.clone(),
            options.per_room_webhooks,
        )?;
        let listener = crate::ports::listen(options.address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            state: Mutex::new(State::default()),
            faults: FaultSwitch::default(),
            unexpected: Unexpected::default(),
            webhooks,
            changed: tokio::sync::watch::channel(0).0,
            tasks: Mutex::new(Vec::new()),
            clock_skew: std::sync::atomic::AtomicI64::new(0),
        });
        let fake = Self {
            shared,
            server: Arc::new(Mutex::new(None)),
            address,
        };
        let running = server::Server::start(listener, fake.clone());
        *fake.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(fake)
    }

    /// Stops the server process: connections are cut and new ones refused; queued webhooks, retries and ends in
    /// progress are lost, rooms and people stay (src/plugnmeet/README.md, "Lost webhooks").
    pub async fn stop(&self) {
        let running = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(running) = running {
            running.stop().await;
        }
        let tasks = std::mem::take(
            &mut *self
                .shared
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        tasks.iter().for_each(tokio::task::AbortHandle::abort);
        self.shared.webhooks.set_down(true);
        self.shared.change(|state| {
            for session in state
                .sessions
                .iter_mut()
                .filter(|session| session.phase == Phase::Ending)
            {
                session.phase = Phase::EndLost;
            }
        });
    }

    /// Starts the server process again, on the same address and with the same databases.
    pub async fn resume(&self) -> anyhow::Result<()> {
        let listener = server::bind(self.address).await?;
        self.shared.webhooks.set_down(false);
        let running = server::Server::start(listener, self.clone());
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(())
    }

    /// Its base URL without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings it was started with.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Where it can be told to mistreat requests: `room.create`, `room.token`, `room.active`, `room.info`, `room.end`,
    /// `recording.fetch`, `recording.token`, `artifact.fetch`, `artifact.token`, `download`, `storage`, `page`,
    /// `health`.
    pub fn faults(&self) -> &FaultSwitch {
        &self.shared.faults
    }

    /// What it did not expect.
    pub fn unexpected(&self) -> &Unexpected {
        &self.shared.unexpected
    }

    /// The newest requests, oldest first ([`REQUESTS_KEPT`]).
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.iter().cloned().collect()
    }

    /// How many requests of an operation there were.
    pub fn count(&self, operation: &str) -> u64 {
        self.shared
            .lock()
            .counts
            .get(operation)
            .copied()
            .unwrap_or(0)
    }

    /// The newest webhook deliveries, oldest first ([`DELIVERIES_KEPT`]).
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.webhooks.log()
    }

    /// The same for one room.
    pub fn deliveries_of(&self, room_id: &str) -> Vec<Delivery> {
        self.shared.webhooks.log_of(room_id)
    }

    /// Waits until `probe` finds something; it is asked again at every change of the fake's state. Panics, naming
    /// `what`, when nothing is found `within` the deadline.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        within: Duration,
        mut probe: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        match self.shared.wait_until(within, || probe(self)).await {
            Some(found) => found,
            None => panic!("waited {within:?} in vain for {what}"),
        }
    }

    /// Waits until every webhook so far has come to its end, accepted or not. Panics after `within`.
    pub async fn settle_webhooks(&self, within: Duration) {
        let settled = |fake: &Self| fake.shared.webhooks.is_settled().then_some(());
        self.wait_for("all webhooks to be settled", within, settled)
            .await;
    }
}
