//! What came in and what went out, for tests that count calls or look for secrets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Older entries than this many are dropped; the counts go on.
const ENTRIES_MAX: usize = 20_000;

/// How a request proved who it is; never the proof itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// No Authorization header.
    None,
    /// A good token of this user (name).
    Of(String),
    /// A header that proves nothing: wrong scheme, unknown or revoked token.
    Refused,
}

/// One request to the server's API or response URLs.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Milliseconds on the server's clock.
    pub at_ms: i64,
    /// Upper case.
    pub method: String,
    /// With query.
    pub path: String,
    /// Such as `posts.create`; `unknown` for a route that is not there.
    pub operation: &'static str,
    /// Who called.
    pub auth: AuthKind,
    /// As received, invalid UTF-8 replaced.
    pub body: String,
    /// `None`: the connection was closed without an answer.
    pub status: Option<u16>,
}

/// What an integration was sent and what came back.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Milliseconds on the server's clock.
    pub at_ms: i64,
    /// `outgoing` or `command`.
    pub kind: &'static str,
    /// With query.
    pub url: String,
    /// The payload as sent.
    pub body: String,
    /// The post that fired it; empty for a command.
    pub post_id: String,
    /// The last segment of the response URL; empty for an outgoing webhook.
    pub response_id: String,
    /// Status and body, or why there is none.
    pub answer: Result<(u16, String), String>,
    /// The answer's `X-Request-Id`, if it has one.
    pub request_id: Option<String>,
    /// From sending to the end of the answer.
    pub took: Duration,
}

/// The log of one fake.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    received: VecDeque<ReceivedRequest>,
    sent: VecDeque<Delivery>,
    calls: BTreeMap<&'static str, u64>,
}

impl Journal {
    /// Counted on arrival, so that a test can wait for a request that is being stalled.
    pub(crate) fn arrived(&self, operation: &'static str) {
        *self.lock().calls.entry(operation).or_default() += 1;
    }

    pub(crate) fn answered(&self, request: ReceivedRequest) {
        push(&mut self.lock().received, request);
    }

    pub(crate) fn sent(&self, delivery: Delivery) {
        push(&mut self.lock().sent, delivery);
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.lock().received.iter().cloned().collect()
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.lock().sent.iter().cloned().collect()
    }

    /// The newest that fits.
    pub(crate) fn find_delivery(&self, fits: impl Fn(&Delivery) -> bool) -> Option<Delivery> {
        let entries = self.lock();
        let found = entries.sent.iter().rev().find(|delivery| fits(delivery));
        found.cloned()
    }

    pub(crate) fn calls(&self, operation: &str) -> u64 {
        let entries = self.lock();
        entries
            .calls
            .iter()
            .filter(|(name, _)| name.starts_with(operation))
            .map(|(_, count)| count)
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() == ENTRIES_MAX {
        entries.pop_front();
    }
    entries.push_back(entry);
}
