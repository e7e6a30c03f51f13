//! What all parts of the fake share.

use super::clock::SkewedClock;
use super::journal::Journal;
use super::model::Model;
use super::options::Options;
use super::panel::DemoPanel;
use super::throttle::Throttle;
use crate::{FaultSwitch, Unexpected};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// State, switches and notes of one fake server; lives on while the listener is stopped.
pub(crate) struct Core {
    model: Mutex<Model>,
    version: watch::Sender<u64>,
    pub(crate) options: Options,
    pub(crate) clock: SkewedClock,
    pub(crate) faults: FaultSwitch,
    pub(crate) unexpected: Unexpected,
    pub(crate) journal: Journal,
    pub(crate) throttle: Throttle,
    pub(crate) client: reqwest::Client,
    /// SiteURL: the first part of every response URL.
    pub(crate) site_url: RwLock<String>,
    pub(crate) panel: RwLock<DemoPanel>,
    /// How long saving a post takes: the time in which its pending_post_id is "in flight".
    pub(crate) saving_takes: RwLock<Duration>,
    /// Outgoing webhooks are sent nowhere.
    pub(crate) loses_outgoing: AtomicBool,
}

impl Core {
    pub(crate) fn new(options: Options, model: Model) -> anyhow::Result<Arc<Self>> {
        // The first one of the process wins; a second attempt is no fault.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Redirects are followed by integration.rs, with Go's rules; a proxy must never see loopback calls.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .http1_title_case_headers()
            .connect_timeout(Duration::from_secs(3))
            .build()?;
        Ok(Arc::new(Self {
            model: Mutex::new(model),
            version: watch::Sender::new(1),
            clock: SkewedClock::with_skew_ms(options.clock_skew_ms),
            throttle: Throttle::default(),
            faults: FaultSwitch::default(),
            unexpected: Unexpected::default(),
            journal: Journal::default(),
            client,
            site_url: RwLock::default(),
            panel: RwLock::new(options.panel.clone()),
            saving_takes: RwLock::default(),
            loses_outgoing: AtomicBool::new(false),
            options,
        }))
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Model) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes everyone who waits for one.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Model) -> T) -> T {
        let result = change(&mut self.lock());
        self.touch();
        result
    }

    /// Wakes everyone who waits, although the model itself did not change.
    pub(crate) fn touch(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn site_url(&self) -> String {
        self.site_url
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn saving_takes(&self) -> Duration {
        *self
            .saving_takes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn panel(&self) -> DemoPanel {
        self.panel
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
