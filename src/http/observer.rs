//! How metrics learn of calls without this module knowing them.

use std::time::Duration;

use crate::domain::Peer;
use crate::domain::label::labels;

use super::RateLimit;

labels! {
    /// What a call is for.
    pub enum Operation of peer {
        /// Making a post or a notice.
        CreatePost = "create_post",
        /// Changing or deleting a post.
        PatchPost = "patch_post",
        /// Answering a command through its response URL.
        AnswerCommand = "answer_command",
        /// Everything else of Mattermost: reading posts, channels and people, joining a channel, logging in and out.
        Read = "read",
        /// Making a room.
        CreateRoom = "create_room",
        /// Ending a room.
        EndRoom = "end_room",
        /// Minting a join or download token.
        MintToken = "mint_token",
        /// Asking plugNmeet for a room's state, its artifacts or a file.
        Ask = "ask",
    }

    /// How a call ended.
    pub enum CallOutcome {
        /// Done.
        Success = "2xx",
        /// Refused for good, or not there.
        Refused = "4xx",
        /// The relay's token or key is wrong.
        Unauthorized = "unauthorized",
        /// Told to wait.
        RateLimited = "rate_limited",
        /// The peer has trouble of its own.
        ServerError = "5xx",
        /// No connection, or no whole answer within the deadline.
        Unreachable = "unreachable",
    }
}

impl Operation {
    /// The server that is called.
    pub const fn peer(self) -> Peer {
        match self {
            Self::CreatePost | Self::PatchPost | Self::AnswerCommand | Self::Read => {
                Peer::Mattermost
            }
            Self::CreateRoom | Self::EndRoom | Self::MintToken | Self::Ask => Peer::PlugNmeet,
        }
    }
}

/// One call, with all that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallReport {
    /// Who was called, and what for.
    pub operation: Operation,
    /// How it ended.
    pub outcome: CallOutcome,
    /// From the call to its last byte.
    pub duration: Duration,
    /// What the peer said about its rate limit.
    pub rate_limit: Option<RateLimit>,
}

/// Somebody who counts calls. Called in the path of every call: it must not block.
pub(crate) trait CallObserver: Send + Sync + 'static {
    /// A call has ended.
    fn call_ended(&self, report: &CallReport);

    /// A peer refuses the relay's credential from now on (`refusal`: why, and what to change), or takes it again
    /// (`None`): told at the first answer that says so.
    fn access_changed(&self, peer: Peer, refusal: Option<&str>) {
        let _ = (peer, refusal);
    }
}

/// Nobody.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unobserved;

#[cfg(test)]
impl CallObserver for Unobserved {
    fn call_ended(&self, _report: &CallReport) {}
}
