//! The server's own clock: the machine's, shifted.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A clock that differs from the machine's by a settable number of milliseconds. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SkewedClock(Arc<AtomicI64>);

impl SkewedClock {
    /// A clock ahead of the machine's by `skew_ms` (negative: behind).
    pub fn with_skew_ms(skew_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(skew_ms)))
    }

    /// Milliseconds since 1970 as this server sees it; at once after [`SkewedClock::advance`] too.
    pub fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.0.load(Ordering::SeqCst)
    }

    /// Lets `by` pass at once: windows and lifetimes end without waiting for them.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// The value of the `Date` header.
    pub(crate) fn http_date(&self) -> String {
        let now = jiff::Timestamp::from_millisecond(self.now_ms()).unwrap_or_default();
        now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
}
