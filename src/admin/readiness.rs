//! How this replica is. Ready means: it can make an event durable and is not draining. A peer's or the store's
//! outage is shown but takes no replica out of service: that is what the queue is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::telemetry::Metrics;
use crate::telemetry::metrics::label::LabelSet;
use crate::telemetry::metrics::labels::Check;

/// Named conditions, set by the parts that know them, shown by `/readyz` and `meetrelay_ready`.
#[derive(Debug)]
pub struct Readiness {
    holds: Box<[AtomicBool]>,
    is_started: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Readiness {
    /// Nothing is known to hold yet, but that no stop was asked for.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let readiness = Self {
            holds: Check::ALL.iter().map(|_| AtomicBool::new(false)).collect(),
            is_started: AtomicBool::new(false),
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

    /// Whether a condition holds.
    pub fn holds(&self, check: Check) -> bool {
        self.holds[check.index()].load(Ordering::Relaxed)
    }

    /// This replica can make an event durable and is not draining.
    pub fn is_ready(&self) -> bool {
        self.holds(Check::Queue) && self.holds(Check::NotDraining)
    }

    /// Everything was started once.
    pub fn mark_started(&self) {
        self.is_started.store(true, Ordering::Relaxed);
    }

    /// Whether everything was started once.
    pub fn is_started(&self) -> bool {
        self.is_started.load(Ordering::Relaxed)
    }

    /// One line a condition, as `/readyz?verbose` shows it.
    pub(crate) fn verbose(&self) -> String {
        let line = |check: &Check| {
            let mark = if self.holds(*check) { "+" } else { "-" };
            let word = if self.holds(*check) { "ok" } else { "failed" };
            let needed = match check {
                Check::Queue | Check::NotDraining => "",
                Check::AmqpPublisher
                | Check::AmqpConsumer
                | Check::Spool
                | Check::Store
                | Check::Mattermost
                | Check::PlugNmeet => " (not needed to be ready)",
            };
            format!("[{mark}] {} {word}{needed}\n", check.values().concat())
        };
        Check::ALL.iter().map(line).collect()
    }
}
