//! The public routes, built from the parts of this process.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use warp::{Filter, Reply};

use crate::config::{Config, Essentials};
use crate::domain::rule::{Rule, RuleSpec, Rules, TITLE_DEFAULT};
use crate::domain::{ChannelId, Conversation, PostId, Rendered, ResponseHook, Timestamp, UserId};
use crate::ingress::{Ingress, IngressDeps, IngressSettings, Keyring};
use crate::ports::{
    Account, ChannelKind, Chat, ChatError, DeliveryMethod, NewPost, OwnAccount, PostView,
};
use crate::token::Links;
use crate::trigger::{MissedPosts, OwnUser};
use crate::worker::Deps;

use super::observers::Meter;

/// The routes, ready to be served, and the keyring that holds the callers' tokens and secrets.
///
/// # Errors
/// A rule or a page's template is wrong although the configuration was accepted. The text names it.
pub(super) fn open(
    config: &Config,
    essentials: &Essentials,
    deps: &Deps,
    links: Links,
    own_user: OwnUser,
    missed_posts: Option<MissedPosts>,
    meter: Arc<Meter>,
) -> Result<
    (
        impl Filter<Extract = (impl Reply + use<>,), Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static
        + use<>,
        Keyring,
    ),
    String,
> {
    let deps = IngressDeps {
        queue: deps.queue.clone(),
        rules: Arc::new(rules(config)?),
        links: Arc::new(links),
        store: Arc::clone(&deps.store),
        chat: Arc::clone(&deps.chat),
        conference: Arc::clone(&deps.conference),
        clock: Arc::clone(&deps.clock),
        own_user,
        missed_posts,
        observer: meter,
    };
    let ingress = Ingress::new(settings(config, essentials), deps)
        .map_err(|error| format!("a page's template: {error}"))?;
    let keyring = ingress.keyring();
    Ok((ingress.filter(), keyring))
}

/// The settings of the ingress.
pub(super) fn settings(config: &Config, essentials: &Essentials) -> IngressSettings {
    let plugnmeet = &essentials.plugnmeet;
    let mattermost = &config.mattermost;
    let start_deadline = config.rules.iter().map(|rule| rule.start_deadline).max();
    let is_enabled = essentials.mattermost.is_some();
    let defaults = IngressSettings::new(
        plugnmeet.api_key.expose_secret().to_owned(),
        plugnmeet.api_secret.clone(),
        plugnmeet.external_url.clone(),
    );
    IngressSettings {
        plugnmeet_previous_api_secrets: config.plugnmeet.previous_api_secrets.clone(),
        outgoing_tokens: if is_enabled {
            mattermost.outgoing_tokens.clone()
        } else {
            Vec::new()
        },
        command_tokens: if is_enabled {
            mattermost.command_tokens.clone()
        } else {
            Vec::new()
        },
        start_deadline: start_deadline.unwrap_or(defaults.start_deadline),
        time_zone: config.card.time_zone.clone(),
        body_bytes: usize::try_from(config.server.body_bytes_max.as_u64()).unwrap_or(usize::MAX),
        starts_per_minute: mattermost.starts_per_minute as usize,
        ..defaults
    }
}

pub(super) fn rules(config: &Config) -> Result<Rules, String> {
    let mut rules = Vec::with_capacity(config.rules.len());
    for (index, rule) in config.rules.iter().enumerate() {
        let title = rule.title.as_str();
        let spec = RuleSpec {
            phrases: rule.phrases.clone(),
            teams: rule.teams.clone(),
            channels: rule.channels.clone(),
            // `None` stands for the default title, which differs in direct messages.
            title: (title != TITLE_DEFAULT).then(|| title.to_owned()),
            moderators: rule.moderators,
            notify: rule.notify,
            start_deadline: rule.start_deadline,
        };
        rules.push(Rule::new(spec).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            format!("rule {}: {}", index + 1, errors.join("; "))
        })?);
    }
    Ok(Rules::new(rules))
}

/// The chat of a relay with `mattermost.enabled = false`: owed jobs wait until Mattermost is switched on.
pub(super) struct NoChat;

fn off<T>() -> Result<T, ChatError> {
    Err(ChatError::Unreachable {
        why: "mattermost.enabled is false".to_owned(),
        sent: false,
    })
}

#[async_trait]
impl Chat for NoChat {
    fn kind(&self) -> DeliveryMethod {
        DeliveryMethod::Posts
    }
    async fn post_notice(&self, _: &Conversation, _: Rendered) -> Result<(), ChatError> {
        off()
    }
    async fn show_in_channel(&self, _: &ResponseHook, _: Rendered) -> Result<(), ChatError> {
        off()
    }
    async fn own_account(&self) -> Result<OwnAccount, ChatError> {
        off()
    }
    async fn create_post(&self, _: NewPost) -> Result<PostView, ChatError> {
        off()
    }
    async fn patch_post(&self, _: &PostId, _: &str, _: Rendered) -> Result<(), ChatError> {
        off()
    }
    async fn delete_post(&self, _: &PostId) -> Result<(), ChatError> {
        off()
    }
    async fn read_post(&self, _: &PostId) -> Result<PostView, ChatError> {
        off()
    }
    async fn find_posts(
        &self,
        _: &ChannelId,
        _: &str,
        _: Timestamp,
    ) -> Result<Vec<PostView>, ChatError> {
        off()
    }
    async fn channel_kind(&self, _: &ChannelId) -> Result<ChannelKind, ChatError> {
        off()
    }
    async fn join_channel(&self, _: &ChannelId) -> Result<(), ChatError> {
        off()
    }
    async fn is_channel_admin(&self, _: &ChannelId, _: &UserId) -> Result<bool, ChatError> {
        off()
    }
    async fn account(&self, _: &UserId) -> Result<Account, ChatError> {
        off()
    }
    async fn answer_command(&self, _: &ResponseHook, _: &str) -> Result<(), ChatError> {
        off()
    }
    async fn direct_message(
        &self,
        _: &UserId,
        _: &str,
        _: &str,
        _: Timestamp,
    ) -> Result<(), ChatError> {
        off()
    }
}
