//! The door's tokens and secrets, replaced while it is open.

use super::IngressSettings;
use super::verify::{Tokens, WebhookKey};

/// What the open door knows its callers by. No request ever waits for a change of it.
#[derive(Clone)]
pub(crate) struct Keyring {
    pub(super) outgoing: Tokens,
    pub(super) command: Tokens,
    pub(super) webhook: WebhookKey,
}

impl Keyring {
    /// What `settings` say about callers.
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

    /// From the next request on the tokens and secrets of `settings` count and no others.
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
