//! What a batch sees: everything it is about, locked and read with a few statements for all its events, and what the
//! events before have changed of it.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::ToSql;

use super::super::link::{Client, Values, prepared, rows};
use super::super::meetings::{WHOLE, read_id, read_optional_id, read_whole};
use super::super::text::{Text, clean};
use super::super::trouble::Trouble;
use super::changes::{Changes, First, Key, Line};
use super::keys::Keys;
use super::save;
use crate::domain::apply::{Effect, Subject, subject};
use crate::domain::{Event, Fact, Meeting, MeetingId, Origin};
use crate::store::body::damaged;

const LOCK: &str = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number";
const SEEN: &str = "SELECT s.source, s.key, s.content, s.meeting, s.event
     FROM unnest($1::text[], $2::text[]) AS asked (source, key)
     JOIN seen AS s ON s.source = asked.source AND s.key = asked.key";
const LOGGED: &str = "SELECT event FROM events WHERE event = ANY($1::text[])";
const PLACES: &str = "SELECT asked.place, newest.id FROM unnest($1::text[]) AS asked (place)
     CROSS JOIN LATERAL (SELECT id FROM meetings WHERE running AND place = asked.place
                         ORDER BY requested_at DESC, id DESC LIMIT 1) AS newest";
const SESSIONS: &str = "SELECT sid, meeting AS id FROM sessions WHERE sid = ANY($1::text[])";
const ROOMS: &str = "SELECT room, id FROM meetings WHERE room = ANY($1::text[])";
/// No other replica changes these rows until the commit. Rows of posts, which refer to them, can still be written.
const LOCK_MEETINGS: &str =
    "SELECT id FROM meetings WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE";
const NEXT_OF_PLACE: &str = "SELECT id FROM meetings
     WHERE running AND place = $1 AND id <> ALL($2::text[])
     ORDER BY requested_at DESC, id DESC LIMIT 1";

/// The state of the store, as the batch has left it so far. Nothing is written before the end.
pub(super) struct View<'c> {
    client: &'c Client,
    seen: HashMap<Key, First>,
    /// Events that have a line.
    logged: HashSet<String>,
    /// The newest running meeting of each place, as the rows say.
    places: HashMap<String, MeetingId>,
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
            places: HashMap::new(),
            sids: HashMap::new(),
            rooms: HashMap::new(),
            meetings: HashMap::new(),
            changes: Changes::default(),
        };
        view.look_up(keys).await?;
        let named: HashSet<MeetingId> = keys
            .meetings
            .iter()
            .chain(view.places.values())
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
            prepared(client, PLACES).await?,
            prepared(client, SESSIONS).await?,
            prepared(client, ROOMS).await?,
        ];
        let [lock, seen, logged, places, sessions, rooms] = &statements;
        let own: [&[&(dyn ToSql + Sync)]; 6] = [
            &[&keys.locks],
            &[&keys.sources, &keys.keys],
            &[&keys.events],
            &[&keys.places],
            &[&keys.sids],
            &[&keys.rooms],
        ];
        // Answers come in the order of the statements: the first error is the one that tells why.
        let (_, _, seen, logged, places, sessions, rooms) = tokio::try_join!(
            biased;
            client.batch_execute("BEGIN"),
            client.query(lock, own[0]),
            client.query(seen, own[1]),
            client.query(logged, own[2]),
            client.query(places, own[3]),
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
        for (found, column, known) in [
            (&places, "place", &mut self.places),
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

    /// The meeting that a fact is about.
    pub(super) async fn of_subject(&mut self, fact: &Fact) -> Result<Option<&Meeting>, Trouble> {
        let id = match subject(fact) {
            Subject::Meeting(id) => Some(id),
            Subject::Place(place) => self.newest_running(&place).await?,
            Subject::Session { sid, rooms } => {
                let known = self.sids.get(sid.as_str());
                let of_room = || rooms.iter().find_map(|room| self.rooms.get(room.as_str()));
                known.or_else(of_room).copied()
            }
        };
        Ok(id.and_then(|id| self.meetings.get(&id)))
    }

    /// The newest running meeting of a place. Nobody else begins one there: the place is locked.
    async fn newest_running(&mut self, place: &str) -> Result<Option<MeetingId>, Trouble> {
        let key = clean(place).into_owned();
        while let Some(newest) = self.places.get(&key) {
            if self.is_running(*newest) {
                break;
            }
            // It has ended since, by this batch or while the lock was waited for: the next one counts.
            let known: Vec<_> = self.meetings.keys().map(Text::shown).collect();
            let next = rows(self.client, NEXT_OF_PLACE, &[&Text::of(&key), &known]).await?;
            match next.first() {
                None => {
                    self.places.remove(&key);
                }
                Some(row) => {
                    let next = read_id(row, "id")?;
                    self.lock_and_load([next]).await?;
                    self.places.insert(key.clone(), next);
                }
            }
        }
        let newest = self
            .meetings
            .values()
            .filter(|meeting| meeting.state().is_running() && meeting.place.key() == place)
            .max_by_key(|meeting| (meeting.requested_at, meeting.id));
        Ok(newest.map(|meeting| meeting.id))
    }

    fn is_running(&self, id: MeetingId) -> bool {
        self.get(id)
            .is_some_and(|meeting| meeting.state().is_running())
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

    /// Takes a meeting that [`Self::of_subject`] gave, as an event left it.
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
