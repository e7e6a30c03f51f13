//! The cursor of the catch-up: the time up to which posts were read, on Mattermost's clock.

use std::time::Duration;

use crate::domain::{ServerName, Timestamp};

/// Prefix of the store's setting that holds the cursor; the server's name follows.
pub(super) const CURSOR: &str = "caught_up_to:";
/// Prefix of a cursor that is on the relay's clock.
pub(super) const OURS: &str = "ours:";
/// Posts of this time before the cursor are read again. A post may become visible later than its own time says, and the
/// starts of the last minute count towards the limit of the next ones.
pub(super) const OVERLAP: Duration = Duration::from_secs(60);
/// How far the server's clock may differ from the relay's estimate of it.
pub(super) const CLOCK_MARGIN: Duration = Duration::from_secs(1);

/// The time up to which posts were read, on the server's clock.
pub(super) struct Cursor {
    pub(super) at: Timestamp,
    /// It is the time of the relay's installation: no post before it was meant for the relay.
    is_first: bool,
}

impl Cursor {
    /// Parses a stored cursor; `None` if the text is not valid. The first cursor is on the relay's clock, because
    /// Mattermost's clock was not known when it was written.
    pub(super) fn parse(text: &str, now: Timestamp, our_now: Timestamp) -> Option<Self> {
        let (is_first, millis) = match text.strip_prefix(OURS) {
            Some(ours) => (true, ours),
            None => (false, text),
        };
        let kept = Timestamp::from_millis(millis.parse().ok()?);
        let at = if is_first {
            now.minus(our_now.since(kept))
        } else {
            kept
        };
        Some(Self {
            at: at.min(now),
            is_first,
        })
    }

    /// The time from which posts are read again.
    pub(super) fn since(&self) -> Timestamp {
        self.at
            .minus(if self.is_first { CLOCK_MARGIN } else { OVERLAP })
    }
}

/// The name of the store's setting that holds the cursor of a server.
pub(super) fn cursor_name(server: &ServerName) -> String {
    format!("{CURSOR}{server}")
}
