//! The only place that reads the system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;
use crate::ports::Clock;

/// The system's clock; a time before 1970 reads as 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system's clock"
    )]
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis.saturating_add(offset()).max(0))
    }
}

#[cfg(not(feature = "crash-points"))]
#[inline(always)]
const fn offset() -> i64 {
    0
}

#[cfg(feature = "crash-points")]
use set_by_tests::offset;

/// A clock that is wrong, or jumps: only builds with the feature `crash-points` (the tests' own) have it.
#[cfg(feature = "crash-points")]
mod set_by_tests {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    #[expect(
        clippy::disallowed_methods,
        reason = "no configuration of operators: no released build reads it"
    )]
    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("MEETRELAY_CLOCK_FILE").map(PathBuf::from));

    /// How far the clock is off, in milliseconds, as the file says that `MEETRELAY_CLOCK_FILE` names; it is read at
    /// each look, so that a test can let the clock jump.
    pub(super) fn offset() -> i64 {
        let text = FILE
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}
