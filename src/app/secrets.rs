//! The secret that signs links and envelopes, and the previous ones.

use secrecy::SecretString;

use crate::config::Config;
use crate::envelope::EnvelopeSigner;
use crate::ports::{Store, StoreError};
use crate::token::{Links, Signer};

/// The store's setting that holds the signing secret that the relay made for itself.
const SIGNING_SECRET: &str = "signing_secret";

/// The secret that signs now, and those that signed before. Links live long, so every earlier secret can be configured.
pub(super) struct SigningSecrets {
    /// Signs links, and makes the ids of pending posts unguessable.
    pub(super) present: SecretString,
    /// Verify what was signed before.
    previous: Vec<SecretString>,
}

impl SigningSecrets {
    /// The configured secrets. If no present one is configured, the relay makes one and keeps it in the store, so that
    /// links stay valid after a restart. When one is configured later, the kept one counts as a previous one.
    pub(super) async fn of(config: &Config, store: &dyn Store) -> Result<Self, StoreError> {
        let mut previous = config.server.previous_signing_secrets.clone();
        let present = match &config.server.signing_secret {
            Some(secret) => {
                previous.extend(store.setting(SIGNING_SECRET).await?.map(SecretString::from));
                secret.clone()
            }
            None => {
                let drawn = hex::encode(rand::random::<[u8; 32]>());
                let kept = store.setting_or_insert(SIGNING_SECRET, &drawn).await?;
                kept.into()
            }
        };
        Ok(Self { present, previous })
    }

    /// The same, but if the store is unavailable now and a secret is configured, without the one that the store keeps.
    pub(super) async fn known_now(config: &Config, store: &dyn Store) -> Result<Self, StoreError> {
        match (Self::of(config, store).await, &config.server.signing_secret) {
            (Err(StoreError::Unavailable(_)), Some(secret)) => Ok(Self {
                present: secret.clone(),
                previous: config.server.previous_signing_secrets.clone(),
            }),
            (known, _) => known,
        }
    }

    /// Signs and verifies links.
    pub(super) fn signer(&self) -> Signer {
        Signer::new(&self.present, &self.previous)
    }

    /// Signs and verifies envelopes.
    pub(super) fn envelope_signer(&self) -> EnvelopeSigner {
        EnvelopeSigner::new(&self.present, &self.previous)
    }

    /// Makes both sign with these secrets from now on.
    pub(super) fn take_over(&self, links: &Links, envelopes: &EnvelopeSigner) {
        links.replace_signer(self.signer());
        envelopes.replace_secrets(&self.present, &self.previous);
    }
}
