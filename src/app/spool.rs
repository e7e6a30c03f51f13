//! The spool in front of RabbitMQ, and its part of readiness.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{Config, QueueUrl};
use crate::ports::{Clock, Queue, ReturnedMessages};
use crate::queue::{Spool, SpoolError, SpoolLevel, SpoolSettings};
use crate::telemetry::Metrics;

use super::observers::Meter;

/// Deadline for reading the spool's level. While the spool saves a damaged file, it does not answer.
const LEVEL_WITHIN: Duration = Duration::from_secs(5);

/// What the application uses of the spool.
#[derive(Clone)]
pub(super) struct SpoolSide {
    spool: Option<Arc<Spool>>,
    /// Whether the queue itself is on this machine's disk.
    is_embedded: bool,
}

/// The spool's part of readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpoolChecks {
    /// Whether the spool would make an event durable that the queue does not take.
    pub(super) has_room: bool,
    /// `Check::Spool`: it has room, or is not needed.
    pub(super) is_well: bool,
}

/// Puts the spool in front of `queue`. The embedded queue needs none. But events that an earlier relay with RabbitMQ
/// left in its spool were accepted, so they are forwarded to the present queue, whichever it is.
///
/// # Errors
/// The spool's folder or file cannot be made.
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
    /// No spool, with the embedded queue.
    #[cfg(test)]
    pub(super) const fn none() -> Self {
        Self {
            spool: None,
            is_embedded: true,
        }
    }

    /// The messages that the queue would never take.
    pub(super) fn returned(&self) -> Option<Arc<dyn ReturnedMessages>> {
        self.spool.clone().map(|spool| spool as _)
    }

    /// Updates the gauges and returns the spool's part of readiness.
    pub(super) async fn update_gauges(&self, metrics: &Metrics) -> SpoolChecks {
        let level = match &self.spool {
            Some(spool) => ask(spool.level()).await,
            None => Some(SpoolLevel::default()),
        };
        self.judge(level, metrics)
    }

    /// Whether the spool is empty. `false` if it does not answer in time.
    pub(super) async fn is_empty(&self) -> bool {
        match &self.spool {
            Some(spool) => ask(spool.level())
                .await
                .is_some_and(|level| level.messages == 0),
            None => true,
        }
    }

    /// A spool that does not answer counts as having no room, and its gauges keep their values.
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

/// The spool's level, if it answers in time: the caller must not hang.
async fn ask(level: impl Future<Output = SpoolLevel>) -> Option<SpoolLevel> {
    tokio::time::timeout(LEVEL_WITHIN, level).await.ok()
}

#[cfg(test)]
mod tests;
