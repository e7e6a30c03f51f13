//! The relay's identity at Mattermost. It can be replaced while calls are made; a call keeps the identity with which it
//! started.

use std::sync::Mutex;

use futures_util::FutureExt;
use secrecy::{ExposeSecret, SecretString};

use super::call::{Authorization, bearer};
use super::login::Login;
use super::session::LoginSession;
use super::{Credential, MattermostSettings, MattermostSettingsError};
use crate::http::Http;
use crate::ports::OwnAccount;

/// Credential and post secret, ready for use.
pub(crate) struct Identity {
    pub(super) credential: Credential,
    pub(super) post_secret: SecretString,
    pub(super) authorization: Authorization,
    /// The account of the credential, once it has been read from the server.
    pub(super) own: Mutex<Option<OwnAccount>>,
}

impl Identity {
    /// The identity in `settings`.
    pub(super) fn new(
        settings: &MattermostSettings,
        http: &Http,
    ) -> Result<Self, MattermostSettingsError> {
        let authorization = match &settings.credential {
            Credential::Token(token) => match bearer(token.expose_secret()) {
                Some(token) => Authorization::Token(token),
                None => {
                    return Err(MattermostSettingsError {
                        key: "bot_token",
                        why: "has characters that are not allowed in an HTTP header",
                    });
                }
            },
            Credential::Login { login_id, password } => {
                let login = Login::new(&settings.url, login_id, password, http);
                Authorization::Session(LoginSession::new(move || login.clone().log_in().boxed()))
            }
        };
        Ok(Self {
            credential: settings.credential.clone(),
            post_secret: settings.post_secret.clone(),
            authorization,
            own: Mutex::new(None),
        })
    }

    /// Whether both have the same credential and post secret. Then an existing session is kept.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let is_same =
            |one: &SecretString, other: &SecretString| one.expose_secret() == other.expose_secret();
        is_same(&self.post_secret, &other.post_secret)
            && match (&self.credential, &other.credential) {
                (Credential::Token(one), Credential::Token(other)) => is_same(one, other),
                (
                    Credential::Login { login_id, password },
                    Credential::Login {
                        login_id: other_id,
                        password: other_password,
                    },
                ) => login_id == other_id && is_same(password, other_password),
                _ => false,
            }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity([redacted])")
    }
}
