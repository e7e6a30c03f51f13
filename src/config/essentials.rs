//! The settings that serving needs. A configuration can have no errors and still lack some of them.

use secrecy::SecretString;
use url::Url;

use super::keys::{Config, Mattermost};
use super::problem::{Problem, Problems};
use super::value::{NoticeFormatSetting, SecretUrl};

/// The settings without which nothing can be served. All of them are present.
#[derive(Debug, Clone)]
pub struct Essentials {
    /// The public address of the relay. It ends in `/`.
    pub public_url: Url,
    /// The chat server; `None` when `mattermost.enabled` is false.
    pub mattermost: Option<MattermostAccess>,
    /// The conference server.
    pub plugnmeet: PlugNmeetAccess,
}

/// How the relay calls Mattermost.
#[derive(Debug, Clone)]
pub struct MattermostAccess {
    /// Its address; ends in `/`.
    pub url: Url,
    /// How the relay shows meetings there.
    pub delivery_method: DeliveryConfig,
}

/// How the relay shows meetings. The first two edit and look up what they posted, the others only post notices.
#[derive(Debug, Clone)]
pub enum DeliveryConfig {
    /// The REST API with a bot's token.
    Bot {
        /// The token.
        token: SecretString,
    },
    /// The REST API with a session that the relay logs in for itself.
    Login {
        /// Name or e-mail address.
        login_id: String,
        /// The password.
        password: SecretString,
    },
    /// An HTTP endpoint of a Mattermost plugin.
    Plugin {
        /// Its address.
        url: SecretUrl,
        /// The value of the header `Authorization`.
        authorization: Option<SecretString>,
        /// For whom notices are written.
        format: NoticeFormatSetting,
    },
    /// An incoming webhook.
    IncomingWebhook {
        /// Its address.
        url: SecretUrl,
        /// For whom notices are written.
        format: NoticeFormatSetting,
    },
}

/// How the relay calls plugNmeet.
#[derive(Debug, Clone)]
pub struct PlugNmeetAccess {
    /// Its address for the relay; ends in `/`.
    pub url: Url,
    /// Its address for browsers; ends in `/`.
    pub external_url: Url,
    /// The key.
    pub api_key: SecretString,
    /// The secret.
    pub api_secret: SecretString,
}

impl Config {
    /// What serving needs.
    ///
    /// # Errors
    /// Every setting that is still missing.
    pub fn essentials(&self) -> Result<Essentials, Problems> {
        let mut missing = Missing(Vec::new());
        let public_url = missing.take(&self.server.public_url, "server.public_url", PUBLIC_URL);
        let mattermost = if self.mattermost.enabled {
            self.mattermost_access(&mut missing).map(Some)
        } else {
            Some(None)
        };
        let plugnmeet = self.plugnmeet_access(&mut missing);
        match (public_url, mattermost, plugnmeet) {
            (Some(public_url), Some(mattermost), Some(plugnmeet)) if missing.0.is_empty() => {
                Ok(Essentials {
                    public_url,
                    mattermost,
                    plugnmeet,
                })
            }
            _ => Err(Problems(missing.0)),
        }
    }

    /// The delivery method in use. `None`: none is configured, or Mattermost is disabled.
    pub fn delivery_method(&self) -> Option<DeliveryConfig> {
        delivery_method(&self.mattermost).filter(|_| self.mattermost.enabled)
    }

    fn mattermost_access(&self, missing: &mut Missing) -> Option<MattermostAccess> {
        let mattermost = &self.mattermost;
        let url = missing.take(&mattermost.url, "mattermost.url", MATTERMOST_URL);
        let delivery_method = delivery_method(mattermost);
        if delivery_method.is_none() {
            missing.note("mattermost.bot_token", BOT_TOKEN);
        }
        if mattermost.outgoing_tokens.is_empty() && mattermost.command_tokens.is_empty() {
            missing.note("mattermost.outgoing_tokens", TRIGGER_TOKENS);
        }
        Some(MattermostAccess {
            url: url?,
            delivery_method: delivery_method?,
        })
    }

    fn plugnmeet_access(&self, missing: &mut Missing) -> Option<PlugNmeetAccess> {
        let plugnmeet = &self.plugnmeet;
        let url = missing.take(&plugnmeet.url, "plugnmeet.url", PLUGNMEET_URL);
        let api_key = missing.take(&plugnmeet.api_key, "plugnmeet.api_key", KEY_PAIR);
        let api_secret = missing.take(&plugnmeet.api_secret, "plugnmeet.api_secret", KEY_PAIR);
        let url = url?;
        Some(PlugNmeetAccess {
            external_url: plugnmeet.external_url.clone().unwrap_or(url.clone()),
            url,
            api_key: api_key?,
            api_secret: api_secret?,
        })
    }
}

/// The first delivery method that is configured, in the order of preference.
fn delivery_method(mattermost: &Mattermost) -> Option<DeliveryConfig> {
    let format = mattermost.format;
    let bot = mattermost.bot_token.clone();
    let account = mattermost.login_id.clone().zip(mattermost.password.clone());
    bot.map(|token| DeliveryConfig::Bot { token })
        .or_else(|| {
            account.map(|(login_id, password)| DeliveryConfig::Login { login_id, password })
        })
        .or_else(|| {
            mattermost
                .plugin_url
                .clone()
                .map(|url| DeliveryConfig::Plugin {
                    url,
                    authorization: mattermost.plugin_authorization.clone(),
                    format,
                })
        })
        .or_else(|| {
            let url = mattermost.incoming_webhook_url.clone();
            url.map(|url| DeliveryConfig::IncomingWebhook { url, format })
        })
}

const PUBLIC_URL: &str = "write how Mattermost, plugNmeet and browsers reach the relay, like \"https://relay.example.org\"";
const MATTERMOST_URL: &str = "write the chat server's address, or set mattermost.enabled = false";
const BOT_TOKEN: &str = "make a bot account in Mattermost and write its access token; without a bot write \
                         mattermost.login_id and password, plugin_url, or incoming_webhook_url";
const TRIGGER_TOKENS: &str = "write the token of an outgoing webhook here, or that of a slash command into \
                              mattermost.command_tokens";
const PLUGNMEET_URL: &str = "write plugNmeet's address, like \"https://meet.example.org\"";
const KEY_PAIR: &str =
    "write the value of client.api_key and client.secret of plugNmeet's configuration";

struct Missing(Vec<Problem>);

impl Missing {
    fn take<T: Clone>(&mut self, value: &Option<T>, key: &str, instead: &str) -> Option<T> {
        if value.is_none() {
            self.note(key, instead);
        }
        value.clone()
    }

    fn note(&mut self, key: &str, instead: &str) {
        self.0.push(Problem {
            origin: None,
            key: Some(key.to_owned()),
            what: "is missing".to_owned(),
            instead: instead.to_owned(),
        });
    }
}
