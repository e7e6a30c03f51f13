//! How this replica is. Ready means: it can make an event durable and is not draining. A peer's or the store's
//! outage is shown but takes no replica out of service: that is what the queue is for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Peer;
use crate::domain::label::LabelSet;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels::Check;

/// How long the process counts as alive after the last sign of life.
const ALIVE_FOR: Duration = Duration::from_secs(30);

/// Named conditions, set by the parts that know them, shown by `/readyz` and `meetrelay_ready`.
#[derive(Debug)]
pub struct Readiness {
    holds: Box<[AtomicBool]>,
    /// What is known of each peer: Mattermost, plugNmeet.
    peers: Mutex<[PeerState; 2]>,
    is_started: AtomicBool,
    born: Instant,
    /// When the last sign of life came, in milliseconds from `born` on.
    beat: AtomicU64,
    metrics: Arc<Metrics>,
}

/// A peer as the parts of the relay know it, each from what it met.
#[derive(Debug, Clone, Default)]
struct PeerState {
    is_reached: bool,
    refusal: Option<String>,
}

impl Readiness {
    /// Nothing is known to hold yet, but that no stop was asked for.
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

    /// A condition holds, or does not.
    pub fn set(&self, check: Check, holds: bool) {
        self.holds[check.index()].store(holds, Ordering::Relaxed);
        self.metrics.ready.with(check).set(i64::from(holds));
        if check == Check::NotDraining {
            self.metrics.draining.with(()).set(i64::from(!holds));
        }
    }

    /// Whether the peer answered lately.
    pub fn set_reached(&self, peer: Peer, is_reached: bool) {
        self.change_peer(peer, |state| state.is_reached = is_reached);
    }

    /// The peer refuses the relay's credential (why, and what to change), or takes it.
    pub fn set_refusal(&self, peer: Peer, refusal: Option<String>) {
        self.change_peer(peer, |state| state.refusal = refusal);
    }

    /// Why the peer refuses the relay's credential, and what to change, while it does.
    pub fn refusal(&self, peer: Peer) -> Option<String> {
        self.lock()[place(peer)].refusal.clone()
    }

    fn change_peer(&self, peer: Peer, change: impl FnOnce(&mut PeerState)) {
        let mut peers = self.lock();
        let state = &mut peers[place(peer)];
        change(state);
        let check = match peer {
            Peer::Mattermost => Check::Mattermost,
            Peer::PlugNmeet => Check::PlugNmeet,
        };
        // It answers, but not to us: that is no better.
        self.set(check, state.is_reached && state.refusal.is_none());
    }

    fn lock(&self) -> MutexGuard<'_, [PeerState; 2]> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a condition holds.
    pub fn holds(&self, check: Check) -> bool {
        self.holds[check.index()].load(Ordering::Relaxed)
    }

    /// This replica can make an event durable and is not draining.
    pub fn is_ready(&self) -> bool {
        self.holds(Check::Queue) && self.holds(Check::NotDraining)
    }

    /// A sign of life of the loop that watches this replica and waits for nobody.
    pub fn beat(&self) {
        self.beat.store(self.age(), Ordering::Relaxed);
    }

    /// There was a sign of life lately. A peer's outage never changes this: a restart would not bring it back.
    pub fn is_alive(&self) -> bool {
        let silent = self.age().saturating_sub(self.beat.load(Ordering::Relaxed));
        !self.is_started() || Duration::from_millis(silent) < ALIVE_FOR
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Everything was started once.
    pub fn mark_started(&self) {
        self.beat();
        self.is_started.store(true, Ordering::Relaxed);
    }

    /// Whether everything was started once.
    pub fn is_started(&self) -> bool {
        self.is_started.load(Ordering::Relaxed)
    }

    /// One line a condition, as `/readyz?verbose` shows it.
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

const fn place(peer: Peer) -> usize {
    match peer {
        Peer::Mattermost => 0,
        Peer::PlugNmeet => 1,
    }
}
