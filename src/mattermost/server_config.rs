//! What the server tells of its own settings (src/mattermost/README.md, "Server settings"), asked when it is needed
//! first and again when it has grown old.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::call::MattermostCall;
use super::{Mattermost, errors};
use crate::http::Operation;
use crate::ports::ChatError;

/// Longest text of a post that is ever sent, in characters, and what is taken for the limit while the server has not
/// told it (src/mattermost/README.md, "Limits").
pub(super) const POST_CHARS_MAX: usize = 16_383;

/// No server takes less than so many characters, so that shorter texts need no question.
const POST_CHARS_ALWAYS: usize = 4_000;

/// A text is not made shorter than this, in characters, however often it is refused for its length.
const POST_CHARS_MIN: usize = 500;

/// How long the server's settings are believed.
const CONFIG_LIFE: Duration = Duration::from_secs(600);

/// How long a question that failed, or was answered in part only, is not repeated, once the settings have been known.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The settings that the relay follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerConfig {
    /// How people are shown (`TeammateNameDisplay`); empty: not told.
    pub(super) name_display: String,
    /// The longest text of a post in characters (`MaxPostSize`), if it was told.
    pub(super) post_chars_max: Option<usize>,
    /// The server's address as its users know it (`SiteURL`), if it was told: the relay may reach it under another.
    pub(super) site_url: Option<Url>,
}

/// The settings as far as they are known.
#[derive(Default)]
pub(super) struct ServerConfigCache {
    known: Mutex<Option<KnownConfig>>,
    /// Held by the caller that asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct KnownConfig {
    config: ServerConfig,
    /// From then on they are asked for again.
    old_at: Instant,
}

#[derive(Deserialize)]
struct ClientConfig {
    #[serde(rename = "TeammateNameDisplay", default)]
    name_display: String,
    /// All values are texts.
    #[serde(rename = "MaxPostSize", default)]
    post_chars_max: String,
    #[serde(rename = "SiteURL", default)]
    site_url: String,
    /// Every server tells it: what does not is none.
    #[serde(rename = "Version")]
    _version: String,
}

impl From<ClientConfig> for ServerConfig {
    fn from(told: ClientConfig) -> Self {
        Self {
            name_display: told.name_display,
            post_chars_max: told
                .post_chars_max
                .parse()
                .ok()
                .filter(|chars| *chars >= POST_CHARS_MIN),
            site_url: told.site_url.parse().ok(),
        }
    }
}

impl ServerConfig {
    /// The longest text that is sent.
    fn post_chars(&self) -> usize {
        self.post_chars_max
            .unwrap_or(POST_CHARS_MAX)
            .min(POST_CHARS_MAX)
    }
}

impl ServerConfigCache {
    fn lock(&self) -> MutexGuard<'_, Option<KnownConfig>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, config: ServerConfig, life: Duration) {
        let old_at = Instant::now() + life;
        *self.lock() = Some(KnownConfig { config, old_at });
    }
}

impl Mattermost {
    /// The server's settings. They are nothing that work may wait for: trouble with them leaves what was known, or
    /// nothing told. One caller asks; the others go on with what is known.
    pub(super) async fn server_config(&self) -> ServerConfig {
        let known = self.server_config.lock().clone();
        if let Some(known) = &known
            && Instant::now() < known.old_at
        {
            return known.config.clone();
        }
        let Ok(_asking) = self.server_config.asking.try_lock() else {
            if known.is_none() {
                // Whoever asks tells all the others.
                drop(self.server_config.asking.lock().await);
            }
            let known = self.server_config.lock().clone();
            return known.map_or_else(ServerConfig::default, |known| known.config);
        };
        self.ask_config(known.map(|known| known.config)).await
    }

    async fn ask_config(&self, known: Option<ServerConfig>) -> ServerConfig {
        let call = MattermostCall::new(Operation::Read, Method::GET, &["config", "client"])
            .for_everybody();
        match self.ask::<ClientConfig>(call.query("format", "old")).await {
            Ok(told) => {
                // Who is not logged in is told only some of the settings: that does not replace all of them.
                let all = known.as_ref().filter(|it| it.post_chars_max.is_some());
                if told.post_chars_max.is_empty()
                    && let Some(known) = all
                {
                    self.server_config.keep(known.clone(), ASK_AGAIN_AFTER);
                    return known.clone();
                }
                let config = ServerConfig::from(told);
                if known.as_ref() != Some(&config) {
                    tracing::info!(
                        post_chars_max = config.post_chars(),
                        name_display = config.name_display,
                        "server settings read from Mattermost"
                    );
                }
                self.server_config.keep(config.clone(), CONFIG_LIFE);
                config
            }
            Err(error) => {
                tracing::warn!(%error, "Mattermost does not tell its settings (GET /config/client): names are shown and long posts are cut as last known");
                if let Some(config) = known.clone() {
                    self.server_config.keep(config, ASK_AGAIN_AFTER);
                }
                known.unwrap_or_default()
            }
        }
    }

    /// Makes a call whose body holds a text of `chars` characters, cut to what the server takes. What is refused for
    /// its length all the same is sent again shorter, since no later attempt would fare better.
    pub(super) async fn ask_fitting<T: DeserializeOwned>(
        &self,
        call: MattermostCall,
        chars: usize,
        body: impl Fn(usize) -> Vec<u8> + Send + Sync,
    ) -> Result<T, ChatError> {
        let mut chars_max = if chars <= POST_CHARS_ALWAYS {
            POST_CHARS_MAX
        } else {
            self.server_config().await.post_chars()
        };
        loop {
            let result = self.ask(call.clone().body(body(chars_max))).await;
            let refused = chars_max.min(chars);
            match &result {
                Err(error) if errors::is_too_long(error) && refused > POST_CHARS_MIN => {
                    chars_max = self.post_chars_below(refused).await;
                    tracing::warn!(%error, refused, chars_max, "the text is longer than Mattermost takes: it is sent shorter");
                }
                _ => return result,
            }
        }
    }

    /// A limit below `refused` characters: what the server says now, or else half of it, until it says otherwise.
    async fn post_chars_below(&self, refused: usize) -> usize {
        let known = self.server_config.lock().clone().map(|known| known.config);
        let mut config = self.ask_config(known).await;
        if config.post_chars() >= refused {
            config.post_chars_max = Some((refused / 2).max(POST_CHARS_MIN));
            self.server_config.keep(config.clone(), CONFIG_LIFE);
        }
        config.post_chars()
    }
}
