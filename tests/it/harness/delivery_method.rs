//! How the relay under test gets into the chat.

use world::mattermost::FakeMattermost;

use super::PASSWORD;

/// What the plugin insists on.
const AUTHORIZATION: &str = "Relay canary3plugin3canary";

/// The way out, as a test asks for it.
#[derive(Default)]
pub enum DeliveryConfig {
    /// A bot's token.
    #[default]
    Bot,
    /// The name and this password of the person `meetrelay`.
    Login(String),
    /// An incoming webhook that bob made in the channel `town-square`.
    IncomingWebhook { is_locked: bool },
    /// A plugin's endpoint.
    Plugin,
}

/// It is prepared in the chat: what the relay is told, and what must never leave it.
pub struct Prepared {
    pub lines: String,
    pub secrets: Vec<String>,
}

impl DeliveryConfig {
    /// Prepares it in the chat.
    pub fn prepare(&self, chat: &FakeMattermost) -> Prepared {
        match self {
            Self::Bot => {
                let token = chat.add_bot("meetrelay", "meetrelay");
                Prepared {
                    lines: format!("bot_token = {token:?}"),
                    secrets: vec![token],
                }
            }
            Self::Login(password) => {
                chat.add_user("meetrelay", "Meeting", "Relay");
                chat.set_password("meetrelay", PASSWORD);
                Prepared {
                    lines: format!("login_id = \"meetrelay\"\npassword = {password:?}"),
                    secrets: vec![password.clone()],
                }
            }
            Self::IncomingWebhook { is_locked } => {
                let address = chat.register_incoming_hook("bob", "town-square", *is_locked);
                Prepared {
                    lines: format!("incoming_webhook_url = {address:?}"),
                    secrets: vec![last(&address)],
                }
            }
            Self::Plugin => {
                let address = chat.install_plugin(AUTHORIZATION);
                let (plugin, _) = address.split_once("/api/").unwrap();
                Prepared {
                    lines: format!(
                        "plugin_url = {address:?}\nplugin_authorization = {AUTHORIZATION:?}"
                    ),
                    secrets: vec![last(AUTHORIZATION), last(plugin)],
                }
            }
        }
    }

    /// Whether the relay is somebody in the chat, with the name `meetrelay`.
    pub fn has_account(&self) -> bool {
        matches!(self, Self::Bot | Self::Login(_))
    }
}

fn last(text: &str) -> String {
    let (_, last) = text.rsplit_once(['/', ' ']).unwrap();
    last.to_owned()
}
