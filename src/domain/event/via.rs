//! How a request arrived.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{BadId, PostId};

/// The id in a `response_url`, after `/hooks/commands/`. Whoever knows it can post with it, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResponseHook(String);

impl ResponseHook {
    /// Takes the id: 1 to 64 ASCII letters and digits, else `None`.
    pub fn parse(id: &str) -> Option<Self> {
        let is_id =
            !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        is_id.then(|| Self(id.to_owned()))
    }

    /// The id, for calling the response URL.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ResponseHook {
    type Error = BadId;
    fn try_from(id: String) -> Result<Self, BadId> {
        Self::parse(&id).ok_or(BadId)
    }
}

impl From<ResponseHook> for String {
    fn from(hook: ResponseHook) -> Self {
        hook.0
    }
}

impl fmt::Debug for ResponseHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseHook([redacted])")
    }
}

/// How a request arrived, and so how its person can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "snake_case")]
pub enum TriggerSource {
    /// A post matched a phrase.
    OutgoingWebhook {
        /// The post. The webhook does not contain its thread.
        post: PostId,
        /// No webhook reported the post in time: the catch-up found it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        caught_up: bool,
        /// The post was read, so that the conversation contains its thread.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        placed: bool,
    },
    /// A slash command.
    SlashCommand {
        /// The response URL for late answers, if it can be used.
        hook: Option<ResponseHook>,
    },
}

impl TriggerSource {
    /// The post of the request, if it was one.
    pub const fn post(&self) -> Option<&PostId> {
        match self {
            Self::OutgoingWebhook { post, .. } => Some(post),
            Self::SlashCommand { .. } => None,
        }
    }

    /// Whether the catch-up found the post, because no webhook reported it in time.
    pub const fn is_caught_up(&self) -> bool {
        matches!(
            self,
            Self::OutgoingWebhook {
                caught_up: true,
                ..
            }
        )
    }
}
