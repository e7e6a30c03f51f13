//! Whether Mattermost takes the relay's credential. Whichever call learns of a change, everybody is told at once.

use std::sync::{Mutex, PoisonError};

use super::Credential;
use crate::domain::Peer;
use crate::http::Http;
use crate::ports::ChatError;

/// What the last answers said about the credential.
#[derive(Default)]
pub(super) struct CredentialAccess(Mutex<AccessState>);

#[derive(Default)]
struct AccessState {
    /// What the observer was told last.
    is_granted: Option<bool>,
    /// The refusal of this credential stands in the log.
    is_logged: bool,
}

impl CredentialAccess {
    /// Another credential is in force: its refusal is logged again.
    pub(super) fn renewed(&self) {
        self.lock().is_logged = false;
    }

    /// Learns from how a call ended that only an account can make. `is_barred`: the relay may not log in.
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
            // It says nothing about the credential.
            Err(_) => {}
        }
    }

    fn refused(&self, http: &Http, credential: &Credential, error: &ChatError) {
        let remedy = match credential {
            Credential::Token(_) => {
                "replace mattermost.bot_token by a valid access token of the bot and reload (SIGHUP)"
            }
            Credential::Login { .. } => {
                "change mattermost.login_id or mattermost.password and reload (SIGHUP)"
            }
        };
        let mut state = self.lock();
        let is_logged = std::mem::replace(&mut state.is_logged, true);
        let before = state.is_granted.replace(false);
        drop(state);
        // A refused login is logged by the session, with when it is tried again.
        if !is_logged && matches!(credential, Credential::Token(_)) {
            tracing::error!(%error, setting = "mattermost.bot_token",
                "Mattermost refuses the relay's credential, cards wait: {remedy}");
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
