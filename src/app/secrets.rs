//! The secret that signs links and envelopes, with those before it.

use secrecy::SecretString;

use crate::config::Config;
use crate::envelope::EnvelopeSigner;
use crate::ports::{Store, StoreError};
use crate::token::{Links, Signer};

/// The setting of the store under which a signing secret is kept that nobody configured.
const SIGNING_SECRET: &str = "signing_secret";

/// What signs, and what was signed with. Links live long, therefore everything that ever signed can be named.
pub(super) struct SigningSecrets {
    /// Signs links, and makes the ids of pending posts unguessable.
    pub(super) present: SecretString,
    /// Knows links of earlier times.
    previous: Vec<SecretString>,
}

impl SigningSecrets {
    /// The configured ones. Without a present one: one that is made once and kept in the store, so that links outlive
    /// a restart; once it is there it counts as a previous one when another is configured.
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

    /// The same, but without the one that is kept in a store that is away now, if another is configured.
    pub(super) async fn known_now(config: &Config, store: &dyn Store) -> Result<Self, StoreError> {
        match (Self::of(config, store).await, &config.server.signing_secret) {
            (Err(StoreError::Unavailable(_)), Some(secret)) => Ok(Self {
                present: secret.clone(),
                previous: config.server.previous_signing_secrets.clone(),
            }),
            (known, _) => known,
        }
    }

    /// Of links.
    pub(super) fn signer(&self) -> Signer {
        Signer::new(&self.present, &self.previous)
    }

    /// Of envelopes.
    pub(super) fn envelope_signer(&self) -> EnvelopeSigner {
        EnvelopeSigner::new(&self.present, &self.previous)
    }

    /// Both sign with these secrets from now on.
    pub(super) fn take_over(&self, links: &Links, envelopes: &EnvelopeSigner) {
        links.replace_signer(self.signer());
        envelopes.replace_secrets(&self.present, &self.previous);
    }
}
