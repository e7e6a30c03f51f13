//! How a request came.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{BadId, PostId};

/// The part of a `response_url` that is used: the id behind `/hooks/commands/`. A capability, so Debug hides it.
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

    /// The id, for the one who calls it.
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

/// How a request came, and so how its person can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "snake_case")]
pub enum TriggerSource {
    /// A post matched a phrase.
    OutgoingWebhook {
        /// That post. The webhook does not tell its thread.
        post: PostId,
        /// No webhook told of it in time: the relay found it when it looked through its channels.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        caught_up: bool,
        /// The post was read: the place tells its thread.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        placed: bool,
    },
    /// A slash command.
    SlashCommand {
        /// Where a late answer goes, if anywhere.
        hook: Option<ResponseHook>,
    },
}

impl TriggerSource {
    /// The post that asked, if one did.
    pub const fn post(&self) -> Option<&PostId> {
        match self {
            Self::OutgoingWebhook { post, .. } => Some(post),
            Self::SlashCommand { .. } => None,
        }
    }

    /// The relay found the post: no webhook had told of it in time.
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
