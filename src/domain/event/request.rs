//! What a request tells: who asked, where, and what the rule of that place decided.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::rule::TitleSource;
use crate::domain::{ChannelId, Notify, PostId, ServerName, TeamId, UserId};

/// A person of Mattermost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Their user id.
    pub user_id: UserId,
    /// Their username, without @.
    pub user_name: String,
}

/// Where a meeting was asked for: where its card stands and its lock is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The Mattermost server.
    pub server: ServerName,
    /// The team; `None` where the caller names none.
    pub team: Option<TeamId>,
    /// The team's name in addresses; may be empty.
    pub team_name: String,
    /// The channel.
    pub channel: ChannelId,
    /// The channel's name in addresses.
    pub channel_name: String,
    /// The thread: a slash command tells it. An outgoing webhook does not: its post is read before the event is applied
    /// (`TriggerSource::OutgoingWebhook`), and as long as that fails it counts as outside.
    pub thread: Option<PostId>,
    /// What is known of the channel from its name alone.
    pub kind: ConversationKind,
}

impl Conversation {
    /// What a second start is compared by: one running meeting for each.
    pub fn key(&self) -> String {
        let thread = self.thread.as_ref().map_or("", PostId::as_str);
        format!("{}|{thread}", self.channel_key())
    }

    /// The channel with all its threads: what every key of its places begins with, before a `|`. No id holds that sign.
    pub fn channel_key(&self) -> String {
        format!("{}|{}", self.server, self.channel)
    }
}

/// Whether a card can be posted at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// A channel: the bot can post there, perhaps after it joined or was invited.
    Channel,
    /// A direct message (channel name `id__id`): a bot can never post there.
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

/// What a rule decided for one request, at the time of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleChoice {
    /// The meeting's title: clean (`domain::text::clean_title`), never empty.
    pub title: String,
    /// How a template made it out of names; `None` for a title that a person wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title_source: Option<TitleSource>,
    /// Who is moderator.
    pub moderators: Moderators,
    /// How long after the request a room may still be made.
    #[serde(rename = "worth")]
    pub start_deadline: Duration,
    /// Whom the first thing that the meeting leaves behind mentions.
    #[serde(default, skip_serializing_if = "Notify::is_default")]
    pub notify: Notify,
}
