//! By what a batch is looked up and locked, as far as the events alone tell.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::super::text::Text;
use super::super::trouble::Trouble;
use crate::domain::apply::{Subject, subject};
use crate::domain::{Fact, MeetingId};
use crate::ports::Incoming;
use crate::store::content::content_hash;

/// The keys of one batch, each list without doubles, and each event's content.
pub(super) struct Keys {
    /// The dedup keys, as two columns.
    pub(super) sources: Vec<Text<'static>>,
    pub(super) keys: Vec<Text<'static>>,
    /// The events' own ids.
    pub(super) events: Vec<Text<'static>>,
    /// Channels in which something is asked for (`Place::channel_key`).
    pub(super) channels: Vec<Text<'static>>,
    pub(super) sids: Vec<Text<'static>>,
    pub(super) rooms: Vec<Text<'static>>,
    /// Meetings that events name themselves.
    pub(super) meetings: BTreeSet<MeetingId>,
    /// Advisory locks on the dedup keys, the channels and the sessions, rising.
    pub(super) locks: Vec<i64>,
    /// `content_hash` of each event, in the batch's order.
    pub(super) contents: Vec<[u8; 32]>,
}

impl Keys {
    /// The keys of these events.
    ///
    /// # Errors
    /// An event that cannot be written is refused.
    pub(super) fn of(batch: &[Incoming]) -> Result<Self, Trouble> {
        let mut contents = Vec::with_capacity(batch.len());
        let (mut origins, mut events) = (BTreeSet::new(), BTreeSet::new());
        let (mut channels, mut sids, mut rooms) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut meetings, mut locks) = (BTreeSet::new(), BTreeSet::new());
        for Incoming { event, .. } in batch {
            let content = content_hash(&event.fact).map_err(|error| {
                Trouble::Refused(format!("event {} cannot be written: {error}", event.id))
            })?;
            contents.push(content);
            let origin = &event.origin;
            origins.insert((origin.source.clone(), origin.key.clone()));
            locks.insert(lock(&["origin", &origin.source, &origin.key]));
            events.insert(event.id.to_string());
            match subject(&event.fact) {
                Subject::Channel(channel) => {
                    locks.insert(lock(&["channel", &channel]));
                    // Replicas of the version before lock the place alone.
                    if let Fact::MeetingRequested { place, .. } = &event.fact {
                        locks.insert(lock(&["place", &place.key()]));
                    }
                    channels.insert(channel);
                }
                Subject::Session { sid, rooms: known } => {
                    locks.insert(lock(&["session", sid.as_str()]));
                    sids.insert(String::from(sid));
                    rooms.extend(known.into_iter().map(String::from));
                }
                // Its row is lock enough.
                Subject::Meeting(id) => {
                    meetings.insert(id);
                }
            }
        }
        let (sources, keys) = origins
            .into_iter()
            .map(|(source, key)| (Text::of(source), Text::of(key)))
            .unzip();
        let column = |set: BTreeSet<String>| set.into_iter().map(Text::of).collect();
        Ok(Self {
            sources,
            keys,
            events: column(events),
            channels: column(channels),
            sids: column(sids),
            rooms: column(rooms),
            meetings,
            locks: locks.into_iter().collect(),
            contents,
        })
    }
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
