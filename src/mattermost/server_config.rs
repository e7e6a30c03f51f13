//! Caches the server's own settings (src/mattermost/README.md, "Server settings"). They are read when they are first
//! needed and again when they have expired.

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

/// Longest text of a post that is ever sent, in characters. It is also the assumed limit until the server has returned
/// its own (src/mattermost/README.md, "Limits").
pub(super) const POST_CHARS_MAX: usize = 16_383;

/// Every server accepts texts of this many characters, so shorter texts are sent without reading the settings.
const POST_CHARS_ALWAYS: usize = 4_000;

/// A text is not cut below this number of characters, even if it is still refused for its length.
const POST_CHARS_MIN: usize = 500;

/// How long the server's settings are valid in the cache.
const CONFIG_LIFE: Duration = Duration::from_secs(600);

/// When known settings are read again after an attempt that failed or returned only a part of them.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The settings of the server that the relay uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerConfig {
    /// How names of people are shown (`TeammateNameDisplay`); empty if the server did not return it.
    pub(super) name_display: String,
    /// The longest text of a post in characters (`MaxPostSize`), if the server returned it.
    pub(super) post_chars_max: Option<usize>,
    /// The server's address for its users (`SiteURL`), if the server returned it. The relay may reach the server at
    /// another address.
    pub(super) site_url: Option<Url>,
}

/// The cache of the server's settings.
#[derive(Default)]
pub(super) struct ServerConfigCache {
    known: Mutex<Option<KnownConfig>>,
    /// Held by the caller that reads the settings, so that only one does.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct KnownConfig {
    config: ServerConfig,
    /// From this time on they are read again.
    old_at: Instant,
}

#[derive(Deserialize)]
struct ClientConfig {
    #[serde(rename = "TeammateNameDisplay", default)]
    name_display: String,
    /// A number as text, like all values of this answer.
    #[serde(rename = "MaxPostSize", default)]
    post_chars_max: String,
    #[serde(rename = "SiteURL", default)]
    site_url: String,
    /// Every Mattermost server returns its version. An answer without it comes from another server.
    #[serde(rename = "Version")]
    _version: String,
}

impl From<ClientConfig> for ServerConfig {
    fn from(answer: ClientConfig) -> Self {
        Self {
            name_display: answer.name_display,
            post_chars_max: answer
                .post_chars_max
                .parse()
                .ok()
                .filter(|chars| *chars >= POST_CHARS_MIN),
            site_url: answer.site_url.parse().ok(),
        }
    }
}

impl ServerConfig {
    /// The longest text that is sent, in characters.
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
    /// The server's settings. No work waits for them: if they cannot be read, the last known ones are used, or the
    /// defaults. Only one caller reads them; meanwhile the others use the last known ones.
    pub(super) async fn server_config(&self) -> ServerConfig {
        let known = self.server_config.lock().clone();
        if let Some(known) = &known
            && Instant::now() < known.old_at
        {
            return known.config.clone();
        }
        let Ok(_asking) = self.server_config.asking.try_lock() else {
            if known.is_none() {
                // Nothing is known yet: wait for the caller that reads the settings.
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
            Ok(answer) => {
                // Without a valid login the server returns only some of the settings. They do not replace complete
                // ones.
                let complete = known
                    .as_ref()
                    .filter(|known| known.post_chars_max.is_some());
                if answer.post_chars_max.is_empty()
                    && let Some(known) = complete
                {
                    self.server_config.keep(known.clone(), ASK_AGAIN_AFTER);
                    return known.clone();
                }
                let config = ServerConfig::from(answer);
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
                tracing::warn!(%error, "the settings of Mattermost could not be read (GET /config/client); the last known ones apply to shown names and the length of posts");
                if let Some(config) = known.clone() {
                    self.server_config.keep(config, ASK_AGAIN_AFTER);
                }
                known.unwrap_or_default()
            }
        }
    }

    /// Makes a call whose body holds a text of `chars` characters, cut to the server's limit. If the text is still
    /// refused for its length, it is sent again shorter, because a later attempt would be refused too.
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
                    tracing::warn!(%error, refused, chars_max, "the text is longer than Mattermost accepts; a shorter one is sent");
                }
                _ => return result,
            }
        }
    }

    /// A limit below `refused` characters: the one that the server returns now, or else half of `refused` until the
    /// settings expire.
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
