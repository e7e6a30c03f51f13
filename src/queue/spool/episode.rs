//! The two log lines of a period in which the spool was needed: when it began, and when all of its messages were
//! forwarded.

use std::time::Duration;

use tokio::time::Instant;

use crate::ports::PublishError;

/// A broker that is unavailable repeatedly is logged once within this time.
const LOG_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The period from the first message in the empty spool until it is empty again.
#[derive(Debug, Default)]
pub(super) struct Episode {
    /// When the line about the beginning was last logged.
    logged_at: Option<Instant>,
    /// The line about the end has not been logged yet.
    is_open: bool,
    spooled: u64,
    forwarded: u64,
}

impl Episode {
    /// Counts a message that was stored because of `why`; `None` if the broker was not tried.
    pub(super) fn spooled(&mut self, why: Option<&PublishError>) {
        self.spooled += 1;
        let should_log = self
            .logged_at
            .is_none_or(|logged_at| logged_at.elapsed() >= LOG_AGAIN_AFTER);
        if self.is_open || !should_log {
            return;
        }
        self.is_open = true;
        self.logged_at = Some(Instant::now());
        let why = why.map_or_else(
            || "an earlier publish was not confirmed in time".to_owned(),
            ToString::to_string,
        );
        tracing::warn!(%why, "the broker does not accept events: they are stored in the spool until it does");
    }

    /// Counts `count` confirmed messages. `is_drained`: the spool is empty now.
    pub(super) fn forwarded(&mut self, count: u64, is_drained: bool) {
        self.forwarded += count;
        if !self.is_open || !is_drained {
            return;
        }
        let (spooled, forwarded) = (self.spooled, self.forwarded);
        let seconds = self
            .logged_at
            .map_or(0, |logged_at| logged_at.elapsed().as_secs());
        tracing::info!(
            spooled,
            forwarded,
            seconds,
            "the broker has everything that was in the spool"
        );
        (self.is_open, self.spooled, self.forwarded) = (false, 0, 0);
    }
}
