//! Who has which message: in memory only.

use std::collections::{HashMap, HashSet};

use crate::ports::Receipt;

/// One message that was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// Its row.
    pub(super) number: i64,
    /// The length of its body.
    pub(super) bytes: u64,
}

/// The leases of one queue. Receipts begin at a random number, so that one of an earlier run names nothing.
pub(super) struct Leases {
    next: u64,
    by_receipt: HashMap<Receipt, Lease>,
    numbers: HashSet<i64>,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            next: rand::random(),
            by_receipt: HashMap::new(),
            numbers: HashSet::new(),
        }
    }
}

impl Leases {
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn has(&self, number: i64) -> bool {
        self.numbers.contains(&number)
    }

    pub(super) fn take(&mut self, lease: Lease) -> Receipt {
        self.next = self.next.wrapping_add(1);
        let receipt = Receipt(self.next);
        self.numbers.insert(lease.number);
        self.by_receipt.insert(receipt, lease);
        receipt
    }

    pub(super) fn get(&self, receipt: Receipt) -> Option<Lease> {
        self.by_receipt.get(&receipt).copied()
    }

    pub(super) fn drop_lease(&mut self, receipt: Receipt) -> Option<Lease> {
        let lease = self.by_receipt.remove(&receipt)?;
        self.numbers.remove(&lease.number);
        Some(lease)
    }
}
