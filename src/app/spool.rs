//! The spool before RabbitMQ's queue, and what it says about readiness.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{Config, QueueUrl};
use crate::ports::{Clock, Queue, ReturnedMessages};
use crate::queue::{Spool, SpoolError, SpoolLevel, SpoolSettings};
use crate::telemetry::Metrics;

use super::observers::Meter;

/// Longest wait for what the spool says. While a damaged file is saved it says nothing.
const LEVEL_WITHIN: Duration = Duration::from_secs(5);

/// The spool as the application has it.
#[derive(Clone)]
pub(super) struct SpoolSide {
    spool: Option<Arc<Spool>>,
    /// The queue itself is on this machine's disk.
    is_embedded: bool,
}

/// What the spool says about readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpoolChecks {
    /// An event that the queue does not take would be made durable here.
    pub(super) has_room: bool,
    /// `Check::Spool`: it has room, or is not needed.
    pub(super) is_well: bool,
}

/// Puts the spool before `queue`. The embedded queue needs none; but what an earlier relay with RabbitMQ left in its
/// spool was accepted, so it is forwarded to whatever queue there is now.
///
/// # Errors
/// Its folder or file cannot be made.
pub(super) fn before(
    queue: Arc<dyn Queue>,
    config: &Config,
    instance: Uuid,
    clock: &Arc<dyn Clock>,
    meter: &Arc<Meter>,
) -> Result<(Arc<dyn Queue>, SpoolSide), SpoolError> {
    let root = config.spool_path();
    let is_embedded = matches!(config.queue.url, QueueUrl::Embedded);
    let bytes_max = if is_embedded {
        0
    } else {
        config.spool.max_bytes.as_u64()
    };
    if bytes_max == 0 && !root.exists() {
        let side = SpoolSide {
            spool: None,
            is_embedded,
        };
        return Ok((queue, side));
    }
    let settings = SpoolSettings {
        root,
        instance,
        bytes_max,
    };
    let observer = Arc::clone(meter) as _;
    let spool = Arc::new(Spool::open(settings, queue, Arc::clone(clock), observer)?);
    let side = SpoolSide {
        spool: Some(Arc::clone(&spool)),
        is_embedded,
    };
    Ok((spool, side))
}

impl SpoolSide {
    /// The embedded queue's, where no spool was left.
    #[cfg(test)]
    pub(super) const fn none() -> Self {
        Self {
            spool: None,
            is_embedded: true,
        }
    }

    /// What the queue would never take.
    pub(super) fn returned(&self) -> Option<Arc<dyn ReturnedMessages>> {
        self.spool.clone().map(|spool| spool as _)
    }

    /// Brings the gauges up to date and tells how the spool is.
    pub(super) async fn look(&self, metrics: &Metrics) -> SpoolChecks {
        let level = match &self.spool {
            Some(spool) => ask(spool.level()).await,
            None => Some(SpoolLevel::default()),
        };
        self.judge(level, metrics)
    }

    /// Whether nothing lies in it; not if it does not say so in time.
    pub(super) async fn is_empty(&self) -> bool {
        match &self.spool {
            Some(spool) => ask(spool.level())
                .await
                .is_some_and(|level| level.messages == 0),
            None => true,
        }
    }

    /// A spool that says nothing has no room; what was shown last stays shown.
    fn judge(&self, level: Option<SpoolLevel>, metrics: &Metrics) -> SpoolChecks {
        if let Some(level) = level {
            let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            metrics.spool_depth.with(()).set(gauge(level.messages));
            metrics.spool_bytes.with(()).set(gauge(level.bytes));
        }
        let has_room = level.is_some_and(|level| level.has_room);
        SpoolChecks {
            has_room,
            is_well: has_room || self.is_embedded,
        }
    }
}

/// What the spool says, if it does in time: whoever asks must go on.
async fn ask(level: impl Future<Output = SpoolLevel>) -> Option<SpoolLevel> {
    tokio::time::timeout(LEVEL_WITHIN, level).await.ok()
}

#[cfg(test)]
mod tests;
