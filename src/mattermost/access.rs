//! Tracks whether Mattermost accepts the relay's credential. Every call can detect a change; the change is logged and
//! reported to the observer at once.

use std::sync::{Mutex, PoisonError};

use super::Credential;
use crate::domain::Peer;
use crate::http::Http;
use crate::ports::ChatError;

/// The state of the credential according to the last answers.
#[derive(Default)]
pub(super) struct CredentialAccess(Mutex<AccessState>);

#[derive(Default)]
struct AccessState {
    /// The state that was last reported to the observer.
    is_granted: Option<bool>,
    /// The refusal of this credential has been logged.
    is_logged: bool,
}

impl CredentialAccess {
    /// Another credential is in use, so a refusal is logged again.
    pub(super) fn renewed(&self) {
        self.lock().is_logged = false;
    }

    /// Updates the state after a call that needs an account. `is_barred`: the relay may not log in at present.
    pub(super) fn note<T>(
        &self,
        http: &Http,
        credential: &Credential,
        result: &Result<T, ChatError>,
        is_barred: bool,
    ) {
        match result {
            Err(error @ ChatError::Unauthorized { .. }) => self.refused(http, credential, error),
            Err(error) if is_barred => self.refused(http, credential, error),
            Ok(_)
            | Err(
                ChatError::Forbidden { .. }
                | ChatError::NotFound { .. }
                | ChatError::NotEditable { .. }
                | ChatError::Suspended { .. },
            ) => self.granted(http),
            // Such an error says nothing about the credential.
            Err(_) => {}
        }
    }

    fn refused(&self, http: &Http, credential: &Credential, error: &ChatError) {
        let remedy = match credential {
            Credential::Token(_) => {
                "replace mattermost.bot_token with a valid access token of the bot and reload (SIGHUP)"
            }
            Credential::Login { .. } => {
                "change mattermost.login_id or mattermost.password and reload (SIGHUP)"
            }
        };
        let mut state = self.lock();
        let is_logged = std::mem::replace(&mut state.is_logged, true);
        let before = state.is_granted.replace(false);
        drop(state);
        // The session itself logs a refused login, together with the time of the next try.
        if !is_logged && matches!(credential, Credential::Token(_)) {
            tracing::error!(%error, setting = "mattermost.bot_token",
                "Mattermost refuses the relay's credential; cards are paused: {remedy}");
        }
        if before != Some(false) {
            http.report_access(Peer::Mattermost, Some(&format!("{error}; {remedy}")));
        }
    }

    fn granted(&self, http: &Http) {
        let mut state = self.lock();
        state.is_logged = false;
        let before = state.is_granted.replace(true);
        drop(state);
        if before == Some(false) {
            tracing::info!("Mattermost accepts the relay's credential again; cards resume");
        }
        if before != Some(true) {
            http.report_access(Peer::Mattermost, None);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, AccessState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
