//! Decides until when messages without a signature are read. A relay of a version before signatures may have left such
//! messages. Once the queue was empty, they are refused for good. They are also refused after [`READ_FOR`], because an
//! attacker who can publish to the broker could keep the queue from becoming empty.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::Timestamp;
use crate::envelope::EnvelopeSigner;
use crate::log_throttle::LogThrottle;
use crate::ports::{Clock, Queue, Store};

use super::queue;
use super::spool::SpoolSide;

/// The store's setting: [`REFUSED`], or the time until which unsigned messages are read, in milliseconds since 1970.
const SETTING: &str = "unsigned_envelopes";
const REFUSED: &str = "refused";
/// Unsigned messages are read for at most this long after the first start of this version.
const READ_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Time between two checks whether the queue is empty, and before an unavailable store is asked again.
const SCAN_EVERY: Duration = Duration::from_secs(2);
/// The queue counts as empty when this many checks in a row found no message. One check may not see a message that
/// moves from one place to another.
const SCANS_MIN: u32 = 3;

/// The parts that are checked, and the signer that is switched.
pub(super) struct Unsigned {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) spool: SpoolSide,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signer: EnvelopeSigner,
}

impl Unsigned {
    /// Switches the signer between reading and refusing unsigned messages. It never ends.
    pub(super) async fn watch(self) {
        self.run().await;
        std::future::pending().await
    }

    /// Ends when unsigned messages are refused.
    async fn run(&self) {
        let until = self.clock.now().plus(READ_FOR).millis().to_string();
        let asked = || self.store.setting_or_insert(SETTING, &until);
        let until = insist(asked).await.parse().map(Timestamp::from_millis);
        // The setting is `REFUSED`, or a text that is not a time.
        let Ok(until) = until else {
            return self.signer.set_reads_unsigned(false);
        };
        let mut empty_scans = 0;
        while empty_scans < SCANS_MIN && self.clock.now() < until {
            self.signer.set_reads_unsigned(true);
            tokio::time::sleep(SCAN_EVERY).await;
            empty_scans = if self.is_empty().await {
                empty_scans + 1
            } else {
                0
            };
        }
        self.signer.set_reads_unsigned(false);
        insist(|| self.store.put_setting(SETTING, REFUSED)).await;
        tracing::info!("unsigned messages in the queue are refused from now on");
    }

    async fn is_empty(&self) -> bool {
        let depths = queue::depths(self.queue.as_ref()).await;
        depths.is_some_and(|depths| depths.total() == 0) && self.spool.is_empty().await
    }
}

/// Asks the store until it answers.
async fn insist<T, E, F>(ask: impl Fn() -> F) -> T
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let throttle = LogThrottle::default();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if throttle.should_log() => {
                tracing::warn!(%error, "the store does not answer whether unsigned messages may be read: messages in the queue wait");
            }
            Err(_) => {}
        }
        tokio::time::sleep(SCAN_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
