//! Detects lost events. Every event that this process accepted must be settled, or wait in a queue or spool. An event
//! that is in none of these places was lost, and this is logged for an operator.
//!
//! The ledger does not delay an event: the code that accepts or settles one sends a line into a bounded channel and
//! continues. Only events that are not settled in time are looked up in the store, which also knows the work of other
//! replicas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::EventId;
use crate::ports::{Queue, QueueName, Store};
use crate::telemetry::Metrics;

use super::queue;

/// Most events that are watched at one time. Further events are accepted all the same, but not watched.
const WATCHED_MAX: usize = 100_000;
/// Most lines that wait in the channel.
const LINES_MAX: usize = 10_000;
/// Most events that are looked up in one scan.
const LOOKED_UP_MAX: usize = 500;
/// Time between two scans.
const SCAN_EVERY: Duration = Duration::from_secs(2);
/// An event counts as lost when this many scans in a row did not find it. One scan may not see an event that moves from
/// one place to another.
const SCANS_MIN: u32 = 3;
/// Most event ids in one log line.
const LOGGED_IDS_MAX: usize = 10;

/// Records accepted and settled events; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct EventLedger {
    lines: mpsc::Sender<LedgerLine>,
}

#[derive(Debug, Clone, Copy)]
enum LedgerLine {
    Accepted(EventId),
    Settled(EventId),
}

impl EventLedger {
    /// A ledger, and the lines that [`watch`] reads.
    pub(super) fn new() -> (Self, LedgerLines) {
        let (lines, read) = mpsc::channel(LINES_MAX);
        (Self { lines }, LedgerLines(read))
    }

    /// The event is on stable storage, and its sender was answered with success.
    pub(super) fn accepted(&self, event: EventId) {
        // A full channel drops the line: then this event is not watched.
        let _ = self.lines.try_send(LedgerLine::Accepted(event));
    }

    /// The event was applied by this process.
    pub(super) fn settled(&self, event: EventId) {
        // If the line is dropped, the store shows that the event is settled.
        let _ = self.lines.try_send(LedgerLine::Settled(event));
    }
}

/// The receiving end of the channel, for [`watch`].
#[derive(Debug)]
pub(super) struct LedgerLines(mpsc::Receiver<LedgerLine>);

/// The places where events may be, and the metrics that show how many are lost.
pub(super) struct Places {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) metrics: Arc<Metrics>,
    /// An event that is not settled this long after it was accepted is looked up.
    pub(super) settled_within: Duration,
}

/// Watches until it is dropped.
pub(super) async fn watch(mut lines: LedgerLines, places: Places) {
    let mut watched = OpenEvents::default();
    let mut next = Instant::now() + SCAN_EVERY;
    loop {
        tokio::select! {
            line = lines.0.recv() => match line {
                Some(line) => watched.note(line),
                None => return,
            },
            () = tokio::time::sleep_until(next) => {
                watched.scan(&places).await;
                next = Instant::now() + SCAN_EVERY;
            }
        }
    }
}

#[derive(Default)]
struct OpenEvents {
    /// Events that were accepted and are not known to be settled, by id. Ids are in the order of time.
    open: BTreeMap<EventId, OpenEvent>,
    /// How many lost events the last scan reported.
    reported_lost: usize,
}

struct OpenEvent {
    since: Instant,
    /// Scans in a row that did not find it.
    missed: u32,
}

impl OpenEvents {
    fn note(&mut self, line: LedgerLine) {
        match line {
            LedgerLine::Accepted(event) if self.open.len() < WATCHED_MAX => {
                let since = Instant::now();
                self.open.insert(event, OpenEvent { since, missed: 0 });
            }
            LedgerLine::Accepted(_) => {}
            LedgerLine::Settled(event) => {
                self.open.remove(&event);
            }
        }
    }

    async fn scan(&mut self, places: &Places) {
        let late = self.late(places.settled_within);
        if late.is_empty() {
            return self.show(&[], &places.metrics);
        }
        // The queue is asked first: an event that leaves it afterwards is in the store when the store is asked. If one
        // of them does not answer, the gauge keeps its value.
        if let Some(waiting) = waiting(places).await
            && let Ok(settled) = places.store.settled_events(late.clone()).await
        {
            let lost = self.judge(&late, waiting, &settled);
            self.show(&lost, &places.metrics);
        }
    }

    /// The oldest events that should be settled by now.
    fn late(&self, settled_within: Duration) -> Vec<EventId> {
        let late = self
            .open
            .iter()
            .filter(|(_, open)| open.since.elapsed() >= settled_within);
        late.map(|(event, _)| *event).take(LOOKED_UP_MAX).collect()
    }

    /// Those of the late events that are lost. The queue reports only how many messages wait in it, so that many of the
    /// missing events may still be there.
    fn judge(&mut self, late: &[EventId], waiting: u64, settled: &[EventId]) -> Vec<EventId> {
        for event in settled {
            self.open.remove(event);
        }
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        let missing = late.iter().filter(|event| self.open.contains_key(event));
        let missing: Vec<EventId> = missing.copied().collect();
        let is_any_lost = missing.len() > waiting;
        let mut lost = Vec::new();
        for event in missing.iter().copied() {
            let Some(open) = self.open.get_mut(&event) else {
                continue;
            };
            open.missed = if is_any_lost { open.missed + 1 } else { 0 };
            if open.missed >= SCANS_MIN {
                lost.push(event);
            }
        }
        lost.truncate(missing.len().saturating_sub(waiting));
        lost
    }

    fn show(&mut self, lost: &[EventId], metrics: &Metrics) {
        let count = i64::try_from(lost.len()).unwrap_or(i64::MAX);
        metrics.unaccounted_events.with(()).set(count);
        if lost.len() > self.reported_lost {
            let ids: Vec<String> = lost
                .iter()
                .take(LOGGED_IDS_MAX)
                .map(EventId::to_string)
                .collect();
            tracing::error!(
                events = lost.len(),
                event.ids = ids.join(" "),
                "events were accepted and are neither settled nor in a queue: was a queue purged, or a file removed?"
            );
        }
        self.reported_lost = lost.len();
    }
}

/// How many events wait or are being processed, here or at another replica; `None` if the queue does not answer.
async fn waiting(places: &Places) -> Option<u64> {
    let depths = queue::depths(places.queue.as_ref()).await?;
    let events = depths
        .queues
        .iter()
        .filter(|(name, _)| *name == QueueName::Events)
        .map(|(_, depth)| depth.ready + depth.delayed + depth.in_flight)
        .sum::<u64>();
    let spooled = places.metrics.spool_depth.with(()).get();
    Some(events + u64::try_from(spooled).unwrap_or(0))
}

#[cfg(test)]
mod tests;
