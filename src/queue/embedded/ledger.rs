//! What is known in memory of the messages in the file: who has which, how many wait, how far each queue was handed
//! out. It holds nothing of a message that waits, so that a backlog of millions takes no memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::Timestamp;
use crate::ports::{Depth, QueueName, Receipt};

use super::IN_FLIGHT_MAX;
use super::key::Key;
use super::rows::{Count, Found, number_of};

/// How far a queue was handed out: everything up to here, but for what stands in `Lane::taken`, is no longer in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) at_once: Key,
    pub(super) delayed: Key,
}

impl Passed {
    const NOTHING: Self = Self {
        at_once: Key {
            due: 0,
            number: i64::MIN,
        },
        delayed: Key {
            due: 1,
            number: i64::MIN,
        },
    };
    const EVERYTHING: Self = Self {
        at_once: Key {
            due: 0,
            number: i64::MAX,
        },
        delayed: Key {
            due: i64::MAX,
            number: i64::MAX,
        },
    };

    fn of(&mut self, key: Key) -> &mut Key {
        if key.is_delayed() {
            &mut self.delayed
        } else {
            &mut self.at_once
        }
    }

    fn set_back(&mut self, key: Key) {
        let passed = self.of(key);
        *passed = key.before().min(*passed);
    }

    fn advance(&mut self, key: Key) {
        let passed = self.of(key);
        *passed = key.max(*passed);
    }
}

/// One look into the file: what was handed out up to when it began.
pub(super) struct Look {
    pub(super) queue: QueueName,
    /// The file's run.
    pub(super) run: u64,
    pub(super) max: usize,
    pub(super) passed: Passed,
    /// Messages beyond `passed` that somebody has, in order. One that is settled meanwhile may still be seen.
    pub(super) taken_at_once: Vec<Key>,
    pub(super) taken_delayed: Vec<Key>,
}

/// One of the four queues.
struct Lane {
    passed: Passed,
    /// How far it was set back since the present look began: what came back meanwhile must not be passed over.
    set_back: Passed,
    /// Handed out and not settled.
    taken: BTreeSet<Key>,
    /// Waiting: published without delay, and with one. A message may be taken a moment before it is counted.
    at_once: i64,
    delayed: i64,
}

impl Lane {
    fn waiting(&mut self, key: Key) -> &mut i64 {
        if key.is_delayed() {
            &mut self.delayed
        } else {
            &mut self.at_once
        }
    }

    fn put_back(&mut self, key: Key) {
        *self.waiting(key) += 1;
        if !self.taken.contains(&key) {
            self.passed.set_back(key);
            self.set_back.set_back(key);
        }
    }
}

/// The four queues and who has what of them.
pub(super) struct Ledger {
    lanes: [Lane; 4],
    leases: HashMap<Receipt, (QueueName, Key)>,
    /// Begins anywhere, so that a receipt of an earlier run names nothing.
    last_receipt: u64,
    /// Where the file stood when it was opened: up to here messages count as redelivered.
    start: Key,
    /// Another one each time the file is opened.
    run: u64,
}

impl Ledger {
    /// Of a file that was opened at `now`, the `run`th time.
    pub(super) fn new(found: &Found, now: Timestamp, run: u64) -> Self {
        let lane = |count: &Count| Lane {
            passed: Passed::NOTHING,
            set_back: Passed::EVERYTHING,
            taken: BTreeSet::new(),
            at_once: count.at_once,
            delayed: count.delayed,
        };
        Self {
            lanes: found.counts.each_ref().map(lane),
            leases: HashMap::new(),
            last_receipt: rand::random(),
            start: Key {
                due: now.millis(),
                number: found.last,
            },
            run,
        }
    }

    /// Whether the message could have been handed out before the file was opened.
    pub(super) fn is_redelivered(&self, key: Key) -> bool {
        key.number <= self.start.number && key.due <= self.start.due
    }

    /// The how manieth time the file was opened.
    pub(super) fn run(&self) -> u64 {
        self.run
    }

    fn lane(&mut self, queue: QueueName) -> &mut Lane {
        &mut self.lanes[number_of(queue)]
    }

    /// A message was committed.
    pub(super) fn insert(&mut self, queue: QueueName, key: Key) {
        self.lane(queue).put_back(key);
    }

    /// Begins to look for up to `max` messages; `None` when too many are out already.
    pub(super) fn begin_look(&mut self, queue: QueueName, max: usize) -> Option<Look> {
        let run = self.run;
        let lane = self.lane(queue);
        let max = max.min(IN_FLIGHT_MAX.saturating_sub(lane.taken.len()));
        lane.set_back = Passed::EVERYTHING;
        let Passed { at_once, delayed } = lane.passed;
        let taken = |from: Key, to: Key| lane.taken.range(from..=to).copied().collect();
        (max > 0).then(|| Look {
            queue,
            run,
            max,
            passed: lane.passed,
            taken_at_once: taken(at_once, Passed::EVERYTHING.at_once),
            taken_delayed: taken(delayed, Passed::EVERYTHING.delayed),
        })
    }

    /// Hands out what a look found, in the order of `keys`.
    pub(super) fn lease(&mut self, queue: QueueName, keys: &[Key]) -> Vec<Receipt> {
        let first = self.last_receipt.wrapping_add(1);
        let lane = self.lane(queue);
        for key in keys {
            *lane.waiting(*key) -= 1;
            lane.taken.insert(*key);
            lane.passed.advance(*key);
        }
        lane.passed.at_once = lane.passed.at_once.min(lane.set_back.at_once);
        lane.passed.delayed = lane.passed.delayed.min(lane.set_back.delayed);
        let receipts: Vec<Receipt> = (0..keys.len() as u64)
            .map(|at| Receipt(first.wrapping_add(at)))
            .collect();
        self.last_receipt = self.last_receipt.wrapping_add(keys.len() as u64);
        let of_queue = keys.iter().map(|key| (queue, *key));
        self.leases.extend(receipts.iter().copied().zip(of_queue));
        receipts
    }

    /// Voids a receipt. The message stays out until it is removed or given back.
    pub(super) fn claim(&mut self, receipt: Receipt) -> Option<(QueueName, Key)> {
        self.leases.remove(&receipt)
    }

    /// A claimed message is visible again.
    pub(super) fn give_back(&mut self, queue: QueueName, key: Key) {
        let lane = self.lane(queue);
        lane.taken.remove(&key);
        lane.put_back(key);
    }

    /// A claimed message is no longer in the file.
    pub(super) fn remove(&mut self, queue: QueueName, key: Key) {
        self.lane(queue).taken.remove(&key);
    }

    /// The numbers of the messages that are handed out.
    pub(super) fn taken(&self) -> HashSet<i64> {
        let taken = self.lanes.iter().flat_map(|lane| &lane.taken);
        taken.map(|key| key.number).collect()
    }

    /// Delayed messages have other times now: they are looked for from the beginning.
    pub(super) fn look_again(&mut self) {
        for lane in &mut self.lanes {
            lane.passed.delayed = Passed::NOTHING.delayed;
            lane.set_back.delayed = Passed::NOTHING.delayed;
        }
    }

    /// How much lies in `queue`, of which `due` delayed messages in the file have had their time.
    pub(super) fn depth(&self, queue: QueueName, due: u64, now: Timestamp) -> Depth {
        let lane = &self.lanes[number_of(queue)];
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let last_due = Key {
            due: now.millis().max(1),
            number: i64::MAX,
        };
        let taken_due = lane.taken.range(Passed::NOTHING.delayed..=last_due).count() as u64;
        let delayed = count(lane.delayed);
        let due = due.saturating_sub(taken_due).min(delayed);
        Depth {
            ready: count(lane.at_once) + due,
            delayed: delayed - due,
            in_flight: lane.taken.len() as u64,
        }
    }
}
