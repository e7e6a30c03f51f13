//! Requests that look like a webhook or a command but were sent to a path that the relay does not have.

use crate::log_throttle::LogThrottle;

/// Most segments of a path that are shown.
const SEGMENTS_MAX: usize = 8;
/// The segments of the relay's own paths.
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

/// Logs such requests, with a limited rate.
#[derive(Debug, Default)]
pub(super) struct Lost(LogThrottle);

impl Lost {
    /// Logs the request if it looks like a webhook or command that was sent to a wrong path.
    pub(super) fn note(&self, method: &'static str, path: &str) {
        let Some(shape) = shape(path) else { return };
        let Some(requests) = self.0.next_line() else {
            return;
        };
        tracing::warn!(
            method,
            path = shape,
            requests,
            "a request was sent to a path that the relay does not have: correct the address where it is configured; \
             an outgoing webhook goes to <server.public_url>/mattermost/outgoing, a slash command to \
             <server.public_url>/mattermost/command, plugNmeet's webhook to <server.public_url>/plugnmeet/webhook; \
             `meetrelay check` prints them. A reverse proxy must take a sub-path off"
        );
    }
}

/// The path with only our own words in it, because other segments may be secrets; `None` if the request was probably
/// not meant for the relay.
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
}
