//! Mattermost as the chat server: REST v4 with a bot's token or with a session, or notices through an incoming webhook
//! or a plugin's endpoint.
//!
#![doc = include_str!("mattermost/README.md")]

mod access;
mod body;
mod call;
mod channels;
mod errors;
mod form;
mod hooks;
mod identity;
mod login;
mod names;
mod notice_body;
mod notices;
mod people;
mod posts;
mod registered;
mod server_clock;
mod server_config;
mod session;
mod slack;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use crate::domain::{
    ChannelId, Conversation, PostId, Rendered, ResponseHook, TeamId, Timestamp, UserId,
};
use crate::http::{Http, Operation, Urgency};
use crate::ports::{
    Account, ChannelKind, Chat, ChatError, Clock, DeliveryMethod, NewPost, OwnAccount, OwnChannels,
    PostView, RegisteredHook, WrittenPost,
};

use access::CredentialAccess;
use call::{Authorization, MattermostCall};
use form::Confirmed;
use hooks::Hooks;
use names::Names;
use server_clock::ServerClock;
use server_config::ServerConfigCache;

/// Longest that logging out may delay the end of the process.
const LOG_OUT_DEADLINE: Duration = Duration::from_secs(2);

pub(crate) use identity::Identity;
pub(crate) use notice_body::NoticeFormat;
pub(crate) use notices::{NoticeRoute, NoticeSettings, NoticeWay, Notices};

/// The address of Mattermost and the relay's credential there.
#[derive(Debug, Clone)]
pub(crate) struct MattermostSettings {
    /// The server's address as people use it (SiteURL), with its path if it has one.
    pub url: Url,
    /// The relay's credential.
    pub credential: Credential,
    /// The secret that makes the ids of pending posts unguessable. It must be the same on every replica and at least 32
    /// bytes long.
    pub post_secret: SecretString,
}

/// How the relay authenticates at Mattermost.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// An access token, a bot's or a person's.
    Token(SecretString),
    /// A name and a password, with which the relay logs in before its first call.
    Login {
        /// The user name or e-mail address.
        login_id: String,
        /// The password.
        password: SecretString,
    },
}

/// A setting that cannot work, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mattermost.{key}: {why}")]
pub(crate) struct MattermostSettingsError {
    /// The key of the setting, without the section `mattermost`.
    pub key: &'static str,
    /// What is wrong with its value.
    pub why: &'static str,
}

/// The client of one Mattermost server.
pub(crate) struct Mattermost {
    url: Url,
    identity: ArcSwap<Identity>,
    access: CredentialAccess,
    http: Http,
    hooks: Hooks,
    clock: Arc<dyn Clock>,
    server_clock: ServerClock,
    server_config: ServerConfigCache,
    people: Names<UserId>,
    channels: Names<ChannelId>,
}

impl Mattermost {
    /// The client with these settings. `clock` is compared with the server's clock.
    pub(crate) fn new(
        settings: MattermostSettings,
        http: Http,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MattermostSettingsError> {
        let bad = |key, why| Err(MattermostSettingsError { key, why });
        let url = &settings.url;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return bad("url", "must be an http or https address with a host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return bad("url", "must not hold a user name or password");
        }
        let identity = Identity::new(&settings, &http)?;
        Ok(Self {
            hooks: Hooks::new(settings.url.clone(), http.clone()),
            url: settings.url,
            identity: ArcSwap::from_pointee(identity),
            access: CredentialAccess::default(),
            http,
            clock,
            server_clock: ServerClock::default(),
            server_config: ServerConfigCache::default(),
            people: Names::default(),
            channels: Names::default(),
        })
    }

    /// Prepares another credential or post secret for this server; [`Mattermost::replace_identity`] applies it.
    ///
    /// # Errors
    /// The token has characters that are not allowed in an HTTP header.
    pub(crate) fn identity(
        &self,
        credential: Credential,
        post_secret: SecretString,
    ) -> Result<Identity, MattermostSettingsError> {
        let settings = MattermostSettings {
            url: self.url.clone(),
            credential,
            post_secret,
        };
        Identity::new(&settings, &self.http)
    }

    /// Replaces the identity from the next call on. Calls that have started finish with the old one. A session of the
    /// old credential is logged out.
    pub(crate) async fn replace_identity(&self, identity: Identity) {
        if !self.identity.load().is_same(&identity) {
            let old = self.identity.swap(Arc::new(identity));
            self.access.renewed();
            self.leave(&old).await;
        }
    }

    /// Logs out of the relay's session, if there is one, so that sessions do not pile up. After that every call fails
    /// with [`ChatError::Unavailable`].
    pub(crate) async fn log_out(&self) {
        let identity = self.identity.load_full();
        self.leave(&identity).await;
    }

    async fn leave(&self, identity: &Identity) {
        let Authorization::Session(session) = &identity.authorization else {
            return;
        };
        let log_out = async {
            let Some(token) = session.close().await else {
                return Ok(());
            };
            let call = MattermostCall::new(Operation::Read, Method::POST, &["users", "logout"]);
            let done: Result<Confirmed, _> = self.make(call, Some(&token.authorization)).await;
            done.map(drop)
        };
        match tokio::time::timeout(LOG_OUT_DEADLINE, log_out).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "logout failed; the session expires by itself")
            }
            Err(_) => tracing::debug!("logout timed out; the session expires by itself"),
        }
    }
}

#[async_trait]
impl Chat for Mattermost {
    fn kind(&self) -> DeliveryMethod {
        DeliveryMethod::Posts
    }

    async fn post_notice(&self, _: &Conversation, _: Rendered) -> Result<(), ChatError> {
        Err(ChatError::Refused {
            why: "a bot or session makes posts and cannot post notices".to_owned(),
        })
    }

    async fn show_in_channel(
        &self,
        hook: &ResponseHook,
        content: Rendered,
    ) -> Result<(), ChatError> {
        self.hooks
            .answer(hook, body::channel_answer(&content))
            .await
    }

    async fn own_account(&self) -> Result<OwnAccount, ChatError> {
        self.ask_own().await
    }

    async fn create_post(&self, post: NewPost) -> Result<PostView, ChatError> {
        self.create(post).await
    }

    async fn patch_post(
        &self,
        post: &PostId,
        key: &str,
        content: Rendered,
    ) -> Result<(), ChatError> {
        self.patch(post, key, &content).await
    }

    async fn delete_post(&self, post: &PostId) -> Result<(), ChatError> {
        self.delete(post).await
    }

    async fn read_post(&self, post: &PostId) -> Result<PostView, ChatError> {
        self.read(post).await
    }

    async fn find_posts(
        &self,
        channel: &ChannelId,
        key: &str,
        since: Timestamp,
    ) -> Result<Vec<PostView>, ChatError> {
        self.find(channel, key, since).await
    }

    async fn own_channels(&self) -> Result<OwnChannels, ChatError> {
        self.ask_channels().await
    }

    async fn written_posts(
        &self,
        channel: &ChannelId,
        since: Timestamp,
    ) -> Result<Vec<WrittenPost>, ChatError> {
        self.written(channel, since).await
    }

    async fn outgoing_hooks(&self, team: &TeamId) -> Result<Vec<RegisteredHook>, ChatError> {
        self.registered_hooks(team).await
    }

    async fn person_name(&self, user: &UserId) -> Option<String> {
        let ask = async { Ok(self.ask_account(user).await?.display_name) };
        self.people.get(user, ask).await
    }

    async fn channel_name(&self, channel: &ChannelId) -> Option<String> {
        self.channels
            .get(channel, self.ask_channel_name(channel))
            .await
    }

    async fn channel_kind(&self, channel: &ChannelId) -> Result<ChannelKind, ChatError> {
        self.kind_of(channel).await
    }

    async fn join_channel(&self, channel: &ChannelId) -> Result<(), ChatError> {
        self.join(channel).await
    }

    async fn is_channel_member(&self, channel: &ChannelId) -> Result<bool, ChatError> {
        self.is_member(channel).await
    }

    async fn is_team_member(&self, team: &TeamId) -> Result<bool, ChatError> {
        let teams = self.teams(Urgency::Urgent).await?;
        Ok(teams.iter().any(|known| known.id == *team))
    }

    async fn is_channel_admin(
        &self,
        channel: &ChannelId,
        user: &UserId,
    ) -> Result<bool, ChatError> {
        self.administers(channel, user).await
    }

    async fn account(&self, user: &UserId) -> Result<Account, ChatError> {
        self.ask_account(user).await
    }

    async fn answer_command(&self, hook: &ResponseHook, text: &str) -> Result<(), ChatError> {
        self.hooks.answer(hook, body::command_answer(text)).await
    }

    async fn direct_message(
        &self,
        user: &UserId,
        key: &str,
        text: &str,
        since: Timestamp,
    ) -> Result<(), ChatError> {
        let channel = self.direct_channel(user).await?;
        if !self.find(&channel, key, since).await?.is_empty() {
            return Ok(());
        }
        let post = NewPost {
            channel,
            root: None,
            key: key.to_owned(),
            content: Rendered {
                message: text.to_owned(),
                ..Rendered::default()
            },
        };
        self.create(post).await.map(drop)
    }

    async fn channel_address(&self, place: &Conversation) -> Option<String> {
        self.address_of(place).await
    }
}
