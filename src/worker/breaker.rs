//! The circuit breaker of a peer. While it is open, no job that calls the peer is started, except one probe at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::label::labels;

/// How long no job is started after a 429 without a hint.
const HOLD_WITHOUT_HINT: Duration = Duration::from_secs(1);

/// Longest pause because of one answer. A wrong hint of a proxy must not stop the relay for an hour.
const HOLD_MAX: Duration = Duration::from_secs(60);

/// The settings of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// The number of failures in a row that opens the breaker.
    pub failures: u32,
    /// The interval between two probes while the breaker is open.
    pub probe_every: Duration,
}

labels! {
    /// The state of a breaker.
    pub enum BreakerState {
        /// All jobs are started.
        Closed = "closed",
        /// Only probes are started.
        Open = "open",
    }
}

/// How many jobs may be started now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// As many as there are free slots.
    Any,
    /// One job, as a probe.
    Probe,
}

/// The breaker of one peer. Clones share its state.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    inner: Arc<Mutex<BreakerInner>>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct BreakerInner {
    failures: u32,
    /// Set while the breaker is open: when the next probe may start.
    probe_at: Option<Instant>,
    /// A probe was started and has no result yet.
    is_probing: bool,
    /// The peer asked for no calls until then (429).
    held_until: Option<Instant>,
}

impl Breaker {
    /// A closed breaker with these settings.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            inner: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// Waits until a job may be started; a probe taken here is the only one for `probe_every`.
    pub async fn admit(&self) -> Admission {
        loop {
            let changed = self.changed.notified();
            let wait = {
                let mut inner = self.lock();
                let now = Instant::now();
                match (inner.held_until.filter(|at| *at > now), inner.probe_at) {
                    (Some(held), _) => held,
                    (None, None) => return Admission::Any,
                    (None, Some(at)) if at <= now => {
                        inner.probe_at = Some(now + self.settings.probe_every);
                        inner.is_probing = true;
                        return Admission::Probe;
                    }
                    (None, Some(at)) => at,
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(wait) => {}
                () = changed => {}
            }
        }
    }

    /// Reports that a job that was admitted as a probe has ended. If it never called the peer (its effect was no longer
    /// wanted), the next job becomes the probe at once. An outage leaves many such jobs behind, and they must not keep
    /// the breaker open after the peer is available again.
    pub fn probe_ended(&self) {
        let mut inner = self.lock();
        if !std::mem::take(&mut inner.is_probing) || inner.probe_at.is_none() {
            return;
        }
        inner.probe_at = Some(Instant::now());
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Reports a call that the peer answered. Returns whether this closed the breaker.
    pub fn succeeded(&self) -> bool {
        let mut inner = self.lock();
        inner.failures = 0;
        inner.is_probing = false;
        let was_open = inner.probe_at.take().is_some();
        drop(inner);
        if was_open {
            self.changed.notify_waiters();
        }
        was_open
    }

    /// Reports a call that did not reach the peer, or got a 5xx. Returns whether this opened the breaker.
    pub fn failed(&self) -> bool {
        let mut inner = self.lock();
        inner.failures = inner.failures.saturating_add(1);
        inner.is_probing = false;
        if inner.failures < self.settings.failures || inner.probe_at.is_some() {
            return false;
        }
        inner.probe_at = Some(Instant::now() + self.settings.probe_every);
        true
    }

    /// Reports that the peer throttles (429). No job is started for `pause`, 1 s without it, 60 s at most.
    pub fn hold(&self, pause: Option<Duration>) {
        let until = Instant::now() + pause.unwrap_or(HOLD_WITHOUT_HINT).min(HOLD_MAX);
        let mut inner = self.lock();
        inner.is_probing = false;
        inner.held_until = Some(inner.held_until.map_or(until, |held| held.max(until)));
    }

    /// How long the peer still asks for no calls, if it does.
    pub fn held_for(&self) -> Option<Duration> {
        let until = self.lock().held_until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The present state, for metrics and for callers that can do without the peer.
    pub fn state(&self) -> BreakerState {
        if self.lock().probe_at.is_some() {
            BreakerState::Open
        } else {
            BreakerState::Closed
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BreakerInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        failures: 2,
        probe_every: Duration::from_secs(10),
    };

    #[tokio::test(start_paused = true)]
    async fn open_breaker_admits_one_probe_each_period_until_a_success() {
        let breaker = Breaker::new(SETTINGS);
        assert_eq!(breaker.admit().await, Admission::Any);
        assert!(!breaker.failed());
        assert!(breaker.failed());
        assert_eq!(breaker.state(), BreakerState::Open);
        let began = Instant::now();
        assert_eq!(breaker.admit().await, Admission::Probe);
        assert_eq!(began.elapsed().as_secs(), 10);
        assert!(!breaker.failed());
        assert_eq!(breaker.admit().await, Admission::Probe);
        assert_eq!(began.elapsed().as_secs(), 20);
        assert!(breaker.succeeded());
        assert_eq!(breaker.admit().await, Admission::Any);
    }

    #[tokio::test(start_paused = true)]
    async fn probe_without_a_call_is_passed_on_at_once() {
        let breaker = Breaker::new(SETTINGS);
        breaker.failed();
        breaker.failed();
        let began = Instant::now();
        for _ in 0..1000 {
            assert_eq!(breaker.admit().await, Admission::Probe);
            breaker.probe_ended();
        }
        assert_eq!(breaker.admit().await, Admission::Probe);
        assert_eq!(began.elapsed().as_secs(), 10);
        breaker.failed();
        breaker.probe_ended();
        assert_eq!(breaker.admit().await, Admission::Probe);
        assert_eq!(
            began.elapsed().as_secs(),
            20,
            "a failed probe is not passed on"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_admits_waiting_jobs() {
        let breaker = Breaker::new(SETTINGS);
        breaker.failed();
        breaker.failed();
        let waiting = tokio::spawn({
            let breaker = breaker.clone();
            async move { breaker.admit().await }
        });
        tokio::task::yield_now().await;
        breaker.succeeded();
        let began = Instant::now();
        assert_eq!(waiting.await.unwrap(), Admission::Any);
        assert!(began.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_delays_every_start_for_the_hinted_time() {
        let breaker = Breaker::new(SETTINGS);
        breaker.hold(Some(Duration::from_secs(3)));
        let began = Instant::now();
        assert_eq!(breaker.admit().await, Admission::Any);
        assert_eq!(began.elapsed().as_secs(), 3);
    }
}
