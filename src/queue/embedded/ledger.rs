//! What is known in memory of the messages in the file: who has which, how many wait, how far each queue was handed
//! out. It holds nothing of a message that waits, so that a backlog of millions takes no memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::Timestamp;
use crate::ports::{Depth, QueueName, Receipt};

use super::IN_FLIGHT_MAX;
use super::key::RowKey;
use super::rows::{Count, FileCounts, number_of};

/// How far a queue was handed out: everything up to here, but for what stands in `QueueLedger::taken`, is no longer in it.
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

/// One look into the file: what was handed out up to when it began.
pub(super) struct Scan {
    pub(super) queue: QueueName,
    /// The file's run.
    pub(super) run: u64,
    pub(super) max: usize,
    pub(super) passed: Passed,
    /// Messages beyond `passed` that somebody has, in order. One that is settled meanwhile may still be seen.
    pub(super) taken_at_once: Vec<RowKey>,
    pub(super) taken_delayed: Vec<RowKey>,
}

/// One of the four queues.
struct QueueLedger {
    passed: Passed,
    /// How far it was set back since the present look began: what came back meanwhile must not be passed over.
    set_back: Passed,
    /// Handed out and not settled.
    taken: BTreeSet<RowKey>,
    /// Waiting: published without delay, and with one. A message may be taken a moment before it is counted.
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

/// The four queues and who has what of them.
pub(super) struct DeliveryLedger {
    queues: [QueueLedger; 4],
    leases: HashMap<Receipt, (QueueName, RowKey)>,
    /// Begins anywhere, so that a receipt of an earlier run names nothing.
    last_receipt: u64,
    /// Where the file stood when it was opened: up to here messages count as redelivered.
    start: RowKey,
    /// Another one each time the file is opened.
    run: u64,
}

impl DeliveryLedger {
    /// Of a file that was opened at `now`, the `run`th time.
    pub(super) fn new(found: &FileCounts, now: Timestamp, run: u64) -> Self {
        let queue_ledger = |count: &Count| QueueLedger {
            passed: Passed::NOTHING,
            set_back: Passed::EVERYTHING,
            taken: BTreeSet::new(),
            at_once: count.at_once,
            delayed: count.delayed,
        };
        Self {
            queues: found.counts.each_ref().map(queue_ledger),
            leases: HashMap::new(),
            last_receipt: rand::random(),
            start: RowKey {
                due: now.millis(),
                number: found.last,
            },
            run,
        }
    }

    /// Whether the message could have been handed out before the file was opened.
    pub(super) fn is_redelivered(&self, key: RowKey) -> bool {
        key.number <= self.start.number && key.due <= self.start.due
    }

    /// The how manieth time the file was opened.
    pub(super) fn run(&self) -> u64 {
        self.run
    }

    fn queue_ledger(&mut self, queue: QueueName) -> &mut QueueLedger {
        &mut self.queues[number_of(queue)]
    }

    /// A message was committed.
    pub(super) fn insert(&mut self, queue: QueueName, key: RowKey) {
        self.queue_ledger(queue).put_back(key);
    }

    /// Begins to look for up to `max` messages; `None` when too many are out already.
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

    /// Hands out what a look found, in the order of `keys`.
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

    /// Voids a receipt. The message stays out until it is removed or given back.
    pub(super) fn claim(&mut self, receipt: Receipt) -> Option<(QueueName, RowKey)> {
        self.leases.remove(&receipt)
    }

    /// A claimed message is visible again.
    pub(super) fn give_back(&mut self, queue: QueueName, key: RowKey) {
        let queue_ledger = self.queue_ledger(queue);
        queue_ledger.taken.remove(&key);
        queue_ledger.put_back(key);
    }

    /// A claimed message is no longer in the file.
    pub(super) fn remove(&mut self, queue: QueueName, key: RowKey) {
        self.queue_ledger(queue).taken.remove(&key);
    }

    /// The numbers of the messages that are handed out.
    pub(super) fn taken(&self) -> HashSet<i64> {
        let taken = self
            .queues
            .iter()
            .flat_map(|queue_ledger| &queue_ledger.taken);
        taken.map(|key| key.number).collect()
    }

    /// Delayed messages have other times now: they are looked for from the beginning.
    pub(super) fn scan_again(&mut self) {
        for queue_ledger in &mut self.queues {
            queue_ledger.passed.delayed = Passed::NOTHING.delayed;
            queue_ledger.set_back.delayed = Passed::NOTHING.delayed;
        }
    }

    /// How much lies in `queue`, of which `due` delayed messages in the file have had their time.
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
