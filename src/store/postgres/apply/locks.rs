//! The locks that a batch takes before it reads, which follow from its events alone.

use sha2::{Digest, Sha256};

use crate::domain::Fact;
use crate::ports::Incoming;
use crate::store::batch::BatchKeys;

/// The numbers of the advisory locks on dedup keys, channels and sessions, in rising order. A meeting that an event
/// names needs none, because its row is locked.
pub(super) fn of(batch: &[Incoming], keys: &BatchKeys) -> Vec<i64> {
    let origins = keys
        .origins
        .iter()
        .map(|key| lock(&["origin", &key.source, &key.key]));
    let channels = keys
        .channels
        .iter()
        .map(|channel| lock(&["channel", channel]));
    let sids = keys.sids.iter().map(|sid| lock(&["session", sid]));
    // Replicas of the previous version lock the conversation only.
    let places = batch
        .iter()
        .filter_map(|Incoming { event, .. }| match &event.fact {
            Fact::MeetingRequested { place, .. } => Some(lock(&["place", &place.key()])),
            _ => None,
        });
    let mut locks: Vec<i64> = origins.chain(channels).chain(sids).chain(places).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}

/// The number of an advisory lock; the same in every replica and version.
fn lock(parts: &[&str]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_the_same_in_every_version() {
        // Replicas of two versions run side by side while one is updated.
        insta::assert_snapshot!(lock(&["place", "default:c1:"]), @"-273467388292644127");
        assert_ne!(lock(&["place", "a"]), lock(&["session", "a"]));
        assert_ne!(lock(&["origin", "a", "b"]), lock(&["origin", "ab", ""]));
    }
}
