//! The content of a request: who asked, in which conversation, and what the rule decided.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::rule::TitleSource;
use crate::domain::{ChannelId, Notify, PostId, ServerName, TeamId, UserId};

/// A person of Mattermost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user id.
    pub user_id: UserId,
    /// The username, without @.
    pub user_name: String,
}

/// Where a meeting was asked for. Its card is posted there, and its lock in the store is taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The Mattermost server.
    pub server: ServerName,
    /// The team. `None`: the caller names none.
    pub team: Option<TeamId>,
    /// The team's name in addresses; may be empty.
    pub team_name: String,
    /// The channel.
    pub channel: ChannelId,
    /// The channel's name in addresses.
    pub channel_name: String,
    /// The thread. A slash command contains it. An outgoing webhook does not: its post is read before the event is
    /// applied (`TriggerSource::OutgoingWebhook`), and counts as outside any thread while that fails.
    pub thread: Option<PostId>,
    /// What the name of the channel shows about it.
    pub kind: ConversationKind,
}

impl Conversation {
    /// The key by which starts are compared. Without `--new` there is one running meeting for each key.
    pub fn key(&self) -> String {
        let thread = self.thread.as_ref().map_or("", PostId::as_str);
        format!("{}|{thread}", self.channel_key())
    }

    /// The key of the channel with all its threads. The key of each of its conversations begins with it, followed by
    /// `|`, which no id contains.
    pub fn channel_key(&self) -> String {
        format!("{}|{}", self.server, self.channel)
    }
}

/// Whether a card can be posted in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// A channel. The bot can post there, perhaps after it joined or was invited.
    Channel,
    /// A direct message (channel name `id__id`). A bot can never post there.
    Direct,
}

/// Who is moderator in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Moderators {
    /// Everybody who joins.
    #[default]
    Everyone,
    /// The person who started the meeting.
    Starter,
}

/// The options that a rule chose for a request, at the time of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleChoice {
    /// The meeting's title. It is clean (`domain::text::clean_title`) and never empty.
    pub title: String,
    /// The template and names that the title was made of. `None`: a person wrote the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title_source: Option<TitleSource>,
    /// Who is moderator.
    pub moderators: Moderators,
    /// How long after the request a room may still be created.
    #[serde(rename = "worth")]
    pub start_deadline: Duration,
    /// Whom the post of the first artifact mentions.
    #[serde(default, skip_serializing_if = "Notify::is_default")]
    pub notify: Notify,
}
