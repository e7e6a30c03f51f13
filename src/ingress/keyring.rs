//! The tokens and secrets of callers. They are replaced at a reload while the routes serve requests.

use super::IngressSettings;
use super::verify::{Tokens, WebhookKey};

/// The tokens and secrets by which the ingress authenticates callers. No request ever waits for a change of them.
#[derive(Clone)]
pub(crate) struct Keyring {
    pub(super) outgoing: Tokens,
    pub(super) command: Tokens,
    pub(super) webhook: WebhookKey,
}

impl Keyring {
    /// The tokens and secrets in `settings`.
    pub(super) fn new(settings: &IngressSettings) -> Self {
        Self {
            outgoing: Tokens::new(&settings.outgoing_tokens),
            command: Tokens::new(&settings.command_tokens),
            webhook: WebhookKey::new(
                &settings.plugnmeet_api_key,
                &settings.plugnmeet_api_secret,
                &settings.plugnmeet_previous_api_secrets,
            ),
        }
    }

    /// Replaces all tokens and secrets by those in `settings`, from the next request on.
    pub(crate) fn replace(&self, settings: &IngressSettings) {
        self.outgoing.replace(&settings.outgoing_tokens);
        self.command.replace(&settings.command_tokens);
        self.webhook.replace(
            &settings.plugnmeet_api_key,
            &settings.plugnmeet_api_secret,
            &settings.plugnmeet_previous_api_secrets,
        );
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring([redacted])")
    }
}
