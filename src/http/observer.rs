//! The trait through which calls are reported to the metrics, so that this module does not depend on them.

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
        /// The peer asks to wait.
        RateLimited = "rate_limited",
        /// The peer failed by itself.
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

/// How one call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallReport {
    /// The purpose of the call, and with it the peer.
    pub operation: Operation,
    /// The result.
    pub outcome: CallOutcome,
    /// Time from the call to the last byte of its answer.
    pub duration: Duration,
    /// The peer's rate limit, if the answer has it.
    pub rate_limit: Option<RateLimit>,
}

/// Receives reports of calls. It is called during every call, so it must not block.
pub(crate) trait CallObserver: Send + Sync + 'static {
    /// A call has ended.
    fn call_ended(&self, report: &CallReport);

    /// A peer refuses the relay's credential from now on (`refusal`: why, and what to change), or accepts it again
    /// (`None`). It is called at the first answer that shows it.
    fn access_changed(&self, peer: Peer, refusal: Option<&str>) {
        let _ = (peer, refusal);
    }
}

/// An observer that ignores everything.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unobserved;

#[cfg(test)]
impl CallObserver for Unobserved {
    fn call_ended(&self, _report: &CallReport) {}
}
