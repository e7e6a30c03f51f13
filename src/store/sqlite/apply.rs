//! A batch of events, in one change of the file: on an error the caller's savepoint takes everything back.

use rusqlite::Connection;

use crate::domain::Timestamp;
use crate::domain::apply::{Applied, Policy};
use crate::ports::Incoming;
use crate::sqlite::SqliteError;
use crate::store::batch::{BatchKeys, View};

use super::{log, meetings};

// Whoever had the session first keeps it; so with requests and artifacts.
const ADD_REQUEST: &str =
    "INSERT INTO requests (request, meeting) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const ADD_SESSION: &str =
    "INSERT INTO sessions (sid, meeting) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const ADD_ARTIFACT: &str =
    "INSERT INTO artifacts (artifact, meeting) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// Applies the events in their order.
pub(super) fn apply(
    file: &Connection,
    batch: &[Incoming],
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>, SqliteError> {
    let mut view = read(file, &BatchKeys::of(batch))?;
    let applied = view.apply(batch, policy, now);
    let applied = applied.map_err(SqliteError::Refused)?;
    save(file, &view, now)?;
    Ok(applied)
}

fn read(file: &Connection, keys: &BatchKeys) -> Result<View, SqliteError> {
    let mut view = View::default();
    for origin in &keys.origins {
        let first = log::first(file, origin)?;
        view.seen.extend(first.map(|first| (origin.clone(), first)));
    }
    for event in &keys.events {
        let line = log::of_event(file, event)?;
        view.logged.extend(line.map(|line| line.event));
    }
    for channel in &keys.channels {
        view.running.extend(meetings::running_in(file, channel)?);
    }
    for sid in &keys.sids {
        let known = meetings::of_session(file, sid)?;
        view.sids.extend(known.map(|id| (sid.clone(), id)));
    }
    for room in &keys.rooms {
        let known = meetings::of_room(file, room)?;
        view.rooms.extend(known.map(|id| (room.clone(), id)));
    }
    for id in view.named(keys) {
        let meeting = meetings::load(file, id)?;
        view.meetings.extend(meeting.map(|meeting| (id, meeting)));
    }
    Ok(view)
}

fn save(file: &Connection, view: &View, now: Timestamp) -> Result<(), SqliteError> {
    for meeting in view.added() {
        meetings::insert(file, meeting)?;
    }
    for meeting in view.changed() {
        meetings::update(file, meeting)?;
    }
    let changes = &view.changes;
    for (add, pairs) in [
        (ADD_REQUEST, &changes.requests),
        (ADD_SESSION, &changes.sids),
        (ADD_ARTIFACT, &changes.artifacts),
    ] {
        for (key, meeting) in pairs {
            file.prepare_cached(add)?
                .execute((key, meeting.to_string()))?;
        }
    }
    for (origin, first) in &changes.seen {
        log::add_seen(file, origin, first, now)?;
    }
    for line in &changes.lines {
        log::add_line(file, line, now)?;
    }
    Ok(())
}
