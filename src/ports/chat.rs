//! The chat server (Mattermost), as the relay uses it.

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
    /// Its user name without @, for the hint to type `/invite @name`.
    pub user_name: String,
}

/// A post to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPost {
    /// The channel that it is posted in.
    pub channel: ChannelId,
    /// The root post of the thread that it is posted in; never itself a reply. `None`: outside of threads.
    pub root: Option<PostId>,
    /// The relay's own key for this post (`<meeting>:<post key>`), stored in its props. [`Chat::find_posts`] finds the
    /// post by it.
    pub key: String,
    /// The message and attachment that it shows.
    pub content: Rendered,
}

/// A post as the server returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostView {
    /// The post's id.
    pub id: PostId,
    /// The channel that it is in.
    pub channel: ChannelId,
    /// The user id of its author.
    pub user: UserId,
    /// The root post of its thread; `None` when it is not a reply.
    pub root: Option<PostId>,
    /// When it was created, on the server's clock.
    pub created_at: Timestamp,
    /// The relay's own key in its props, if it has one.
    pub key: Option<String>,
}

/// The public channels that the relay's account is in, without archived ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChannels {
    /// When the server answered, on the server's clock.
    pub now: Timestamp,
    /// The channels, in no particular order.
    pub channels: Vec<OwnChannel>,
}

/// A public channel that the relay's account is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChannel {
    /// The channel's id.
    pub id: ChannelId,
    /// Its name in addresses.
    pub name: String,
    /// The team that it belongs to.
    pub team: TeamId,
    /// The team's name in addresses.
    pub team_name: String,
    /// When its newest post was created, on the server's clock.
    pub last_post_at: Timestamp,
}

/// An outgoing webhook that is registered at the server and calls a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredHook {
    /// The only channel whose posts trigger it; `None`: those of every public channel of its team.
    pub channel: Option<ChannelId>,
    /// Its trigger words: it is called for posts that begin with one of them. Empty: for every post of its channel.
    pub words: Vec<String>,
    /// Whether the first word of a post only has to begin with a trigger word, instead of being equal to it.
    pub is_prefix: bool,
}

/// A post that a person wrote and did not edit or delete since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPost {
    /// The post's id.
    pub id: PostId,
    /// The user id of its author.
    pub user: UserId,
    /// When it was created, on the server's clock.
    pub created_at: Timestamp,
    /// Its message, as the person typed it.
    pub text: String,
}

/// The kind of a channel: it decides how the relay can come to post there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// Everybody in the team may join, so the relay joins by itself.
    Public,
    /// A member must invite the relay.
    Private,
    /// Direct or group message: a bot can never post there.
    Direct,
    /// Archived, whatever its kind was: nobody can post there until it is unarchived.
    Archived,
}

/// A person as the chat server knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub user_id: UserId,
    /// The user name, without @.
    pub user_name: String,
    /// The name as the server shows it to others.
    pub display_name: String,
    /// Has the role `system_admin`; never true for a deactivated account.
    pub is_system_admin: bool,
    /// Was deactivated: its roles, also those in channels, and its links are no longer valid.
    pub is_deactivated: bool,
}

/// Why a call failed, by what the caller has to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// No answer: refused, reset, timed out or unreadable. With `sent` the call may have been carried out.
    #[error("the chat server could not be reached: {why}")]
    Unreachable {
        /// The cause, for the log.
        why: String,
        /// Whether the request was sent, so that its effect is unknown.
        sent: bool,
    },
    /// 5xx: the server has a fault; or any status without the server's own format: something else, such as a proxy,
    /// answered in its place. Whether a create succeeded is unknown.
    #[error("the chat server is unavailable: {why}")]
    Unavailable {
        /// The cause, for the log.
        why: String,
        /// What it asked for with Retry-After.
        after: Option<Duration>,
    },
    /// A proxy in front of the server answered and did not forward the request: nothing was done.
    #[error("the chat server was not reached: {why}")]
    TurnedAway {
        /// The cause, for the log.
        why: String,
        /// What it asked for with Retry-After.
        after: Option<Duration>,
    },
    /// 429: the rate limit was reached; nothing was done.
    #[error("the chat server throttles")]
    Throttled {
        /// The pause that the answer asked for with Retry-After or X-RateLimit-Reset.
        after: Option<Duration>,
    },
    /// 401: the token is wrong or revoked, or its bot is disabled; an operator must correct it.
    #[error("the chat server refuses the relay's token: {why}")]
    Unauthorized {
        /// The cause, for the log.
        why: String,
    },
    /// 403: the account is not a member, or has no permission.
    #[error("the chat server forbids it: {why}")]
    Forbidden {
        /// The cause, for the log.
        why: String,
    },
    /// 404: it does not exist, or no longer.
    #[error("the chat server does not know it: {why}")]
    NotFound {
        /// The cause, for the log.
        why: String,
    },
    /// The post can no longer be changed, because the server's time limit for edits has passed.
    #[error("the post can no longer be changed: {why}")]
    NotEditable {
        /// The cause, for the log.
        why: String,
    },
    /// Nothing was done. The same call may succeed once a person has changed something back, for instance unarchived
    /// the channel.
    #[error("the chat server does not take it for now: {why}")]
    Suspended {
        /// The cause, for the log.
        why: String,
    },
    /// 400 of an incoming webhook: nothing was done. A permanent refusal and a passing failure of the server look the
    /// same (src/mattermost/README.md, "Refusals of incoming webhooks"), so a few more attempts are made.
    #[error("the chat server does not take it: {why}")]
    Failed {
        /// The cause, for the log.
        why: String,
    },
    /// 400, 413 and all other answers after which the same call will never succeed.
    #[error("the chat server refuses it for good: {why}")]
    Refused {
        /// The cause, for the log.
        why: String,
    },
}

/// The chat server, as jobs and pages use it. Every call has one deadline over connect, headers and body.
#[async_trait]
pub trait Chat: Send + Sync + 'static {
    /// What this delivery method can do. With `Notices` only [`Chat::post_notice`], [`Chat::show_in_channel`] and
    /// [`Chat::answer_command`] work; every other call returns [`ChatError::Refused`].
    fn kind(&self) -> DeliveryMethod;

    /// Posts a notice in a channel. After an error with `sent: true` and after `Unavailable` it is unknown whether the
    /// notice was posted. With `Posts` this returns `Refused`: use [`Chat::create_post`].
    async fn post_notice(&self, place: &Conversation, content: Rendered) -> Result<(), ChatError>;

    /// Posts something for everybody in the channel of a slash command, through the command's response URL, which
    /// works for 30 minutes and five times. The relay can post into direct and group messages only like this. The
    /// author of the post is the person who typed the command.
    async fn show_in_channel(
        &self,
        hook: &ResponseHook,
        content: Rendered,
    ) -> Result<(), ChatError>;

    /// The relay's own account.
    async fn own_account(&self) -> Result<OwnAccount, ChatError>;

    /// Creates a post that shows `content` unchanged, with `key` in its props.
    async fn create_post(&self, post: NewPost) -> Result<PostView, ChatError>;

    /// Replaces what a post shows. `key` is written again, because the server replaces all props at once.
    async fn patch_post(
        &self,
        post: &PostId,
        key: &str,
        content: Rendered,
    ) -> Result<(), ChatError>;

    /// Deletes a post of the relay's own.
    async fn delete_post(&self, post: &PostId) -> Result<(), ChatError>;

    /// Reads one post.
    async fn read_post(&self, post: &PostId) -> Result<PostView, ChatError>;

    /// The relay's own posts in `channel` with `key`, created at or after `since`, oldest first. `since` is on our
    /// clock; the implementation converts it to the server's.
    async fn find_posts(
        &self,
        channel: &ChannelId,
        key: &str,
        since: Timestamp,
    ) -> Result<Vec<PostView>, ChatError>;

    /// The public channels that the relay's account is in, with the times of their newest posts.
    async fn own_channels(&self) -> Result<OwnChannels, ChatError> {
        Err(no_account())
    }

    /// Posts that people wrote in `channel` after `since` (on the server's clock), oldest first. Left out are posts
    /// that were edited or deleted since, and those of bots, webhooks and the server itself.
    async fn written_posts(
        &self,
        channel: &ChannelId,
        since: Timestamp,
    ) -> Result<Vec<WrittenPost>, ChatError> {
        let _ = (channel, since);
        Err(no_account())
    }

    /// The outgoing webhooks of a team that call a relay, as far as the account may read them. Most accounts may read
    /// none ([`ChatError::Forbidden`]).
    async fn outgoing_hooks(&self, team: &TeamId) -> Result<Vec<RegisteredHook>, ChatError> {
        let _ = team;
        Err(no_account())
    }

    /// The name of a person as the server shows it to others; `None` if it is not known now. Returns within about a
    /// second; the answer may come from a cache.
    async fn person_name(&self, user: &UserId) -> Option<String> {
        let account = self.account(user).await;
        account.ok().map(|account| account.display_name)
    }

    /// The display name of a channel; `None` and timing as for [`Chat::person_name`].
    async fn channel_name(&self, channel: &ChannelId) -> Option<String> {
        let _ = channel;
        None
    }

    /// The kind of a channel; [`ChatError::Forbidden`] for one that the relay may not even read.
    async fn channel_kind(&self, channel: &ChannelId) -> Result<ChannelKind, ChatError>;

    /// Makes the relay a member of a public channel of its team.
    async fn join_channel(&self, channel: &ChannelId) -> Result<(), ChatError>;

    /// Asks whether the relay is a member of `channel`.
    async fn is_channel_member(&self, channel: &ChannelId) -> Result<bool, ChatError> {
        let _ = channel;
        Err(no_account())
    }

    /// Asks whether the relay is a member of `team`.
    async fn is_team_member(&self, team: &TeamId) -> Result<bool, ChatError> {
        let _ = team;
        Err(no_account())
    }

    /// Asks whether `user` administers `channel`; also false for a person who is not in it.
    async fn is_channel_admin(&self, channel: &ChannelId, user: &UserId)
    -> Result<bool, ChatError>;

    /// Reads the account of one person.
    async fn account(&self, user: &UserId) -> Result<Account, ChatError>;

    /// Sends an ephemeral text through a slash command's response URL, which works for 30 minutes and five times.
    async fn answer_command(&self, hook: &ResponseHook, text: &str) -> Result<(), ChatError>;

    /// Sends a direct message to one person, with `key` in its props as for posts. Nothing is sent if a message with
    /// this key was already created at or after `since` (our clock).
    async fn direct_message(
        &self,
        user: &UserId,
        key: &str,
        text: &str,
        since: Timestamp,
    ) -> Result<(), ChatError>;

    /// The address under which people open a channel in their browser; `None` if it is not known.
    async fn channel_address(&self, place: &Conversation) -> Option<String> {
        let _ = place;
        None
    }
}

fn no_account() -> ChatError {
    ChatError::Refused {
        why: "this delivery method has no account that could read channels".to_owned(),
    }
}
