//! What a batch sees: everything it is about, locked and read with a few statements for all its events, and what the
//! events before have changed of it.

use std::collections::{HashMap, HashSet};

use super::super::limit;
use super::super::link::{Client, Values, prepared};
use super::super::meetings::{WHOLE, read_id, read_optional_id, read_whole};
use super::super::text::Text;
use super::super::trouble::Trouble;
use super::changes::{Changes, First, Key, Line};
use super::keys::Keys;
use super::save;
use crate::domain::apply::{Aim, Effect, Subject, aim, subject};
use crate::domain::choice::CANDIDATES_MAX;
use crate::domain::{Event, Meeting, MeetingId, Origin};
use crate::store::body::damaged;

const LOCK: &str = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number";
const SEEN: &str = "SELECT s.source, s.key, s.content, s.meeting, s.event
     FROM unnest($1::text[], $2::text[]) AS asked (source, key)
     JOIN seen AS s ON s.source = asked.source AND s.key = asked.key";
const LOGGED: &str = "SELECT event FROM events WHERE event = ANY($1::text[])";
/// Keys of places are `<channel key>|<thread>`, and `}` is the sign after `|`.
const RUNNING: &str = "SELECT newest.id FROM unnest($1::text[]) AS asked (channel)
     CROSS JOIN LATERAL (SELECT id FROM meetings
                         WHERE running AND place >= (asked.channel || '|') COLLATE \"C\"
                             AND place < (asked.channel || '}') COLLATE \"C\"
                         ORDER BY requested_at DESC, id DESC LIMIT $2) AS newest";
const SESSIONS: &str = "SELECT sid, meeting AS id FROM sessions WHERE sid = ANY($1::text[])";
const ROOMS: &str = "SELECT room, id FROM meetings WHERE room = ANY($1::text[])";
/// No other replica changes these rows until the commit. Rows of posts, which refer to them, can still be written.
const LOCK_MEETINGS: &str =
    "SELECT id FROM meetings WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE";

/// The state of the store, as the batch has left it so far. Nothing is written before the end.
pub(super) struct View<'c> {
    client: &'c Client,
    seen: HashMap<Key, First>,
    /// Events that have a line.
    logged: HashSet<String>,
    /// The running meetings of the channels in which something is asked for, as the rows say.
    running: Vec<MeetingId>,
    sids: HashMap<String, MeetingId>,
    rooms: HashMap<String, MeetingId>,
    meetings: HashMap<MeetingId, Meeting>,
    changes: Changes,
}

impl<'c> View<'c> {
    /// Begins the transaction, takes the locks and reads what the events name.
    pub(super) async fn begin(client: &'c Client, keys: &Keys) -> Result<Self, Trouble> {
        let mut view = Self {
            client,
            seen: HashMap::new(),
            logged: HashSet::new(),
            running: Vec::new(),
            sids: HashMap::new(),
            rooms: HashMap::new(),
            meetings: HashMap::new(),
            changes: Changes::default(),
        };
        view.look_up(keys).await?;
        let named: HashSet<MeetingId> = keys
            .meetings
            .iter()
            .chain(&view.running)
            .chain(view.sids.values())
            .chain(view.rooms.values())
            .copied()
            .chain(view.seen.values().filter_map(|first| first.meeting))
            .collect();
        view.lock_and_load(named).await?;
        Ok(view)
    }

    /// One round trip: the statements go out together, and the server carries them out one after the other.
    async fn look_up(&mut self, keys: &Keys) -> Result<(), Trouble> {
        let client = self.client;
        // All of them first, so that none has to be prepared between the others.
        let statements = [
            prepared(client, LOCK).await?,
            prepared(client, SEEN).await?,
            prepared(client, LOGGED).await?,
            prepared(client, RUNNING).await?,
            prepared(client, SESSIONS).await?,
            prepared(client, ROOMS).await?,
        ];
        let [lock, seen, logged, running, sessions, rooms] = &statements;
        let most = limit(CANDIDATES_MAX, CANDIDATES_MAX);
        let own: [Values<'_>; 6] = [
            &[&keys.locks],
            &[&keys.sources, &keys.keys],
            &[&keys.events],
            &[&keys.channels, &most],
            &[&keys.sids],
            &[&keys.rooms],
        ];
        // Answers come in the order of the statements: the first error is the one that tells why.
        let (_, _, seen, logged, running, sessions, rooms) = tokio::try_join!(
            biased;
            client.batch_execute("BEGIN"),
            client.query(lock, own[0]),
            client.query(seen, own[1]),
            client.query(logged, own[2]),
            client.query(running, own[3]),
            client.query(sessions, own[4]),
            client.query(rooms, own[5]),
        )?;
        for row in &seen {
            // The key of a command is a secret while its response URL lives, and errors are logged.
            let key = Key {
                source: row.try_get("source")?,
                key: row.try_get("key")?,
            };
            let damaged = |column: &str| {
                Trouble::Refused(damaged(
                    format_args!("a seen event of {}", key.source),
                    column,
                ))
            };
            let event: &str = row.try_get("event")?;
            let content: &[u8] = row.try_get("content")?;
            let first = First {
                event: event.parse().map_err(|_| damaged("event"))?,
                content: content.try_into().map_err(|_| damaged("content"))?,
                meeting: read_optional_id(row, "meeting").map_err(|_| damaged("meeting"))?,
            };
            self.seen.insert(key, first);
        }
        for row in &logged {
            self.logged.insert(row.try_get("event")?);
        }
        for row in &running {
            self.running.push(read_id(row, "id")?);
        }
        for (found, column, known) in [
            (&sessions, "sid", &mut self.sids),
            (&rooms, "room", &mut self.rooms),
        ] {
            for row in found {
                known.insert(row.try_get(column)?, read_id(row, "id")?);
            }
        }
        Ok(())
    }

    /// What is read stands behind the locks: it is what others committed before.
    async fn lock_and_load(
        &mut self,
        named: impl IntoIterator<Item = MeetingId>,
    ) -> Result<(), Trouble> {
        let ids: Vec<_> = named.into_iter().map(Text::shown).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let client = self.client;
        let lock = prepared(client, LOCK_MEETINGS).await?;
        let load = prepared(client, WHOLE).await?;
        let ids: Values<'_> = &[&ids];
        let (_, found) = tokio::try_join!(
            biased;
            client.query(&lock, ids),
            client.query(&load, ids)
        )?;
        self.meetings.extend(read_whole(&found)?);
        Ok(())
    }

    /// The first event of this dedup key, if it has come before.
    pub(super) fn first(&self, origin: &Origin) -> Option<First> {
        self.seen.get(&Key::of(origin)).cloned()
    }

    /// The meeting as the batch has left it so far.
    pub(super) fn get(&self, id: MeetingId) -> Option<&Meeting> {
        self.meetings.get(&id)
    }

    /// Which meeting an event is about. Nobody else begins one in its channel: the channel is locked.
    pub(super) fn aim(&self, event: &Event) -> Aim {
        match subject(&event.fact) {
            Subject::Meeting(id) => Aim::at(self.get(id).map(|meeting| meeting.id)),
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

    /// Takes a meeting that an event has founded: it must be new, whoever the id was drawn for.
    pub(super) fn add(&mut self, meeting: Meeting) -> Result<(), Trouble> {
        if self.meetings.contains_key(&meeting.id) {
            return Err(save::not_new(meeting.id));
        }
        self.changes.added.insert(meeting.id);
        self.rooms.insert(meeting.room.to_string(), meeting.id);
        self.keep(meeting);
        Ok(())
    }

    /// Takes a meeting that [`Self::aim`] named, as an event left it.
    pub(super) fn change(&mut self, meeting: Meeting) {
        if !self.changes.added.contains(&meeting.id) {
            self.changes.changed.insert(meeting.id);
        }
        self.keep(meeting);
    }

    fn keep(&mut self, meeting: Meeting) {
        let noted = self.changes.sids.len();
        self.changes.index(self.meetings.get(&meeting.id), &meeting);
        for (sid, id) in &self.changes.sids[noted..] {
            // Whoever had the session first keeps it.
            self.sids.entry(sid.clone()).or_insert(*id);
        }
        self.meetings.insert(meeting.id, meeting);
    }

    /// Takes the event's dedup key and adds its line.
    pub(super) fn add_first(
        &mut self,
        event: &Event,
        content: &[u8; 32],
        effect: Effect,
        meeting: Option<MeetingId>,
    ) {
        let first = First {
            event: event.id,
            content: *content,
            meeting,
        };
        let key = Key::of(&event.origin);
        self.seen.insert(key.clone(), first.clone());
        self.changes.seen.push((key, first));
        self.add_line(event, effect, meeting);
    }

    /// Adds a line for an event that came before, unless it is the very same one: a redelivery is nothing new.
    pub(super) fn add_double(&mut self, event: &Event, first: &First, effect: Effect) {
        if first.event != event.id && !self.logged.contains(&event.id.to_string()) {
            self.add_line(event, effect, first.meeting);
        }
    }

    fn add_line(&mut self, event: &Event, effect: Effect, meeting: Option<MeetingId>) {
        self.logged.insert(event.id.to_string());
        self.changes.lines.push(Line {
            event: event.clone(),
            effect,
            meeting,
        });
    }

    /// What is to be written, and the meetings as they are now.
    pub(super) fn changes(&self) -> (&Changes, &HashMap<MeetingId, Meeting>) {
        (&self.changes, &self.meetings)
    }
}
