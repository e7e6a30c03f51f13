//! The cursor, on Mattermost's clock.

use std::time::Duration;

use crate::domain::{ServerName, Timestamp};

/// The setting of the store in which the cursor is kept, before the server's name.
pub(super) const CURSOR: &str = "caught_up_to:";
/// Before a cursor that is on our clock.
pub(super) const OURS: &str = "ours:";
/// So much before the cursor is looked at again: a post may show up later than its own time says, and the starts of
/// the last minute count for the next ones.
pub(super) const OVERLAP: Duration = Duration::from_secs(60);
/// How far the server's clock may be from what is known of it.
pub(super) const CLOCK_MARGIN: Duration = Duration::from_secs(1);

/// Up to when posts were looked at, on the server's clock.
pub(super) struct Cursor {
    pub(super) at: Timestamp,
    /// Nothing before is meant for us.
    is_first: bool,
}

impl Cursor {
    /// Reads it; `None` if it cannot be one. Mattermost's clock was not known yet when the first one was written.
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

    pub(super) fn since(&self) -> Timestamp {
        self.at
            .minus(if self.is_first { CLOCK_MARGIN } else { OVERLAP })
    }
}

/// The setting of the store in which the cursor of a server is kept.
pub(super) fn cursor_name(server: &ServerName) -> String {
    format!("{CURSOR}{server}")
}
