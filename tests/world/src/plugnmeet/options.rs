//! How a fake plugNmeet is set up.

use std::net::SocketAddr;
use std::time::Duration;

/// The settings of one fake. Times that the real server spends waiting are multiplied by [`Options::time_scale`].
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 picks a free one, which stays the same over [`stop`](super::FakePlugNmeet::stop)
    /// and [`resume`](super::FakePlugNmeet::resume).
    pub address: SocketAddr,
    /// The key in `API-KEY` and in `iss` of every token.
    pub api_key: String,
    /// The secret of every signature.
    pub api_secret: String,
    /// `client.webhook_conf.url`: gets every event of every room.
    pub global_webhook_url: Option<String>,
    /// `client.webhook_conf.enable_for_per_meeting`: whether a room's own `metadata.webhook_url` is used.
    pub per_room_webhooks: bool,
    /// `application/json`, or `application/webhook+json` as servers up to 2.3.0 send.
    pub webhook_content_type: String,
    /// 1 is real time; tests use e.g. 0.02. Scales retries and `Retry-After` of webhooks, locks, ends and timeouts,
    /// never the life of tokens.
    pub time_scale: f64,
    /// How far the clock that creation times come from is ahead of the one that dates events.
    pub creation_clock_ahead: Duration,
    /// From endRoom to session_ended: 1.0 s seen on the real server.
    pub end_delay: Duration,
    /// LiveKit's departure_timeout, from the last leave to room_finished: 20 s by default.
    pub departure_timeout: Duration,
    /// `client.token_validity`: 10 min.
    pub join_token_validity: Duration,
    /// `recorder_info.token_validity`: 30 min.
    pub recording_token_validity: Duration,
    /// `artifacts_settings.token_validity`: 10 min.
    pub artifact_token_validity: Duration,
    /// Whether a room that asks for `enable_dial_in_on_create` gets a pin (recorded: api-create-sip-pin), as with a SIP
    /// trunk configured.
    pub dial_in: bool,
    /// Whether every room's metadata holds `CANARY-` secrets (stream key, SIP pin, E2EE key, prompt), as real rooms
    /// may. They must never come out of the relay.
    pub canaries: bool,
}

impl Default for Options {
    /// A server on a free port of 127.0.0.1 with the public sample key pair, per-room webhooks, in real time.
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_key: "plugnmeet".to_owned(),
            api_secret: "zumyyYWqv7KR2kUqvYdq4z4sXg7XTBD2ljT6".to_owned(),
            global_webhook_url: None,
            per_room_webhooks: true,
            webhook_content_type: "application/json".to_owned(),
            time_scale: 1.0,
            creation_clock_ahead: Duration::ZERO,
            end_delay: Duration::from_secs(1),
            departure_timeout: Duration::from_secs(20),
            join_token_validity: Duration::from_secs(600),
            recording_token_validity: Duration::from_secs(1800),
            artifact_token_validity: Duration::from_secs(600),
            dial_in: false,
            canaries: true,
        }
    }
}
