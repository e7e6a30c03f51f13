//! The API key pair. It can be replaced while calls are made; a call keeps the pair with which it started.

use reqwest::header::HeaderValue;
use secrecy::SecretString;

use super::PlugNmeetSettingsError;

/// The API key, and the secret with which calls are signed.
pub(crate) struct ApiKeys {
    pub(super) api_key: HeaderValue,
    pub(super) api_secret: SecretString,
}

impl ApiKeys {
    /// The pair from the configuration of plugNmeet.
    ///
    /// # Errors
    /// The key has characters that are not allowed in an HTTP header.
    pub(crate) fn new(
        api_key: &str,
        api_secret: SecretString,
    ) -> Result<Self, PlugNmeetSettingsError> {
        let Ok(mut api_key) = HeaderValue::from_str(api_key) else {
            return Err(PlugNmeetSettingsError {
                key: "api_key",
                why: "has characters that are not allowed in an HTTP header",
            });
        };
        api_key.set_sensitive(true);
        Ok(Self {
            api_key,
            api_secret,
        })
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys([redacted])")
    }
}
