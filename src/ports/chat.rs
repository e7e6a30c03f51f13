//! What the relay needs of the chat server.

use std::time::Duration;

use async_trait::async_trait;

pub use crate::domain::DeliveryMethod;
use crate::domain::{
    ChannelId, Conversation, PostId, Rendered, ResponseHook, TeamId, Timestamp, UserId,
};

/// The account that the relay posts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAccount {
    /// Its user id: posts of this user are never triggers.
    pub user_id: UserId,
    /// Its name, for "invite @name".
    pub user_name: String,
}

/// A post to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPost {
    /// Where.
    pub channel: ChannelId,
    /// The root of the thread to stand in (never itself a reply).
    pub root: Option<PostId>,
    /// The relay's own name for this post (`<meeting>:<post key>`), kept in its props: the handle by which
    /// [`Chat::find_posts`] finds it again.
    pub key: String,
    /// What it shows.
    pub content: Rendered,
}

/// A post as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostView {
    /// Its id.
    pub id: PostId,
    /// Its channel.
    pub channel: ChannelId,
    /// Its author.
    pub user: UserId,
    /// The root of its thread; `None` when it is not a reply.
    pub root: Option<PostId>,
    /// When it was made, on the server's clock.
    pub created_at: Timestamp,
    /// The relay's own name for it, if it has one.
    pub key: Option<String>,
}

/// The public channels that the relay's account is in, archived ones left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChannels {
    /// When this was answered, on the server's clock.
    pub now: Timestamp,
    /// In no order.
    pub channels: Vec<OwnChannel>,
}

/// A public channel that the relay's account is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChannel {
    /// Its id.
    pub id: ChannelId,
    /// Its name in addresses.
    pub name: String,
    /// Its team.
    pub team: TeamId,
    /// The team's name in addresses.
    pub team_name: String,
    /// When its newest post was made, on the server's clock.
    pub last_post_at: Timestamp,
}

/// An outgoing webhook of the server that calls a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredHook {
    /// The only channel that it is for; `None`: every public channel of its team.
    pub channel: Option<ChannelId>,
    /// With which first words of a post it is called; empty: with every post of its channel.
    pub words: Vec<String>,
    /// The first word only has to begin with one of them.
    pub is_prefix: bool,
}

/// What a person wrote and left as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPost {
    /// Its id.
    pub id: PostId,
    /// Its author.
    pub user: UserId,
    /// When it was made, on the server's clock.
    pub created_at: Timestamp,
    /// What it says.
    pub text: String,
}

/// Of what kind a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// Everybody of the team may join: the relay joins by itself.
    Public,
    /// The relay must be invited.
    Private,
    /// Between two people or a group: a bot can never post there.
    Direct,
    /// Archived, whatever it was: nobody can post there until it is unarchived.
    Archived,
}

/// A person as the chat server knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub user_id: UserId,
    /// The user name, without @.
    pub user_name: String,
    /// How the server would show the name to others.
    pub display_name: String,
    /// Holds the role `system_admin`; never true of a deactivated account.
    pub is_system_admin: bool,
    /// Was deactivated: its roles, also in channels, and its links count no more.
    pub is_deactivated: bool,
}

/// What a failed call means for the one who made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// No answer: refused, reset, timed out or unreadable. `sent` tells that the call may have been carried out.
    #[error("the chat server could not be reached: {why}")]
    Unreachable {
        /// For the log.
        why: String,
        /// The request had left, so that its effect is unknown.
        sent: bool,
    },
    /// 5xx: the server has trouble of its own; or any status without the server's own form: something else answered in its
    /// place. What a create did is unknown.
    #[error("the chat server is unavailable: {why}")]
    Unavailable {
        /// For the log.
        why: String,
        /// What it asked for with Retry-After.
        after: Option<Duration>,
    },
    /// Something in front of the server answered by itself and gave the request to nobody: nothing was done.
    #[error("the chat server was not reached: {why}")]
    TurnedAway {
        /// For the log.
        why: String,
        /// What it asked for with Retry-After.
        after: Option<Duration>,
    },
    /// 429: nothing was done.
    #[error("the chat server throttles")]
    Throttled {
        /// What it asked for with Retry-After or X-RateLimit-Reset.
        after: Option<Duration>,
    },
    /// 401: the token is wrong, revoked, or its bot disabled; a person must act.
    #[error("the chat server refuses the relay's token: {why}")]
    Unauthorized {
        /// For the log.
        why: String,
    },
    /// 403: not a member, or no permission.
    #[error("the chat server forbids it: {why}")]
    Forbidden {
        /// For the log.
        why: String,
    },
    /// 404: it is not there (any more).
    #[error("the chat server does not know it: {why}")]
    NotFound {
        /// For the log.
        why: String,
    },
    /// A post can no longer be changed, because the server's time limit for edits has passed.
    #[error("the post can no longer be changed: {why}")]
    NotEditable {
        /// For the log.
        why: String,
    },
    /// Nothing was done, and the same call may work again once a person has reversed something: an archived channel.
    #[error("the chat server does not take it for now: {why}")]
    Suspended {
        /// For the log.
        why: String,
    },
    /// 400 of an incoming webhook: nothing was done, for a reason that stays or for a failure of the server's own,
    /// which look the same (src/mattermost/README.md, "Refusals of incoming webhooks"). A few more attempts tell.
    #[error("the chat server does not take it: {why}")]
    Failed {
        /// For the log.
        why: String,
    },
    /// 400, 413 and whatever else will never work the same way again.
    #[error("the chat server refuses it for good: {why}")]
    Refused {
        /// For the log.
        why: String,
    },
}

/// The chat server, as jobs and pages use it. Every call has one deadline over connect, headers and body.
#[async_trait]
pub trait Chat: Send + Sync + 'static {
    /// What this way out can do. With `Notices` only [`Chat::post_notice`], [`Chat::show_in_channel`] and
    /// [`Chat::answer_command`] work; everything else is [`ChatError::Refused`].
    fn kind(&self) -> DeliveryMethod;

    /// Posts a notice in a channel; of an error with `sent: true` and of `Unavailable` nobody knows whether it stands
    /// there. With `Posts` this is `Refused`: use [`Chat::create_post`].
    async fn post_notice(&self, place: &Conversation, content: Rendered) -> Result<(), ChatError>;

    /// Shows something to everybody in the channel of a slash command, through its response URL, which works for 30
    /// minutes and five times: the only way into direct and group messages. Its author is the command's caller.
    async fn show_in_channel(
        &self,
        hook: &ResponseHook,
        content: Rendered,
    ) -> Result<(), ChatError>;

    /// The relay's own account.
    async fn own_account(&self) -> Result<OwnAccount, ChatError>;

    /// Makes a post; `content` stands as given, `key` in its props.
    async fn create_post(&self, post: NewPost) -> Result<PostView, ChatError>;

    /// Replaces what a post shows; `key` is written again (props are replaced as a whole).
    async fn patch_post(
        &self,
        post: &PostId,
        key: &str,
        content: Rendered,
    ) -> Result<(), ChatError>;

    /// Deletes a post of our own.
    async fn delete_post(&self, post: &PostId) -> Result<(), ChatError>;

    /// Reads one post.
    async fn read_post(&self, post: &PostId) -> Result<PostView, ChatError>;

    /// Own posts in `channel` that carry `key`, made at or after `since` (our clock; the implementation corrects
    /// it to the server's), oldest first.
    async fn find_posts(
        &self,
        channel: &ChannelId,
        key: &str,
        since: Timestamp,
    ) -> Result<Vec<PostView>, ChatError>;

    /// The public channels of the relay's account, with the times of their newest posts.
    async fn own_channels(&self) -> Result<OwnChannels, ChatError> {
        Err(no_account())
    }

    /// What people wrote in `channel` after `since` (on the server's clock), oldest first. Posts that were edited or
    /// deleted since, and those of bots, webhooks and the server itself, are left out.
    async fn written_posts(
        &self,
        channel: &ChannelId,
        since: Timestamp,
    ) -> Result<Vec<WrittenPost>, ChatError> {
        let _ = (channel, since);
        Err(no_account())
    }

    /// The outgoing webhooks of a team that call a relay, as far as the account may see them; most accounts may see
    /// none ([`ChatError::Forbidden`]).
    async fn outgoing_hooks(&self, team: &TeamId) -> Result<Vec<RegisteredHook>, ChatError> {
        let _ = team;
        Err(no_account())
    }

    /// How the server shows a person to others; `None` if that is not known now. Answered within about a second, and
    /// not always asked.
    async fn person_name(&self, user: &UserId) -> Option<String> {
        let account = self.account(user).await;
        account.ok().map(|account| account.display_name)
    }

    /// How the server shows a channel; likewise.
    async fn channel_name(&self, channel: &ChannelId) -> Option<String> {
        let _ = channel;
        None
    }

    /// Of what kind a channel is; [`ChatError::Forbidden`] for one that the relay may not even read.
    async fn channel_kind(&self, channel: &ChannelId) -> Result<ChannelKind, ChatError>;

    /// Makes the relay a member of a public channel of its team.
    async fn join_channel(&self, channel: &ChannelId) -> Result<(), ChatError>;

    /// Whether the relay is a member of `channel`.
    async fn is_channel_member(&self, channel: &ChannelId) -> Result<bool, ChatError> {
        let _ = channel;
        Err(no_account())
    }

    /// Whether the relay is a member of `team`.
    async fn is_team_member(&self, team: &TeamId) -> Result<bool, ChatError> {
        let _ = team;
        Err(no_account())
    }

    /// Whether `user` administers `channel`; false also for somebody who is not in it.
    async fn is_channel_admin(&self, channel: &ChannelId, user: &UserId)
    -> Result<bool, ChatError>;

    /// One person.
    async fn account(&self, user: &UserId) -> Result<Account, ChatError>;

    /// Sends an ephemeral text through a slash command's response URL, which works for 30 minutes and five times.
    async fn answer_command(&self, hook: &ResponseHook, text: &str) -> Result<(), ChatError>;

    /// A direct message to one person; `key` as for posts. Nothing is written if one with this key stands there since
    /// `since` (our clock).
    async fn direct_message(
        &self,
        user: &UserId,
        key: &str,
        text: &str,
        since: Timestamp,
    ) -> Result<(), ChatError>;

    /// Where people open a channel in their browser; `None` where that is not known.
    async fn channel_address(&self, place: &Conversation) -> Option<String> {
        let _ = place;
        None
    }
}

fn no_account() -> ChatError {
    ChatError::Refused {
        why: "this way out is no account that could read channels".to_owned(),
    }
}
