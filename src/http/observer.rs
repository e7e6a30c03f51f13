//! How metrics learn of calls without this module knowing them.

use std::time::Duration;

use super::RateLimit;

/// One call, with all that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReport {
    /// Who was called: `mattermost` or `plugnmeet`.
    pub target: &'static str,
    /// What for. Mattermost: `own_account`, `create_post`, `post_notice`, `patch_post`, `delete_post`, `read_post`, `find_posts`,
    /// `channel_kind`, `join_channel`, `is_channel_member`, `is_channel_admin`, `own_teams`, `account`, `client_config`, `answer_command`,
    /// `direct_channel`, `log_in`, `log_out`; plugNmeet: `create_room`, `join`, `room_activity`, `end_room`, `find_recordings`,
    /// `find_artifacts`, `download_token`, `download`.
    pub operation: &'static str,
    /// How it ended: `ok`, or the port's error: `unreachable`, `unavailable`, `throttled`, `unauthorized`,
    /// `forbidden`, `not_found`, `not_editable`, `refused`, `internal`, `room_gone`, `blocked`.
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

    /// A peer refuses the relay's credential from now on (`refusal`: why, and what to change), or takes it again
    /// (`None`): told at the first answer that says so.
    fn access_changed(&self, target: &'static str, refusal: Option<&str>) {
        let _ = (target, refusal);
    }
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl CallObserver for Unobserved {
    fn call_ended(&self, _report: &CallReport) {}
}
