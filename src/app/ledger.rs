//! What became of the events that this process accepted: each must be settled, or lie in a queue or spool. One that is
//! nowhere was lost, and somebody must be told.
//!
//! Nothing here is on the way of an event: who accepts or settles one drops a line into a bounded channel and goes on.
//! Only events that are not settled in time are looked up, in the store, where another replica's work shows too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::EventId;
use crate::ports::{Queue, QueueName, Store};
use crate::telemetry::Metrics;

use super::queue;

/// Most events that are watched at one time; more are accepted all the same, but not watched.
const WATCHED_MAX: usize = 100_000;
/// Most lines that wait to be read.
const LINES_MAX: usize = 10_000;
/// Most events looked up in one pass.
const LOOKED_UP_MAX: usize = 500;
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// So many looks in a row must not find an event before it counts as lost: one on its way from one place to another
/// may be missed once.
const LOOKS: u32 = 3;
/// Most ids in one line of the log.
const TOLD_MAX: usize = 10;

/// Takes note of events; cheap to clone.
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
    /// A ledger, and what is to be given to [`watch`].
    pub(super) fn new() -> (Self, LedgerLines) {
        let (lines, read) = mpsc::channel(LINES_MAX);
        (Self { lines }, LedgerLines(read))
    }

    /// The event is on stable storage, and its sender was told so.
    pub(super) fn accepted(&self, event: EventId) {
        // A full channel loses a line: then this event is not watched.
        let _ = self.lines.try_send(LedgerLine::Accepted(event));
    }

    /// The event was applied by this process.
    pub(super) fn settled(&self, event: EventId) {
        // If the line is lost, the store tells.
        let _ = self.lines.try_send(LedgerLine::Settled(event));
    }
}

/// What was noted and not yet read.
#[derive(Debug)]
pub(super) struct LedgerLines(mpsc::Receiver<LedgerLine>);

/// Where events may be, and where it is shown what is missing.
pub(super) struct Places {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) metrics: Arc<Metrics>,
    /// An event is looked for when it is not settled so long after it was accepted.
    pub(super) settled_within: Duration,
}

/// Watches until it is dropped.
pub(super) async fn watch(mut lines: LedgerLines, places: Places) {
    let mut watched = OpenEvents::default();
    let mut next = Instant::now() + LOOK_EVERY;
    loop {
        tokio::select! {
            line = lines.0.recv() => match line {
                Some(line) => watched.note(line),
                None => return,
            },
            () = tokio::time::sleep_until(next) => {
                watched.look(&places).await;
                next = Instant::now() + LOOK_EVERY;
            }
        }
    }
}

#[derive(Default)]
struct OpenEvents {
    /// Accepted and not known to be settled, by id: in the order of time, as ids are.
    open: BTreeMap<EventId, OpenEvent>,
    /// How many were last told to be lost.
    told: usize,
}

struct OpenEvent {
    since: Instant,
    /// Looks that found it nowhere.
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

    async fn look(&mut self, places: &Places) {
        let late = self.late(places.settled_within);
        if late.is_empty() {
            return self.show(&[], &places.metrics);
        }
        // The queue first: what leaves it afterwards is in the store when that is asked. While nobody knows, what was
        // shown last stays.
        if let Some(waiting) = waiting(places).await
            && let Ok(settled) = places.store.settled_events(late.clone()).await
        {
            let lost = self.judge(&late, waiting, &settled);
            self.show(&lost, &places.metrics);
        }
    }

    /// The oldest ones that should be settled by now.
    fn late(&self, settled_within: Duration) -> Vec<EventId> {
        let late = self
            .open
            .iter()
            .filter(|(_, open)| open.since.elapsed() >= settled_within);
        late.map(|(event, _)| *event).take(LOOKED_UP_MAX).collect()
    }

    /// Those of the late ones that are nowhere. The queue does not tell whose messages it holds: as many as wait
    /// there may be any of them.
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
            if open.missed >= LOOKS {
                lost.push(event);
            }
        }
        lost.truncate(missing.len().saturating_sub(waiting));
        lost
    }

    fn show(&mut self, lost: &[EventId], metrics: &Metrics) {
        let count = i64::try_from(lost.len()).unwrap_or(i64::MAX);
        metrics.unaccounted_events.with(()).set(count);
        if lost.len() > self.told {
            let ids: Vec<String> = lost.iter().take(TOLD_MAX).map(EventId::to_string).collect();
            tracing::error!(
                events = lost.len(),
                event.ids = ids.join(" "),
                "events were accepted and are neither settled nor in a queue: was a queue purged, or a file removed?"
            );
        }
        self.told = lost.len();
    }
}

/// How many events wait or are in work, here or at another replica; `None` if the queue does not say.
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
