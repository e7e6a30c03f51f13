//! A batch of events, in one change of the file.

use rusqlite::Connection;

use crate::domain::apply::{Aim, Applied, Effect, Policy, Subject, aim, repeat, subject};
use crate::domain::{Event, Timestamp};
use crate::ports::Incoming;
use crate::sqlite::SqliteError;
use crate::store::content::content_hash;
use crate::store::decide::decide_or_refuse;

use super::loaded::Loaded;
use super::{log, meetings};

/// Applies the events in their order. On an error the caller's savepoint takes everything back.
pub(super) fn apply(
    file: &Connection,
    batch: &[Incoming],
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>, SqliteError> {
    let mut loaded = Loaded::new(file);
    let applied = batch
        .iter()
        .map(|incoming| apply_one(file, &mut loaded, incoming, policy, now))
        .collect::<Result<_, _>>()?;
    loaded.save()?;
    Ok(applied)
}

fn apply_one(
    file: &Connection,
    loaded: &mut Loaded<'_>,
    incoming: &Incoming,
    policy: &Policy,
    now: Timestamp,
) -> Result<Applied, SqliteError> {
    let event = &incoming.event;
    let content = content_hash(&event.fact).map_err(|error| {
        SqliteError::Refused(format!("event {} cannot be written: {error}", event.id))
    })?;
    if let Some(first) = log::first(file, &event.origin)? {
        let effect = if first.content == content {
            Effect::Duplicate
        } else {
            Effect::Conflict
        };
        log::add_double(file, event, &first, effect, now)?;
        let aim = match first.meeting {
            Some(id) => Aim::at(Some(id)),
            None => aim_of(file, loaded, event)?,
        };
        let meeting = match first.meeting {
            Some(id) => loaded.get(id)?,
            None => None,
        };
        return Ok(repeat(
            meeting,
            aim,
            event,
            first.event,
            effect,
            policy,
            now,
        ));
    }
    let aim = aim_of(file, loaded, event)?;
    let meeting = match aim.meeting {
        Some(id) => loaded.get(id)?.cloned(),
        None => None,
    };
    let known = meeting.as_ref().map(|meeting| meeting.id);
    let (moved, applied) =
        decide_or_refuse(meeting, aim, incoming, policy, now).map_err(SqliteError::Refused)?;
    match moved {
        Some(meeting) if known == Some(meeting.id) => loaded.change(meeting)?,
        Some(meeting) => loaded.add(meeting)?,
        None => {}
    }
    let meeting = applied.meeting.map(|(id, _)| id);
    log::add(file, event, &content, applied.effect, meeting, now)?;
    Ok(applied)
}

/// Which meeting the event is about.
fn aim_of(file: &Connection, loaded: &mut Loaded<'_>, event: &Event) -> Result<Aim, SqliteError> {
    match subject(&event.fact) {
        Subject::Channel(channel) => Ok(aim(event, &loaded.running(&channel)?)),
        named => Ok(Aim::at(meetings::of_subject(file, &named)?)),
    }
}
