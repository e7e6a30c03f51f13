//! The state in memory of the messages in the file: which receiver holds which message, how many wait, and how far each
//! queue has been delivered. It holds no data for a message that waits, so that a backlog of millions takes no memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::Timestamp;
use crate::ports::{Depth, QueueName, Receipt};

use super::IN_FLIGHT_MAX;
use super::key::RowKey;
use super::rows::{Count, FileCounts, number_of};

/// How far a queue has been delivered: no message up to this position is left in it, except those in
/// `QueueLedger::taken`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) at_once: RowKey,
    pub(super) delayed: RowKey,
}

impl Passed {
    const NOTHING: Self = Self {
        at_once: RowKey {
            due: 0,
            number: i64::MIN,
        },
        delayed: RowKey {
            due: 1,
            number: i64::MIN,
        },
    };
    const EVERYTHING: Self = Self {
        at_once: RowKey {
            due: 0,
            number: i64::MAX,
        },
        delayed: RowKey {
            due: i64::MAX,
            number: i64::MAX,
        },
    };

    fn of(&mut self, key: RowKey) -> &mut RowKey {
        if key.is_delayed() {
            &mut self.delayed
        } else {
            &mut self.at_once
        }
    }

    fn set_back(&mut self, key: RowKey) {
        let passed = self.of(key);
        *passed = key.before().min(*passed);
    }

    fn advance(&mut self, key: RowKey) {
        let passed = self.of(key);
        *passed = key.max(*passed);
    }
}

/// One scan of the file: what had been delivered when it began.
pub(super) struct Scan {
    pub(super) queue: QueueName,
    /// The run of the file in which the scan began.
    pub(super) run: u64,
    pub(super) max: usize,
    pub(super) passed: Passed,
    /// Messages beyond `passed` that are delivered and not settled, in order. The scan may still see one that is
    /// settled meanwhile.
    pub(super) taken_at_once: Vec<RowKey>,
    pub(super) taken_delayed: Vec<RowKey>,
}

/// The state of one queue.
struct QueueLedger {
    passed: Passed,
    /// How far `passed` was set back since the present scan began. The scan must not advance beyond messages that were
    /// released meanwhile.
    set_back: Passed,
    /// Delivered and not settled.
    taken: BTreeSet<RowKey>,
    /// How many messages wait: published without a delay, and with one. The counts may be negative for a moment,
    /// because a message may be taken before it is counted.
    at_once: i64,
    delayed: i64,
}

impl QueueLedger {
    fn waiting(&mut self, key: RowKey) -> &mut i64 {
        if key.is_delayed() {
            &mut self.delayed
        } else {
            &mut self.at_once
        }
    }

    fn put_back(&mut self, key: RowKey) {
        *self.waiting(key) += 1;
        if !self.taken.contains(&key) {
            self.passed.set_back(key);
            self.set_back.set_back(key);
        }
    }
}

/// The state of the four queues and the receipts of their deliveries.
pub(super) struct DeliveryLedger {
    queues: [QueueLedger; 4],
    leases: HashMap<Receipt, (QueueName, RowKey)>,
    /// Starts at a random number, so that a receipt of an earlier run matches no delivery.
    last_receipt: u64,
    /// The end of the file when it was opened. Messages up to this position count as redelivered.
    start: RowKey,
    /// Incremented each time the file is opened.
    run: u64,
}

impl DeliveryLedger {
    /// The ledger of a file that was opened at `now`; `run` counts how often this process has opened it.
    pub(super) fn new(file_counts: &FileCounts, now: Timestamp, run: u64) -> Self {
        let queue_ledger = |count: &Count| QueueLedger {
            passed: Passed::NOTHING,
            set_back: Passed::EVERYTHING,
            taken: BTreeSet::new(),
            at_once: count.at_once,
            delayed: count.delayed,
        };
        Self {
            queues: file_counts.counts.each_ref().map(queue_ledger),
            leases: HashMap::new(),
            last_receipt: rand::random(),
            start: RowKey {
                due: now.millis(),
                number: file_counts.last,
            },
            run,
        }
    }

    /// Whether the message could have been delivered before the file was opened.
    pub(super) fn is_redelivered(&self, key: RowKey) -> bool {
        key.number <= self.start.number && key.due <= self.start.due
    }

    /// The number of the present opening of the file.
    pub(super) fn run(&self) -> u64 {
        self.run
    }

    fn queue_ledger(&mut self, queue: QueueName) -> &mut QueueLedger {
        &mut self.queues[number_of(queue)]
    }

    /// Counts a message that was committed.
    pub(super) fn insert(&mut self, queue: QueueName, key: RowKey) {
        self.queue_ledger(queue).put_back(key);
    }

    /// Begins a scan for up to `max` messages. `None`: as many messages as allowed are in flight.
    pub(super) fn begin_scan(&mut self, queue: QueueName, max: usize) -> Option<Scan> {
        let run = self.run;
        let queue_ledger = self.queue_ledger(queue);
        let max = max.min(IN_FLIGHT_MAX.saturating_sub(queue_ledger.taken.len()));
        queue_ledger.set_back = Passed::EVERYTHING;
        let Passed { at_once, delayed } = queue_ledger.passed;
        let taken =
            |from: RowKey, to: RowKey| queue_ledger.taken.range(from..=to).copied().collect();
        (max > 0).then(|| Scan {
            queue,
            run,
            max,
            passed: queue_ledger.passed,
            taken_at_once: taken(at_once, Passed::EVERYTHING.at_once),
            taken_delayed: taken(delayed, Passed::EVERYTHING.delayed),
        })
    }

    /// Issues receipts for the messages that a scan found, in the order of `keys`.
    pub(super) fn lease(&mut self, queue: QueueName, keys: &[RowKey]) -> Vec<Receipt> {
        let first = self.last_receipt.wrapping_add(1);
        let queue_ledger = self.queue_ledger(queue);
        for key in keys {
            *queue_ledger.waiting(*key) -= 1;
            queue_ledger.taken.insert(*key);
            queue_ledger.passed.advance(*key);
        }
        queue_ledger.passed.at_once = queue_ledger
            .passed
            .at_once
            .min(queue_ledger.set_back.at_once);
        queue_ledger.passed.delayed = queue_ledger
            .passed
            .delayed
            .min(queue_ledger.set_back.delayed);
        let receipts: Vec<Receipt> = (0..keys.len() as u64)
            .map(|at| Receipt(first.wrapping_add(at)))
            .collect();
        self.last_receipt = self.last_receipt.wrapping_add(keys.len() as u64);
        let of_queue = keys.iter().map(|key| (queue, *key));
        self.leases.extend(receipts.iter().copied().zip(of_queue));
        receipts
    }

    /// Voids a receipt. The message stays hidden until it is removed or released.
    pub(super) fn claim(&mut self, receipt: Receipt) -> Option<(QueueName, RowKey)> {
        self.leases.remove(&receipt)
    }

    /// Makes a claimed message visible again.
    pub(super) fn release(&mut self, queue: QueueName, key: RowKey) {
        let queue_ledger = self.queue_ledger(queue);
        queue_ledger.taken.remove(&key);
        queue_ledger.put_back(key);
    }

    /// Forgets a claimed message that is no longer in the file.
    pub(super) fn remove(&mut self, queue: QueueName, key: RowKey) {
        self.queue_ledger(queue).taken.remove(&key);
    }

    /// The numbers of the messages that are delivered and not settled.
    pub(super) fn taken(&self) -> HashSet<i64> {
        let taken = self
            .queues
            .iter()
            .flat_map(|queue_ledger| &queue_ledger.taken);
        taken.map(|key| key.number).collect()
    }

    /// Makes the next scan start at the first delayed message, because the due times of delayed messages have changed.
    pub(super) fn scan_again(&mut self) {
        for queue_ledger in &mut self.queues {
            queue_ledger.passed.delayed = Passed::NOTHING.delayed;
            queue_ledger.set_back.delayed = Passed::NOTHING.delayed;
        }
    }

    /// How many messages `queue` holds. `due` is the number of delayed messages in the file whose delay has passed.
    pub(super) fn depth(&self, queue: QueueName, due: u64, now: Timestamp) -> Depth {
        let queue_ledger = &self.queues[number_of(queue)];
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let last_due = RowKey {
            due: now.millis().max(1),
            number: i64::MAX,
        };
        let taken_due = queue_ledger
            .taken
            .range(Passed::NOTHING.delayed..=last_due)
            .count() as u64;
        let delayed = count(queue_ledger.delayed);
        let due = due.saturating_sub(taken_due).min(delayed);
        Depth {
            ready: count(queue_ledger.at_once) + due,
            delayed: delayed - due,
            in_flight: queue_ledger.taken.len() as u64,
        }
    }
}
