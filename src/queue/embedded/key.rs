//! The position of a message in its queue.

use std::time::Duration;

use crate::domain::Timestamp;

/// The position of a message in the index of its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    /// When it becomes visible, in milliseconds of the relay's clock. 0: at once, whatever the clock shows later.
    pub(super) due: i64,
    /// The message's number, which grows with each commit.
    pub(super) number: i64,
}

impl RowKey {
    /// The position of a message that is published at `now`.
    pub(super) fn new(now: Timestamp, delay: Duration, number: i64) -> Self {
        let due = if delay.is_zero() {
            0
        } else {
            // The clock counts whole milliseconds, so the delay is at least one: no message is early.
            now.plus(delay.max(Duration::from_millis(1)))
                .millis()
                .max(1)
        };
        Self { due, number }
    }

    pub(super) fn is_delayed(self) -> bool {
        self.due != 0
    }

    pub(super) fn before(self) -> Self {
        Self {
            due: self.due,
            number: self.number - 1,
        }
    }
}
