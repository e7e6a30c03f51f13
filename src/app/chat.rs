//! The delivery method: how the relay posts in Mattermost, with an account or with notices.

use std::sync::Arc;

use secrecy::SecretString;

use crate::config::{Config, DeliveryConfig, Essentials, MattermostAccess};
use crate::http::{Http, HttpSettings};
use crate::mattermost::{
    Credential, Identity, Mattermost, MattermostSettingsError, NoticeRoute, Notices,
};
use crate::ports::{Chat, Clock};

use super::observers::Meter;
use super::{StartError, public_routes, settings};

/// The client of the configured delivery method.
#[derive(Clone)]
pub(super) enum ChatClient {
    /// `mattermost.enabled` is false.
    Off,
    /// A bot, or an account that logs in.
    Account(Arc<Mattermost>),
    /// An incoming webhook or a plugin's endpoint.
    Notices(Arc<Notices>),
}

/// The credential that a client uses after a reload.
pub(super) enum Proof {
    /// Nothing changes.
    None,
    /// Another credential.
    Identity(Arc<Mattermost>, Identity),
    /// Another address.
    NoticeRoute(Arc<Notices>, NoticeRoute),
}

impl ChatClient {
    pub(super) fn new(
        config: &Config,
        essentials: &Essentials,
        meter: &Arc<Meter>,
        clock: &Arc<dyn Clock>,
        post_secret: SecretString,
    ) -> Result<Self, StartError> {
        let Some(access) = &essentials.mattermost else {
            return Ok(Self::Off);
        };
        let http = HttpSettings {
            heeds_rate_limit: true,
            calls_per_second: config.mattermost.calls_per_second,
            ..settings::http(config.mattermost.call_timeout)
        };
        let http = Http::new(http, Arc::clone(meter) as _)?;
        let refused = |error: MattermostSettingsError| StartError::Setting(error.into());
        let Some(credential) = credential(access) else {
            return notices(access, http);
        };
        let settings = settings::mattermost(access, credential, post_secret);
        let chat = Mattermost::new(settings, http, Arc::clone(clock)).map_err(refused)?;
        Ok(Self::Account(Arc::new(chat)))
    }

    /// The port that the workers use.
    pub(super) fn port(&self) -> Arc<dyn Chat> {
        match self {
            Self::Off => Arc::new(public_routes::NoChat),
            Self::Account(account) => Arc::clone(account) as _,
            Self::Notices(notices) => Arc::clone(notices) as _,
        }
    }

    /// The credential in `access`, for [`Proof::take_over`]. A change between an account and notices needs a restart:
    /// it is logged and changes nothing here.
    pub(super) fn proof(
        &self,
        access: Option<&MattermostAccess>,
        post_secret: &SecretString,
    ) -> Result<Proof, MattermostSettingsError> {
        let Some(access) = access else {
            return Ok(Proof::None);
        };
        Ok(
            match (self, credential(access), settings::notices(access)) {
                (Self::Account(account), Some(credential), _) => {
                    let identity = account.identity(credential, post_secret.clone())?;
                    Proof::Identity(Arc::clone(account), identity)
                }
                (Self::Notices(notices), None, Some(settings)) => {
                    Proof::NoticeRoute(Arc::clone(notices), NoticeRoute::new(settings.way)?)
                }
                _ => {
                    tracing::warn!(
                        "the delivery method to Mattermost changes between an account and notices: this needs a restart, the present one is kept"
                    );
                    Proof::None
                }
            },
        )
    }

    /// Ends the session of an account that logged in.
    pub(super) async fn log_out(&self) {
        if let Self::Account(account) = self {
            account.log_out().await;
        }
    }
}

impl Proof {
    /// Makes the client use this credential from now on.
    pub(super) async fn take_over(self) {
        match self {
            Self::None => {}
            Self::Identity(account, identity) => account.replace_identity(identity).await,
            Self::NoticeRoute(notices, way) => notices.replace_way(way),
        }
    }
}

/// The credential of an account; `None` for notices.
fn credential(access: &MattermostAccess) -> Option<Credential> {
    match access.delivery_method.clone() {
        DeliveryConfig::Bot { token } => Some(Credential::Token(token)),
        DeliveryConfig::Login { login_id, password } => {
            Some(Credential::Login { login_id, password })
        }
        DeliveryConfig::Plugin { .. } | DeliveryConfig::IncomingWebhook { .. } => None,
    }
}

fn notices(access: &MattermostAccess, http: Http) -> Result<ChatClient, StartError> {
    let Some(settings) = settings::notices(access) else {
        return Err(StartError::Setting(
            "mattermost.incoming_webhook_url is missing".into(),
        ));
    };
    let notices =
        Notices::new(settings, http).map_err(|error| StartError::Setting(error.into()))?;
    Ok(ChatClient::Notices(Arc::new(notices)))
}
