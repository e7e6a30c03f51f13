//! How a fake server is set up.

use super::panel::DemoPanel;
use super::posting::MESSAGE_MAX;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Settings of one fake server; the default is a fresh Mattermost 11 with the features switched on.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one, which is kept over a stop and start.
    pub listen: SocketAddr,
    /// The server's clock minus the machine's, in milliseconds.
    pub clock_skew_ms: i64,
    /// RateLimitSettings; `None`: switched off, as by default.
    pub rate_limit: Option<RateLimit>,
    /// PostEditTimeLimit; `None`: -1, no limit.
    pub edit_time_limit: Option<Duration>,
    /// MaxPostSize: the longest text of a post, in characters.
    pub post_chars_max: usize,
    /// How long an integration may take to answer; 30 s in the real server.
    pub integration_timeout: Duration,
    /// EnablePostUsernameOverride: names given by integrations are shown.
    pub username_override: bool,
    /// TeammateNameDisplay: how names are shown to others.
    pub name_display: &'static str,
    /// SiteURL, where people know the server by another address than the relay; `None`: the listener's.
    pub site_url: Option<String>,
    /// What the demo puts beside the chat.
    pub panel: DemoPanel,
    /// Alice, Bob, Carol, root and the usual channels; without it the server is empty but for one team.
    pub is_populated: bool,
}

/// RateLimitSettings of a Mattermost server.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests that may come at once on top of the first.
    pub max_burst: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock_skew_ms: 0,
            rate_limit: None,
            edit_time_limit: None,
            post_chars_max: MESSAGE_MAX,
            integration_timeout: Duration::from_secs(30),
            username_override: false,
            name_display: "username",
            site_url: None,
            panel: DemoPanel::default(),
            is_populated: true,
        }
    }
}
