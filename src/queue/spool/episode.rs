//! The two log lines of a time in which the spool was needed: when it began, and when all of it was forwarded.

use std::time::Duration;

use tokio::time::Instant;

use crate::ports::PublishError;

/// A broker that comes and goes is told of once in this time.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// From the first message in the empty spool until it is empty again.
#[derive(Debug, Default)]
pub(super) struct Episode {
    /// When the line about its beginning was written last.
    told: Option<Instant>,
    /// The line about its end is still owed.
    is_open: bool,
    spooled: u64,
    forwarded: u64,
}

impl Episode {
    /// A message was stored because of `why`; `None` when the broker was not even tried.
    pub(super) fn spooled(&mut self, why: Option<&PublishError>) {
        self.spooled += 1;
        let should_log = self
            .told
            .is_none_or(|told| told.elapsed() >= TOLD_AGAIN_AFTER);
        if self.is_open || !should_log {
            return;
        }
        self.is_open = true;
        self.told = Some(Instant::now());
        let why = why.map_or_else(|| "it was too slow before".to_owned(), ToString::to_string);
        tracing::warn!(%why, "the broker does not take events: they go to the spool until it does");
    }

    /// So many were confirmed, and the spool is empty now or not.
    pub(super) fn forwarded(&mut self, count: u64, is_drained: bool) {
        self.forwarded += count;
        if !self.is_open || !is_drained {
            return;
        }
        let (spooled, forwarded) = (self.spooled, self.forwarded);
        let seconds = self.told.map_or(0, |told| told.elapsed().as_secs());
        tracing::info!(
            spooled,
            forwarded,
            seconds,
            "the broker has everything that was in the spool"
        );
        (self.is_open, self.spooled, self.forwarded) = (false, 0, 0);
    }
}
