//! How metrics learn of calls without this module knowing them.

use std::time::Duration;

use super::RateLimit;

/// One call, with all that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReport {
    /// Who was called: `mattermost` or `plugnmeet`.
    pub target: &'static str,
    /// What for. Mattermost: `create_post`, `patch_post`, `answer_command`, `read`; plugNmeet: `create_room`,
    /// `end_room`, `mint_token`, `ask`.
    pub operation: &'static str,
    /// How it ended: `2xx`, `4xx`, `5xx`, `unauthorized`, `rate_limited` or `unreachable`.
    pub outcome: &'static str,
    /// From the call to its last byte.
    pub duration: Duration,
    /// What the peer said about its rate limit.
    pub rate_limit: Option<RateLimit>,
}

/// Somebody who counts calls. Called in the path of every call: it must not block.
pub trait CallObserver: Send + Sync + 'static {
    /// A call has ended.
    fn call_ended(&self, report: &CallReport);
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl CallObserver for Unobserved {
    fn call_ended(&self, _report: &CallReport) {}
}
