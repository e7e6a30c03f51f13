//! Posts notices without an account, through an incoming webhook or a plugin's endpoint (src/mattermost/README.md,
//! "Incoming webhooks" and "Plugins").

mod refusal;
mod route;

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use super::hooks::{Hooks, Push};
use super::notice_body::notice;
use super::{MattermostSettingsError, NoticeFormat, body};
use crate::domain::{
    ChannelId, Conversation, ConversationKind, PostId, Rendered, ResponseHook, Timestamp, UserId,
};
use crate::http::{Http, Operation};
use crate::ports::{
    Account, ChannelKind, Chat, ChatError, DeliveryMethod, NewPost, OwnAccount, PostView,
};

pub(crate) use route::NoticeRoute;

/// The delivery method of notices.
#[derive(Debug, Clone)]
pub(crate) enum NoticeWay {
    /// An incoming webhook.
    IncomingWebhook {
        /// The whole address, which is a secret.
        address: SecretString,
    },
    /// An HTTP endpoint of a Mattermost plugin.
    Plugin {
        /// The whole address of the endpoint.
        address: SecretString,
        /// The value of the header `Authorization`.
        authorization: Option<SecretString>,
    },
}

impl NoticeWay {
    const fn key(&self) -> &'static str {
        match self {
            Self::IncomingWebhook { .. } => "incoming_webhook_url",
            Self::Plugin { .. } => "plugin_url",
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::IncomingWebhook { .. } => "an incoming webhook",
            Self::Plugin { .. } => "a plugin's endpoint",
        }
    }

    const fn address(&self) -> &SecretString {
        match self {
            Self::IncomingWebhook { address } | Self::Plugin { address, .. } => address,
        }
    }
}

/// The settings for notices.
#[derive(Debug, Clone)]
pub(crate) struct NoticeSettings {
    /// The server's address as people use it (SiteURL). Response URLs are below it.
    pub url: Url,
    /// The delivery method.
    pub way: NoticeWay,
    /// The format of the notices.
    pub format: NoticeFormat,
}

/// Posts notices. A notice cannot be changed or looked up later.
pub(crate) struct Notices {
    way: ArcSwap<NoticeRoute>,
    format: NoticeFormat,
    hooks: Hooks,
}

impl Notices {
    /// The client with these settings.
    ///
    /// # Errors
    /// An address or header value is invalid. The text does not repeat it, because it is a secret.
    pub(crate) fn new(
        settings: NoticeSettings,
        http: Http,
    ) -> Result<Self, MattermostSettingsError> {
        let NoticeSettings { url, way, format } = settings;
        Ok(Self {
            way: ArcSwap::from_pointee(NoticeRoute::new(way)?),
            format,
            hooks: Hooks::new(url, http),
        })
    }

    /// Replaces the delivery method from the next notice on. A notice that is being posted finishes with the old one.
    pub(crate) fn replace_way(&self, way: NoticeRoute) {
        self.way.store(Arc::new(way));
    }

    fn cannot<T>(&self, what: &str) -> Result<T, ChatError> {
        let way = self.way.load();
        Err(ChatError::Refused {
            why: format!(
                "{} (mattermost.{}) only posts notices and cannot {what}",
                way.way.name(),
                way.way.key()
            ),
        })
    }
}

/// The channel's name for the field `channel` of a notice. A name that begins with `@` or `#` has another meaning
/// there.
fn channel_name(place: &Conversation) -> Option<&str> {
    let name = place.channel_name.as_str();
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    is_name.then_some(name)
}

#[async_trait]
impl Chat for Notices {
    fn kind(&self) -> DeliveryMethod {
        DeliveryMethod::Notices
    }

    async fn post_notice(&self, place: &Conversation, content: Rendered) -> Result<(), ChatError> {
        if place.kind == ConversationKind::Direct {
            return self.cannot("write into direct messages");
        }
        let channel = channel_name(place);
        if channel.is_none() && self.format == NoticeFormat::Mattermost {
            // Without a name the notice would go to the webhook's own channel, which other people may read.
            return self.cannot("find a channel because the request did not contain its name");
        }
        let way = self.way.load_full();
        let push = Push {
            operation: Operation::CreatePost,
            address: way.address.clone(),
            authorization: way.authorization.clone(),
            body: notice(self.format, channel, &content),
        };
        self.hooks
            .push(push, |http, answer| way.meaning.of(http, answer))
            .await
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
        self.cannot("return an account")
    }

    async fn create_post(&self, _: NewPost) -> Result<PostView, ChatError> {
        self.cannot("make posts of an account")
    }

    async fn patch_post(&self, _: &PostId, _: &str, _: Rendered) -> Result<(), ChatError> {
        self.cannot("change posts")
    }

    async fn delete_post(&self, _: &PostId) -> Result<(), ChatError> {
        self.cannot("delete posts")
    }

    async fn read_post(&self, _: &PostId) -> Result<PostView, ChatError> {
        self.cannot("read posts")
    }

    async fn find_posts(
        &self,
        _: &ChannelId,
        _: &str,
        _: Timestamp,
    ) -> Result<Vec<PostView>, ChatError> {
        self.cannot("look up posts")
    }

    async fn channel_kind(&self, _: &ChannelId) -> Result<ChannelKind, ChatError> {
        self.cannot("ask about channels")
    }

    async fn join_channel(&self, _: &ChannelId) -> Result<(), ChatError> {
        self.cannot("join channels")
    }

    async fn is_channel_admin(&self, _: &ChannelId, _: &UserId) -> Result<bool, ChatError> {
        self.cannot("ask about members")
    }

    async fn account(&self, _: &UserId) -> Result<Account, ChatError> {
        self.cannot("ask about people")
    }

    async fn answer_command(&self, hook: &ResponseHook, text: &str) -> Result<(), ChatError> {
        self.hooks.answer(hook, body::command_answer(text)).await
    }

    async fn direct_message(
        &self,
        _: &UserId,
        _: &str,
        _: &str,
        _: Timestamp,
    ) -> Result<(), ChatError> {
        self.cannot("write direct messages")
    }
}
