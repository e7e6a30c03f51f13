//! What was accepted must have come out: checked by id at the end of every test.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use world::reconcile::{Reconciliation, settle};

use super::{PATIENCE, Relay, StoreEnd};

/// Most resident memory that a relay of a test may ever have had. A debug build with a few meetings needs about
/// 60 MiB; what grows without a bound is soon beyond it.
const MEMORY_MAX: u64 = 400 * 1024 * 1024;

/// The ids of the events that are settled.
const SETTLED: &str = "SELECT event FROM events UNION SELECT id FROM dead_letters";

/// The ids of the events that relays said were accepted, out of their log.
pub fn accepted(log: &str) -> BTreeSet<String> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "event accepted")
        .filter_map(|line| Some(line["event.id"].as_str()?.to_owned()))
        .collect()
}

/// Waits until every accepted event is settled in the store, or is a dead letter there.
pub async fn await_settled(relay: &Relay, store: &StoreEnd, data: &Path) {
    let accepted = accepted(&relay.log());
    let mut missing = accepted.clone();
    let look = async || {
        let settled: BTreeSet<String> = store.select(data, SETTLED).await.into_iter().collect();
        missing.retain(|event| !settled.contains(event));
        let mut wrong = Reconciliation::default();
        for event in &missing {
            wrong.count(event, "the end of this accepted event", 0, 1..=1);
        }
        wrong.into_discrepancies()
    };
    let pause = Duration::from_millis(50);
    let wrong = settle(PATIENCE, pause, look, Vec::is_empty).await;
    assert!(
        wrong.is_empty(),
        "{} of {} accepted events were never settled: {wrong:?}\n{}",
        wrong.len(),
        accepted.len(),
        relay.last_words()
    );
}

/// Nothing counts as lost, and memory stayed bounded.
pub async fn assert_sound(relay: &Relay) {
    let metrics = relay.metrics().await;
    let lost = "meetrelay_unaccounted_events 0";
    assert!(metrics.lines().any(|line| line == lost), "{metrics}");
    let peak = relay.peak_memory();
    assert!(peak <= MEMORY_MAX, "the relay had {peak} bytes of memory");
}
