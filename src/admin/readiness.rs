//! Readiness of this replica. Ready means that it can make an event durable and is not draining. An outage of a peer or
//! the store is shown, but the replica stays in service, because the queue bridges such an outage.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Peer;
use crate::domain::label::LabelSet;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels::Check;

/// How long the process counts as alive after the last heartbeat.
const ALIVE_FOR: Duration = Duration::from_secs(30);

/// Named conditions. The parts that know them set them; `/readyz` and `meetrelay_ready` show them.
#[derive(Debug)]
pub struct Readiness {
    holds: Box<[AtomicBool]>,
    /// The state of each peer: Mattermost, plugNmeet.
    peers: Mutex<[PeerState; 2]>,
    is_started: AtomicBool,
    born: Instant,
    /// The time of the last heartbeat, in milliseconds since `born`.
    beat: AtomicU64,
    metrics: Arc<Metrics>,
}

/// The state of a peer, as the parts of the relay report it.
#[derive(Debug, Clone, Default)]
struct PeerState {
    is_reached: bool,
    refusal: Option<String>,
}

impl Readiness {
    /// No condition holds yet, except that no stop was requested.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let readiness = Self {
            peers: Mutex::default(),
            holds: Check::ALL.iter().map(|_| AtomicBool::new(false)).collect(),
            is_started: AtomicBool::new(false),
            born: Instant::now(),
            beat: AtomicU64::new(0),
            metrics,
        };
        readiness.set(Check::NotDraining, true);
        readiness
    }

    /// Sets whether a condition holds.
    pub fn set(&self, check: Check, holds: bool) {
        self.holds[check.index()].store(holds, Ordering::Relaxed);
        self.metrics.ready.with(check).set(i64::from(holds));
        if check == Check::NotDraining {
            self.metrics.draining.with(()).set(i64::from(!holds));
        }
    }

    /// Sets whether the peer counts as reachable.
    pub fn set_reached(&self, peer: Peer, is_reached: bool) {
        self.change_peer(peer, |state| state.is_reached = is_reached);
    }

    /// The peer refuses the relay's credential (`refusal`: why, and what to change), or accepts it (`None`).
    pub fn set_refusal(&self, peer: Peer, refusal: Option<String>) {
        self.change_peer(peer, |state| state.refusal = refusal);
    }

    /// While the peer refuses the relay's credential: why, and what to change.
    pub fn refusal(&self, peer: Peer) -> Option<String> {
        self.lock()[index_of(peer)].refusal.clone()
    }

    fn change_peer(&self, peer: Peer, change: impl FnOnce(&mut PeerState)) {
        let mut peers = self.lock();
        let state = &mut peers[index_of(peer)];
        change(state);
        let check = match peer {
            Peer::Mattermost => Check::Mattermost,
            Peer::PlugNmeet => Check::PlugNmeet,
        };
        // A peer that answers but refuses the credential is not usable.
        self.set(check, state.is_reached && state.refusal.is_none());
    }

    fn lock(&self) -> MutexGuard<'_, [PeerState; 2]> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a condition holds.
    pub fn holds(&self, check: Check) -> bool {
        self.holds[check.index()].load(Ordering::Relaxed)
    }

    /// Whether this replica can make an event durable and is not draining.
    pub fn is_ready(&self) -> bool {
        self.holds(Check::Queue) && self.holds(Check::NotDraining)
    }

    /// A heartbeat of the loop that watches this replica. The loop does not wait for a peer.
    pub fn beat(&self) {
        self.beat.store(self.age(), Ordering::Relaxed);
    }

    /// Whether the last heartbeat is recent, or the start is not finished. An outage of a peer never changes this,
    /// because a restart would not repair it.
    pub fn is_alive(&self) -> bool {
        let silent = self.age().saturating_sub(self.beat.load(Ordering::Relaxed));
        !self.is_started() || Duration::from_millis(silent) < ALIVE_FOR
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The start is finished.
    pub fn mark_started(&self) {
        self.beat();
        self.is_started.store(true, Ordering::Relaxed);
    }

    /// Whether the start is finished.
    pub fn is_started(&self) -> bool {
        self.is_started.load(Ordering::Relaxed)
    }

    /// One line for each condition, as `/readyz?verbose` shows them.
    pub(crate) fn verbose(&self) -> String {
        let line = |check: Check| {
            let mark = if self.holds(check) { "+" } else { "-" };
            let word = if self.holds(check) { "ok" } else { "failed" };
            let needed = match check {
                Check::Queue | Check::NotDraining => "",
                Check::AmqpPublisher
                | Check::AmqpConsumer
                | Check::Spool
                | Check::Store
                | Check::Mattermost
                | Check::PlugNmeet => " (not needed to be ready)",
            };
            format!("[{mark}] {} {word}{needed}\n", check.as_str())
        };
        Check::ALL.into_iter().map(line).collect()
    }
}

const fn index_of(peer: Peer) -> usize {
    match peer {
        Peer::Mattermost => 0,
        Peer::PlugNmeet => 1,
    }
}
