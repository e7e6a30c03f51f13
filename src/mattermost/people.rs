//! Asks for accounts and channels (src/mattermost/README.md, "Channels and people").

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
    /// When it was deactivated, in milliseconds; 0 for an active account.
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
    /// The relay's own account, asked anew.
    pub(super) async fn ask_own(&self) -> Result<OwnAccount, ChatError> {
        let identity = self.identity.load_full();
        let call = MattermostCall::new(Operation::Read, Method::GET, &["users", "me"]);
        let user: User = self.ask(call).await?;
        let own = OwnAccount {
            user_id: user.id,
            user_name: user.username,
        };
        let mut known = identity.own.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(own.clone());
        Ok(own)
    }

    /// The relay's own account, asked once: a token's account never changes.
    pub(super) async fn own(&self) -> Result<OwnAccount, ChatError> {
        let identity = self.identity.load_full();
        let known = identity
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match known {
            Some(own) => Ok(own),
            None => self.ask_own().await,
        }
    }

    pub(super) async fn ask_account(&self, user: &UserId) -> Result<Account, ChatError> {
        let call = MattermostCall::new(Operation::Read, Method::GET, &["users", user.as_str()]);
        let user: User = self.ask(call).await?;
        let way = self.server_config().await.name_display;
        let is_deactivated = user.delete_at != 0;
        Ok(Account {
            display_name: display_name(&user, &way),
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
            // Mattermost's own 404: not a member.
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
            // Only members may ask for members.
            Err(ChatError::NotFound { .. } | ChatError::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The channel of direct messages with `user`, made if need be.
    pub(super) async fn direct_channel(&self, user: &UserId) -> Result<ChannelId, ChatError> {
        let own = self.own().await?;
        let call = MattermostCall::new(Operation::Read, Method::POST, &["channels", "direct"]);
        let channel: DirectChannel = self.ask(call.json(&json!([own.user_id, user]))).await?;
        Ok(channel.id)
    }
}

/// How the server would show a person: by `nickname_full_name`, `full_name`, or else the user name.
fn display_name(user: &User, way: &str) -> String {
    let full = format!("{} {}", user.first_name.trim(), user.last_name.trim());
    let wanted = match way {
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
