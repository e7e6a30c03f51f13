//! Reads accounts, channels and memberships (src/mattermost/README.md, "Channels and people").

use std::sync::PoisonError;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Mattermost;
use super::call::MattermostCall;
use crate::domain::{ChannelId, UserId};
use crate::http::Operation;
use crate::ports::{Account, ChannelKind, ChatError, OwnAccount};

#[derive(Deserialize)]
struct User {
    id: UserId,
    username: String,
    #[serde(default)]
    nickname: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(default)]
    roles: String,
    /// When the account was deactivated, in milliseconds since the epoch; 0 for an active account.
    #[serde(default)]
    delete_at: i64,
}

#[derive(Deserialize)]
struct DirectChannel {
    id: ChannelId,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    delete_at: i64,
}

#[derive(Deserialize)]
struct Member {
    #[serde(rename = "user_id")]
    _user_id: UserId,
    #[serde(default)]
    roles: String,
    #[serde(default)]
    scheme_admin: bool,
}

impl Mattermost {
    /// Reads the relay's own account from the server, even if it is known.
    pub(super) async fn ask_own(&self) -> Result<OwnAccount, ChatError> {
        let identity = self.identity.load_full();
        let call = MattermostCall::new(Operation::Read, Method::GET, &["users", "me"]);
        let user: User = self.ask(call).await?;
        let own = OwnAccount {
            user_id: user.id,
            user_name: user.username,
        };
        let mut cached = identity.own.lock().unwrap_or_else(PoisonError::into_inner);
        *cached = Some(own.clone());
        Ok(own)
    }

    /// The relay's own account. It is read once, because the account of a credential never changes.
    pub(super) async fn own(&self) -> Result<OwnAccount, ChatError> {
        let identity = self.identity.load_full();
        let cached = identity
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match cached {
            Some(own) => Ok(own),
            None => self.ask_own().await,
        }
    }

    pub(super) async fn ask_account(&self, user: &UserId) -> Result<Account, ChatError> {
        let call = MattermostCall::new(Operation::Read, Method::GET, &["users", user.as_str()]);
        let user: User = self.ask(call).await?;
        let format = self.server_config().await.name_display;
        let is_deactivated = user.delete_at != 0;
        Ok(Account {
            display_name: display_name(&user, &format),
            is_system_admin: !is_deactivated && has_role(&user.roles, "system_admin"),
            is_deactivated,
            user_id: user.id,
            user_name: user.username,
        })
    }

    pub(super) async fn kind_of(&self, channel: &ChannelId) -> Result<ChannelKind, ChatError> {
        let call = MattermostCall::new(
            Operation::Read,
            Method::GET,
            &["channels", channel.as_str()],
        );
        let channel: DirectChannel = self.ask(call).await?;
        Ok(match channel.kind.as_str() {
            _ if channel.delete_at > 0 => ChannelKind::Archived,
            "O" => ChannelKind::Public,
            "D" | "G" => ChannelKind::Direct,
            _ => ChannelKind::Private,
        })
    }

    pub(super) async fn ask_channel_name(&self, channel: &ChannelId) -> Result<String, ChatError> {
        let call = MattermostCall::new(
            Operation::Read,
            Method::GET,
            &["channels", channel.as_str()],
        );
        let channel: DirectChannel = self.ask(call).await?;
        Ok(channel.display_name)
    }

    pub(super) async fn administers(
        &self,
        channel: &ChannelId,
        user: &UserId,
    ) -> Result<bool, ChatError> {
        let path = ["channels", channel.as_str(), "members", user.as_str()];
        match self
            .ask::<Member>(MattermostCall::new(Operation::Read, Method::GET, &path))
            .await
        {
            Ok(member) => Ok(member.scheme_admin || has_role(&member.roles, "channel_admin")),
            // Mattermost answers 404 for a person who is not a member.
            Err(ChatError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn join(&self, channel: &ChannelId) -> Result<(), ChatError> {
        let own = self.own().await?;
        let path = ["channels", channel.as_str(), "members"];
        let call = MattermostCall::new(Operation::Read, Method::POST, &path);
        let body = json!({ "user_id": own.user_id });
        self.ask::<Member>(call.json(&body)).await.map(drop)
    }

    pub(super) async fn is_member(&self, channel: &ChannelId) -> Result<bool, ChatError> {
        let own = self.own().await?;
        let path = [
            "channels",
            channel.as_str(),
            "members",
            own.user_id.as_str(),
        ];
        let call = MattermostCall::new(Operation::Read, Method::GET, &path);
        match self.ask::<Member>(call).await {
            Ok(_) => Ok(true),
            // Only members may read the members of a channel.
            Err(ChatError::NotFound { .. } | ChatError::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The channel of direct messages with `user`. The server creates it if it does not exist.
    pub(super) async fn direct_channel(&self, user: &UserId) -> Result<ChannelId, ChatError> {
        let own = self.own().await?;
        let call = MattermostCall::new(Operation::Read, Method::POST, &["channels", "direct"]);
        let channel: DirectChannel = self.ask(call.json(&json!([own.user_id, user]))).await?;
        Ok(channel.id)
    }
}

/// The name that the server shows for a person. `format` is `nickname_full_name` or `full_name`; any other value means
/// the user name.
fn display_name(user: &User, format: &str) -> String {
    let full = format!("{} {}", user.first_name.trim(), user.last_name.trim());
    let wanted = match format {
        "nickname_full_name" if !user.nickname.trim().is_empty() => user.nickname.trim(),
        "nickname_full_name" | "full_name" => full.trim(),
        _ => "",
    };
    if wanted.is_empty() {
        user.username.clone()
    } else {
        wanted.to_owned()
    }
}

fn has_role(roles: &str, role: &str) -> bool {
    roles.split_whitespace().any(|held| held == role)
}
