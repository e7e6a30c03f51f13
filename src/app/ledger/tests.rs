#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// A ledger with `count` accepted events.
fn watched(count: u128) -> (OpenEvents, Vec<EventId>) {
    let mut watched = OpenEvents::default();
    let events: Vec<EventId> = (1..=count)
        .map(|number| EventId::from_uuid(Uuid::from_u128(number)))
        .collect();
    for event in &events {
        watched.note(LedgerLine::Accepted(*event));
    }
    (watched, events)
}

/// The lost events after this many scans with the same result.
fn scanned(
    watched: &mut OpenEvents,
    scans: u32,
    waiting: u64,
    settled: &[EventId],
) -> Vec<EventId> {
    let mut lost = Vec::new();
    for _ in 0..scans {
        let late = watched.late(Duration::ZERO);
        lost = watched.judge(&late, waiting, settled);
    }
    lost
}

#[test]
fn event_that_is_nowhere_is_lost_after_three_scans() {
    let (mut watched, events) = watched(1);
    assert_eq!(scanned(&mut watched, SCANS_MIN - 1, 0, &[]), []);
    assert_eq!(scanned(&mut watched, 1, 0, &[]), events);
    assert_eq!(scanned(&mut watched, 1, 0, &[]), events, "and stays so");
}

#[test]
fn settled_event_is_no_longer_watched() {
    let (mut watched, events) = watched(3);
    watched.note(LedgerLine::Settled(events[0]));
    assert_eq!(watched.late(Duration::ZERO), events[1..]);
    assert_eq!(scanned(&mut watched, SCANS_MIN, 0, &events[1..]), []);
    assert!(watched.open.is_empty());
}

#[test]
fn event_that_may_wait_in_the_queue_is_not_lost() {
    let (mut watched, events) = watched(3);
    assert_eq!(scanned(&mut watched, 9, 3, &[]), []);
    assert_eq!(scanned(&mut watched, SCANS_MIN, 1, &[]).len(), 2);
    assert_eq!(scanned(&mut watched, 1, 0, &events), []);
}

#[test]
fn event_is_not_late_before_its_time() {
    let (watched, _) = watched(1);
    assert_eq!(watched.late(Duration::from_secs(60)), []);
}

#[test]
fn events_above_the_limit_are_not_watched() {
    let (watched, _) = watched(WATCHED_MAX as u128 + 5);
    assert_eq!(watched.open.len(), WATCHED_MAX);
    assert_eq!(watched.late(Duration::ZERO).len(), LOOKED_UP_MAX);
}

proptest! {
    /// However many events wait or are settled, no more count as lost than are neither.
    #[test]
    fn never_more_are_lost_than_are_missing(count in 0_u128..40, waiting in 0_u64..50, settled in 0_usize..50, scans in 0_u32..6) {
        let (mut watched, events) = watched(count);
        let settled = &events[..settled.min(events.len())];
        let lost = scanned(&mut watched, scans, waiting, settled);
        let missing = (events.len() - settled.len()).saturating_sub(waiting as usize);
        let expected = if scans >= SCANS_MIN { missing } else { 0 };
        prop_assert_eq!(lost.len(), expected);
        prop_assert!(lost.iter().all(|event| !settled.contains(event)));
    }
}
