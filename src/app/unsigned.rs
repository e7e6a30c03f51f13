//! Until when messages without a signature are read: a relay of a version before signatures left them behind. Once the
//! queue was seen empty they are refused for good, and so they are when their time is over, because whoever can write
//! into a broker could keep its queue from becoming empty.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::Timestamp;
use crate::envelope::EnvelopeSigner;
use crate::log_throttle::LogThrottle;
use crate::ports::{Clock, Queue, Store};

use super::queue;
use super::spool::SpoolSide;

/// The setting of the store: [`REFUSED`], or until when they are read, in milliseconds.
const SETTING: &str = "unsigned_envelopes";
const REFUSED: &str = "refused";
/// They are read so long after the first start of this version at most.
const READ_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often it is looked whether the queue is empty, and how soon a store that is away is asked again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// So many looks in a row must find nothing: a message on its way from one place to another may be missed once.
const LOOKS: u32 = 3;

/// Where it is looked, and who is told.
pub(super) struct Unsigned {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) spool: SpoolSide,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signer: EnvelopeSigner,
}

impl Unsigned {
    /// Tells the signer what may be read, and keeps it up to date; never ends.
    pub(super) async fn watch(self) {
        self.run().await;
        std::future::pending().await
    }

    /// Ends when unsigned messages are refused.
    async fn run(&self) {
        let until = self.clock.now().plus(READ_FOR).millis().to_string();
        let asked = || self.store.setting_or_insert(SETTING, &until);
        let until = insist(asked).await.parse().map(Timestamp::from_millis);
        // Also where somebody wrote something else there.
        let Ok(until) = until else {
            return self.signer.set_reads_unsigned(false);
        };
        let mut empty_looks = 0;
        while empty_looks < LOOKS && self.clock.now() < until {
            self.signer.set_reads_unsigned(true);
            tokio::time::sleep(LOOK_EVERY).await;
            empty_looks = if self.is_empty().await {
                empty_looks + 1
            } else {
                0
            };
        }
        self.signer.set_reads_unsigned(false);
        insist(|| self.store.put_setting(SETTING, REFUSED)).await;
        tracing::info!("messages in the queue that are not signed are refused from now on");
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
    let away = LogThrottle::default();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if away.should_log() => {
                tracing::warn!(%error, "the store does not tell whether messages that are not signed may be read: what is in the queue waits");
            }
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
