//! Reload at SIGHUP: changed secrets and settings are applied while the relay runs. Either all changes are applied or
//! none: a faulty configuration changes nothing.

use std::error::Error;
use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::sync::Notify;

use crate::admin::AdminToken;
use crate::clock::SystemClock;
use crate::config::{Config, Essentials, Problems, Sources, load};
use crate::envelope::EnvelopeSigner;
use crate::ingress::Keyring;
use crate::plugnmeet::{ApiKeys, PlugNmeet};
use crate::ports::{Clock, Store, StoreError};
use crate::shutdown::Hangups;
use crate::telemetry::{self, LogLevelSwitch, Metrics};
use crate::token::Links;

use super::admin_listeners::renew_token;
use super::chat::ChatClient;
use super::public_routes;
use super::secrets::SigningSecrets;

/// The parts of a running relay that hold secrets.
#[derive(Clone)]
pub(super) struct Holders {
    pub(super) links: Links,
    pub(super) envelopes: EnvelopeSigner,
    pub(super) keyring: Keyring,
    pub(super) admin_token: AdminToken,
    pub(super) conference: Arc<PlugNmeet>,
    pub(super) chat: ChatClient,
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: Arc<Metrics>,
    /// Wakes the watcher that asks Mattermost for the relay's own user id, because the answer may have changed.
    pub(super) renewed: Arc<Notify>,
}

/// Why a changed configuration was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration in the sources has errors, or is not enough to serve.
    #[error(transparent)]
    Faulty(#[from] Problems),
    /// The signing secret that the relay made for itself could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting that the part that uses it refuses.
    #[error(transparent)]
    Setting(Box<dyn Error + Send + Sync>),
}

/// Applies changed configurations, one after the other.
pub struct Reloader {
    holders: Holders,
    sources: Sources,
    /// The configuration in force.
    config: Config,
    level: LogLevelSwitch,
}

impl Reloader {
    pub(super) fn new(
        holders: Holders,
        sources: Sources,
        config: Config,
        level: LogLevelSwitch,
    ) -> Self {
        let reloader = Self {
            holders,
            sources,
            config,
            level,
        };
        reloader.show(true);
        reloader
    }

    /// Reloads at each SIGHUP, for as long as it is polled.
    pub async fn run(mut self, mut hangups: Hangups) {
        loop {
            hangups.next().await;
            let result = self.reload().await;
            if let Err(error) = &result {
                tracing::error!(
                    %error,
                    "the changed configuration is refused, the present one stays in force: run `meetrelay check`, then reload again"
                );
            }
            self.show(result.is_ok());
        }
    }

    /// Reads the sources again and applies every change that does not need a restart.
    ///
    /// # Errors
    /// See [`ReloadError`]. Nothing has changed then.
    pub async fn reload(&mut self) -> Result<(), ReloadError> {
        let loaded = load(&self.sources)?;
        loaded.config.essentials()?;
        let next = self.config.with_reloaded_keys_of(&loaded.config);
        let essentials = next.essentials()?;
        self.take_over(&next, &essentials).await?;
        let applied = self.config.changed_in(&next);
        for key in next.changed_in(&loaded.config) {
            tracing::warn!(key, "changed, but needs a restart");
        }
        telemetry::warn_of(&loaded);
        tracing::info!(changed = ?applied, "configuration reloaded");
        self.config = next;
        Ok(())
    }

    /// Does every step that can fail first, so that a failure changes nothing.
    async fn take_over(&self, config: &Config, essentials: &Essentials) -> Result<(), ReloadError> {
        let holders = &self.holders;
        let access = &essentials.plugnmeet;
        let signing = SigningSecrets::of(config, holders.store.as_ref()).await?;
        let keys = ApiKeys::new(access.api_key.expose_secret(), access.api_secret.clone())
            .map_err(|error| ReloadError::Setting(error.into()))?;
        let proof = holders
            .chat
            .proof(essentials.mattermost.as_ref(), &signing.present)
            .map_err(|error| ReloadError::Setting(error.into()))?;
        holders
            .keyring
            .replace(&public_routes::settings(config, essentials));
        signing.take_over(&holders.links, &holders.envelopes);
        holders.conference.replace_keys(keys);
        if exposed(&self.config) != exposed(config) {
            renew_token(&holders.admin_token, config);
        }
        self.level.set(&config.log);
        proof.take_over().await;
        holders.renewed.notify_one();
        Ok(())
    }

    fn show(&self, is_in_force: bool) {
        let metrics = &self.holders.metrics;
        let gauge = metrics.config_last_reload_successful.with(());
        gauge.set(i64::from(is_in_force));
        if is_in_force {
            metrics
                .config_last_reload_success_timestamp_seconds
                .mark((), SystemClock.now());
        }
    }
}

/// The configured admin token, as text.
fn exposed(config: &Config) -> Option<&str> {
    let token = config.server.admin_token.as_ref();
    token.map(ExposeSecret::expose_secret)
}
