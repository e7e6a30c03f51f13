//! Reads the channels of the relay's own account and the posts that people wrote in them.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::Mattermost;
use super::call::{MattermostCall, address};
use crate::domain::{ChannelId, Conversation, PostId, TeamId, Timestamp, UserId};
use crate::http::{Operation, Urgency};
use crate::ports::{ChatError, OwnChannel, OwnChannels, WrittenPost};

/// Most teams whose channels are read.
const TEAMS_MAX: usize = 100;

/// Longest list of channels that is read, in bytes. A channel takes about 600 bytes, and its header and purpose up to
/// 1300 characters more.
const CHANNELS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest name that is kept, in characters; names in Mattermost have at most 64.
const NAME_CHARS_MAX: usize = 64;

/// Properties that mark a post as not written by a person (src/mattermost/README.md, "Posts").
const NOT_WRITTEN: [&str; 2] = ["from_bot", "from_webhook"];

#[derive(Deserialize)]
pub(super) struct Team {
    pub(super) id: TeamId,
    #[serde(default)]
    name: String,
    #[serde(default)]
    delete_at: i64,
}

#[derive(Deserialize)]
struct ChannelBody {
    id: ChannelId,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    delete_at: i64,
    #[serde(default)]
    last_post_at: i64,
}

#[derive(Deserialize)]
struct ChannelPost {
    id: PostId,
    channel_id: ChannelId,
    user_id: UserId,
    create_at: i64,
    #[serde(default)]
    edit_at: i64,
    #[serde(default)]
    delete_at: i64,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    props: Value,
}

impl ChannelPost {
    /// Whether a person wrote the post as it is now. Only such a post has fired the outgoing webhooks that match its
    /// first word (src/mattermost/README.md, "Which posts fire"). The original text of an edited post is not known.
    fn is_as_written(&self) -> bool {
        let is_automatic = NOT_WRITTEN
            .iter()
            .any(|name| !matches!(self.props.get(name), None | Some(Value::Null)));
        self.kind.is_empty() && self.edit_at == 0 && self.delete_at == 0 && !is_automatic
    }
}

impl Mattermost {
    pub(super) async fn ask_channels(&self) -> Result<OwnChannels, ChatError> {
        let teams = self.teams(Urgency::Background).await?;
        if teams.len() > TEAMS_MAX {
            tracing::warn!(
                teams = teams.len(),
                scanned = TEAMS_MAX,
                "the relay's account is in more teams than are scanned for missed posts"
            );
        }
        let mut channels = Vec::new();
        for team in teams.into_iter().take(TEAMS_MAX) {
            channels.extend(self.channels_of(&team).await?);
        }
        Ok(OwnChannels {
            now: Timestamp::from_millis(self.server_clock.theirs(self.clock.now())),
            channels,
        })
    }

    /// The teams of the relay's account, without archived ones.
    pub(super) async fn teams(&self, urgency: Urgency) -> Result<Vec<Team>, ChatError> {
        let call = MattermostCall::new(Operation::Read, Method::GET, &["users", "me", "teams"])
            .urgency(urgency);
        let teams: Vec<Team> = self.ask(call).await?;
        Ok(teams
            .into_iter()
            .filter(|team| team.delete_at == 0)
            .collect())
    }

    async fn channels_of(&self, team: &Team) -> Result<Vec<OwnChannel>, ChatError> {
        let path = ["users", "me", "teams", team.id.as_str(), "channels"];
        let call = MattermostCall::new(Operation::Read, Method::GET, &path)
            .answer_bytes_max(CHANNELS_BYTES_MAX)
            .urgency(Urgency::Background);
        // Direct and group messages are in every team's list.
        let listed: Vec<ChannelBody> = match self.ask(call).await {
            Ok(listed) => listed,
            // The account is in none of the channels, or no longer in the team.
            Err(ChatError::NotFound { .. } | ChatError::Forbidden { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let public = listed
            .into_iter()
            .filter(|channel| channel.kind == "O" && channel.delete_at == 0);
        Ok(public
            .map(|channel| OwnChannel {
                id: channel.id,
                name: cut(&channel.name),
                team: team.id.clone(),
                team_name: cut(&team.name),
                last_post_at: Timestamp::from_millis(channel.last_post_at),
            })
            .collect())
    }

    pub(super) async fn written(
        &self,
        channel: &ChannelId,
        since: Timestamp,
    ) -> Result<Vec<WrittenPost>, ChatError> {
        let since = since.millis().max(1);
        let posts = self.changed(channel, since, Urgency::Background).await?;
        let mut written: Vec<WrittenPost> = posts
            .into_iter()
            .filter_map(|post| serde_json::from_value::<ChannelPost>(post).ok())
            // `since` compares the time of the last change, and the list also has the roots of replies.
            .filter(|post| post.create_at > since && post.channel_id == *channel)
            .filter(ChannelPost::is_as_written)
            .map(|post| WrittenPost {
                id: post.id,
                user: post.user_id,
                created_at: Timestamp::from_millis(post.create_at),
                text: post.message,
            })
            .collect();
        written.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        written.dedup_by(|a, b| a.id == b.id);
        Ok(written)
    }
}

impl Mattermost {
    /// The address of a channel, below the SiteURL: the relay itself may reach the server under an internal address
    /// that people cannot use. `None` while the SiteURL is not known.
    pub(super) async fn address_of(&self, place: &Conversation) -> Option<String> {
        if place.team_name.is_empty() || place.channel_name.is_empty() {
            return None;
        }
        let config = self.server_config().await;
        let path = [&place.team_name, "channels", &place.channel_name];
        Some(address(config.site_url.as_ref()?, &path).into())
    }
}

fn cut(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}
