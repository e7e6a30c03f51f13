//! Applies a batch of events in memory. A back end reads what the [`BatchKeys`] name into a [`View`], calls
//! [`View::apply`], and writes the result, all in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::content_hash::content_hash;
use crate::domain::apply::{Aim, Applied, Effect, Policy, Subject, aim, decide, repeat, subject};
use crate::domain::{Event, EventId, Meeting, MeetingId, Origin, Timestamp};
use crate::ports::Incoming;

/// What the events of a batch name, each once.
#[derive(Default)]
pub(super) struct BatchKeys {
    pub(super) origins: BTreeSet<Origin>,
    /// The events' own ids.
    pub(super) events: BTreeSet<String>,
    /// Channels in which something is asked for (`Conversation::channel_key`).
    pub(super) channels: BTreeSet<String>,
    pub(super) sids: BTreeSet<String>,
    pub(super) rooms: BTreeSet<String>,
    meetings: BTreeSet<MeetingId>,
}

impl BatchKeys {
    /// Collects the keys of these events.
    pub(super) fn of(batch: &[Incoming]) -> Self {
        let mut keys = Self::default();
        for Incoming { event, .. } in batch {
            keys.origins.insert(event.origin.clone());
            keys.events.insert(event.id.to_string());
            match subject(&event.fact) {
                Subject::Channel(channel) => {
                    keys.channels.insert(channel);
                }
                Subject::Session { sid, rooms } => {
                    keys.sids.insert(sid.into());
                    keys.rooms.extend(rooms.into_iter().map(String::from));
                }
                Subject::Meeting(id) => {
                    keys.meetings.insert(id);
                }
            }
        }
        keys
    }
}

/// The first event of a dedup key.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    /// Its id.
    pub(super) event: EventId,
    /// `content_hash` of its fact.
    pub(super) content: [u8; 32],
    /// Its meeting.
    pub(super) meeting: Option<MeetingId>,
}

/// A row of the event log.
pub(super) struct LogLine {
    pub(super) event: Event,
    pub(super) effect: Effect,
    pub(super) meeting: Option<MeetingId>,
}

/// What must be written besides meetings.
#[derive(Default)]
pub(super) struct Changes {
    /// New keys by which meetings are found: requests, sessions, artifacts.
    pub(super) requests: Vec<(String, MeetingId)>,
    pub(super) sids: Vec<(String, MeetingId)>,
    pub(super) artifacts: Vec<(String, MeetingId)>,
    pub(super) seen: Vec<(Origin, First)>,
    /// In the order of the batch.
    pub(super) lines: Vec<LogLine>,
}

/// The content of the store for the [`BatchKeys`] of a batch, as changed by the batch so far.
#[derive(Default)]
pub(super) struct View {
    pub(super) seen: BTreeMap<Origin, First>,
    /// Events that have a row in the log.
    pub(super) logged: HashSet<String>,
    /// The running meetings of the channels.
    pub(super) running: Vec<MeetingId>,
    pub(super) sids: HashMap<String, MeetingId>,
    pub(super) rooms: HashMap<String, MeetingId>,
    /// Those meetings of [`View::named`] that exist.
    pub(super) meetings: HashMap<MeetingId, Meeting>,
    added: HashSet<MeetingId>,
    changed: HashSet<MeetingId>,
    pub(super) changes: Changes,
}

impl View {
    /// The meetings that must be read after everything else.
    pub(super) fn named(&self, keys: &BatchKeys) -> HashSet<MeetingId> {
        keys.meetings
            .iter()
            .chain(&self.running)
            .chain(self.sids.values())
            .chain(self.rooms.values())
            .copied()
            .chain(self.seen.values().filter_map(|first| first.meeting))
            .collect()
    }

    /// Applies the events in their order.
    ///
    /// # Errors
    /// One of them is refused, and the text says which. Nothing of the batch may be written.
    pub(super) fn apply(
        &mut self,
        batch: &[Incoming],
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Vec<Applied>, String> {
        batch
            .iter()
            .map(|incoming| self.apply_one(incoming, policy, now))
            .collect()
    }

    /// Meetings that have no row yet.
    pub(super) fn added(&self) -> Vec<&Meeting> {
        self.of(&self.added)
    }

    /// Meetings that differ from their row.
    pub(super) fn changed(&self) -> Vec<&Meeting> {
        self.of(&self.changed)
    }

    fn of(&self, ids: &HashSet<MeetingId>) -> Vec<&Meeting> {
        ids.iter().filter_map(|id| self.meetings.get(id)).collect()
    }

    fn apply_one(
        &mut self,
        incoming: &Incoming,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Applied, String> {
        let event = &incoming.event;
        let content = content_hash(&event.fact)
            .map_err(|error| format!("event {} cannot be written: {error}", event.id))?;
        if let Some(first) = self.seen.get(&event.origin).copied() {
            let effect = if first.content == content {
                Effect::Duplicate
            } else {
                Effect::Conflict
            };
            let aim = match first.meeting {
                Some(id) => Aim::at(Some(id)),
                None => self.aim(event),
            };
            let meeting = first.meeting.and_then(|id| self.meetings.get(&id));
            let applied = repeat(meeting, aim, event, first.event, effect, policy, now);
            // The very same event was redelivered: it changes nothing.
            if first.event != event.id && !self.logged.contains(&event.id.to_string()) {
                self.add_line(event, effect, first.meeting);
            }
            return Ok(applied);
        }
        let aim = self.aim(event);
        let meeting = aim.meeting.and_then(|id| self.meetings.get(&id)).cloned();
        let known = meeting.as_ref().map(|meeting| meeting.id);
        let (moved, applied) = decide_or_refuse(meeting, aim, incoming, policy, now)?;
        match moved {
            Some(meeting) if known == Some(meeting.id) => self.change(meeting),
            Some(meeting) => self.add(meeting)?,
            None => {}
        }
        let first = First {
            event: event.id,
            content,
            meeting: applied.meeting.map(|(id, _)| id),
        };
        self.seen.insert(event.origin.clone(), first);
        self.changes.seen.push((event.origin.clone(), first));
        self.add_line(event, applied.effect, first.meeting);
        Ok(applied)
    }

    /// Finds the meeting of an event.
    fn aim(&self, event: &Event) -> Aim {
        match subject(&event.fact) {
            Subject::Meeting(id) => Aim::at(self.meetings.get(&id).map(|meeting| meeting.id)),
            Subject::Channel(channel) => {
                let runs_there = |meeting: &&Meeting| {
                    meeting.state().is_running() && meeting.place.channel_key() == channel
                };
                let running: Vec<_> = self.meetings.values().filter(runs_there).collect();
                aim(event, &running)
            }
            Subject::Session { sid, rooms } => {
                let known = self.sids.get(sid.as_str());
                let of_room = || rooms.iter().find_map(|room| self.rooms.get(room.as_str()));
                Aim::at(known.or_else(of_room).copied())
            }
        }
    }

    /// Adds a meeting that an event has created. Its id must be new.
    fn add(&mut self, meeting: Meeting) -> Result<(), String> {
        if self.meetings.contains_key(&meeting.id) {
            return Err(not_new(&meeting));
        }
        self.added.insert(meeting.id);
        self.rooms.insert(meeting.room.to_string(), meeting.id);
        self.keep(meeting);
        Ok(())
    }

    /// Stores a meeting of [`Self::aim`] after an event has changed it.
    fn change(&mut self, meeting: Meeting) {
        if !self.added.contains(&meeting.id) {
            self.changed.insert(meeting.id);
        }
        self.keep(meeting);
    }

    /// Records the new keys by which the meeting is found. Keys are never removed.
    fn keep(&mut self, meeting: Meeting) {
        let (id, changes) = (meeting.id, &mut self.changes);
        let before = self.meetings.get(&id);
        let known = before.map_or(0, |before| before.requests.len());
        let requests = meeting.requests.iter().skip(known);
        let requests = requests.map(|request| (request.id.to_string(), id));
        changes.requests.extend(requests);
        let known = before.map_or(0, |before| before.sessions.len());
        let own = meeting.sessions.iter().skip(known);
        let breakouts = meeting
            .breakouts
            .iter()
            .filter(|sid| before.is_none_or(|before| !before.breakouts.contains(*sid)));
        for sid in own.map(|session| &session.sid).chain(breakouts) {
            changes.sids.push((sid.to_string(), id));
            // A session stays with its first meeting.
            self.sids.entry(sid.to_string()).or_insert(id);
        }
        let artifacts = meeting
            .artifacts
            .keys()
            .filter(|id| before.is_none_or(|before| !before.artifacts.contains_key(*id)));
        let artifacts = artifacts.map(|artifact| (artifact.to_string(), id));
        changes.artifacts.extend(artifacts);
        self.meetings.insert(id, meeting);
    }

    fn add_line(&mut self, event: &Event, effect: Effect, meeting: Option<MeetingId>) {
        self.logged.insert(event.id.to_string());
        self.changes.lines.push(LogLine {
            event: event.clone(),
            effect,
            meeting,
        });
    }
}

/// Why a meeting cannot be created.
pub(super) fn not_new(meeting: &Meeting) -> String {
    format!(
        "meeting {} cannot be new: its id or its room {} is known",
        meeting.id, meeting.room
    )
}

/// Decides what the event does to the meeting. A panic would end the thread that all callers share, so it only makes
/// this event fail; the error names it.
fn decide_or_refuse(
    meeting: Option<Meeting>,
    aim: Aim,
    incoming: &Incoming,
    policy: &Policy,
    now: Timestamp,
) -> Result<(Option<Meeting>, Applied), String> {
    let Incoming { event, fresh } = incoming;
    let deciding = AssertUnwindSafe(|| decide(meeting, aim, event, fresh, policy, now));
    catch_unwind(deciding).map_err(|_| {
        format!(
            "event {} ({}) makes the relay panic: this is a fault of the relay, report it with the log",
            event.id,
            event.fact.kind()
        )
    })
}
