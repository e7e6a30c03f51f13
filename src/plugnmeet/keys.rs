//! The API key pair, replaced while calls are made: a call goes on with what it began with.

use reqwest::header::HeaderValue;
use secrecy::SecretString;

use super::PlugNmeetSettingsError;

/// The key, and the secret that signs calls.
pub(crate) struct ApiKeys {
    pub(super) api_key: HeaderValue,
    pub(super) api_secret: SecretString,
}

impl ApiKeys {
    /// The pair as plugNmeet's configuration has it.
    ///
    /// # Errors
    /// A key that cannot stand in a header.
    pub(crate) fn new(
        api_key: &str,
        api_secret: SecretString,
    ) -> Result<Self, PlugNmeetSettingsError> {
        let Ok(mut api_key) = HeaderValue::from_str(api_key) else {
            return Err(PlugNmeetSettingsError {
                key: "api_key",
                why: "has characters that cannot stand in a header",
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
