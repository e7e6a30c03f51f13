//! Requests that look like a peer's and came to an address that the relay does not have.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One line at most within this time; the next one tells how many requests there were.
const LOGGED_EVERY: Duration = Duration::from_secs(60);
/// Most segments of a path that are shown.
const SEGMENTS_MAX: usize = 8;
/// What the relay's own paths consist of.
const WORDS: [&str; 11] = [
    "api",
    "auth",
    "artifact",
    "command",
    "file",
    "hooks",
    "join",
    "mattermost",
    "outgoing",
    "plugnmeet",
    "webhook",
];
/// A path with one of these was meant for the relay.
const MEANT: [&str; 5] = ["mattermost", "plugnmeet", "outgoing", "command", "webhook"];

/// What was lost lately.
#[derive(Debug, Default)]
pub(super) struct Lost(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged_at: Option<Instant>,
    /// Since then.
    count: u64,
}

impl Lost {
    /// Logs it if it looks like a webhook or command that missed its address.
    pub(super) fn note(&self, method: &'static str, path: &str) {
        let Some(shape) = shape(path) else { return };
        let Some(requests) = self.count() else { return };
        tracing::warn!(
            method,
            path = shape,
            requests,
            "a request came to an address that the relay does not have: correct it where it is configured; \
             an outgoing webhook goes to <server.public_url>/mattermost/outgoing, a slash command to \
             <server.public_url>/mattermost/command, plugNmeet's webhook to <server.public_url>/plugnmeet/webhook; \
             `meetrelay check` prints them. A reverse proxy must take a sub-path off"
        );
    }

    /// How many there were since the last line, if it is time for the next one.
    fn count(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let is_due = state
            .logged_at
            .is_none_or(|at| at.elapsed() >= LOGGED_EVERY);
        if !is_due {
            return None;
        }
        state.logged_at = Some(Instant::now());
        Some(std::mem::take(&mut state.count))
    }
}

/// The path with only our own words in it, since anything else may be a secret; `None` when it was hardly meant for us.
fn shape(path: &str) -> Option<String> {
    let known =
        |segment: &str, words: &[&str]| words.iter().any(|word| segment.eq_ignore_ascii_case(word));
    let segments = || path.split('/').filter(|segment| !segment.is_empty());
    if !segments().any(|segment| known(segment, &MEANT)) {
        return None;
    }
    let mut shape = String::new();
    for segment in segments().take(SEGMENTS_MAX) {
        shape.push('/');
        shape.push_str(if known(segment, &WORDS) {
            segment
        } else {
            "..."
        });
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f17_only_our_own_words_of_a_path_are_shown() {
        for (path, expected) in [
            (
                "/relay/mattermost/outgoing",
                Some("/.../mattermost/outgoing"),
            ),
            ("/MATTERMOST/Outgoing", Some("/MATTERMOST/Outgoing")),
            (
                "/mattermost/outgoing/CANARY",
                Some("/mattermost/outgoing/..."),
            ),
            ("/plugnmeet", Some("/plugnmeet")),
            ("/join/CANARY", None),
            ("/wp-login.php", None),
            ("/", None),
        ] {
            assert_eq!(shape(path).as_deref(), expected, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn f17_a_flood_is_one_line_a_minute_with_its_count() {
        let lost = Lost::default();
        assert_eq!(lost.count(), Some(1));
        for _ in 0..500 {
            assert_eq!(lost.count(), None);
        }
        tokio::time::advance(LOGGED_EVERY).await;
        assert_eq!(lost.count(), Some(501));
    }
}
