//! Tokens, webhooks, commands and what they leave behind.

use serde_json::Value;

/// An access token of a bot or person, or that of a session.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) user_id: String,
    pub(crate) is_active: bool,
    /// Milliseconds; access tokens never expire.
    pub(crate) expires_at: Option<i64>,
}

impl Token {
    pub(crate) fn session(user_id: &str, expires_at: i64) -> Self {
        Self {
            user_id: user_id.to_owned(),
            is_active: true,
            expires_at: Some(expires_at),
        }
    }

    pub(crate) fn is_session(&self) -> bool {
        self.expires_at.is_some()
    }

    /// Whether it is a session's and proves something at this time.
    pub(crate) fn is_session_at(&self, now: i64) -> bool {
        self.is_session() && self.is_good_at(now)
    }

    pub(crate) fn is_good_at(&self, now: i64) -> bool {
        self.is_active && self.expires_at.is_none_or(|at| now < at)
    }
}

/// What the server remembers about one key (src/mattermost/README.md, "Pending post ids").
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// The first post is still being saved.
    InFlight,
    /// Saved as this post; forgotten after this time (milliseconds).
    Saved { post_id: String, until: i64 },
}

/// How a trigger word is compared with the first word of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerWhen {
    /// 0: the first word is the trigger word.
    ExactMatch,
    /// 1: the first word begins with the trigger word.
    StartsWith,
}

/// A registered outgoing webhook.
#[derive(Clone, Debug)]
pub struct OutgoingHook {
    /// 26 characters.
    pub id: String,
    /// Sent in every payload; the only authentication.
    pub token: String,
    /// The team whose public channels are watched.
    pub team_id: String,
    /// Only this channel; empty: every public channel of the team.
    pub channel_id: String,
    /// Who registered it: answers are posted as this user.
    pub creator_id: String,
    /// Compared with the first word only.
    pub trigger_words: Vec<String>,
    /// How they are compared.
    pub trigger_when: TriggerWhen,
    /// All of them are called.
    pub callback_urls: Vec<String>,
    /// JSON if exactly `application/json`, else a form.
    pub content_type: String,
}

/// A registered slash command.
#[derive(Clone, Debug)]
pub(crate) struct SlashCommand {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) team_id: String,
    /// Lower case, without slash.
    pub(crate) trigger: String,
    /// GET with the values in the query instead of POST with a form.
    pub(crate) is_get: bool,
    pub(crate) url: String,
    pub(crate) username: String,
    pub(crate) is_deleted: bool,
}

/// A response URL that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct ResponseUrl {
    pub(crate) command_id: String,
    pub(crate) user_id: String,
    pub(crate) channel_id: String,
    pub(crate) root_id: String,
    pub(crate) create_at: i64,
    pub(crate) used: u32,
}

/// A message shown to one user only; the server does not store it, the fake remembers it.
#[derive(Clone, Debug)]
pub struct Ephemeral {
    /// Who saw it.
    pub user_id: String,
    /// Where it was shown.
    pub channel_id: String,
    /// In this thread; empty: in the channel.
    pub root_id: String,
    /// Markdown.
    pub text: String,
    /// May be empty.
    pub attachments: Vec<Value>,
    /// Shown only if name overrides are switched on; else the caller's own name stands there.
    pub username: String,
    /// Milliseconds on the server's clock.
    pub at: i64,
}
