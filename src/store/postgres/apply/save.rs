//! Writes what a batch has changed: one statement a table, however many events there were.

use std::collections::HashSet;

use super::super::failure::StoreFailure;
use super::super::pooled_client::{PostgresClient, execute, rows};
use super::super::text::Text;
use crate::domain::{Meeting, MeetingId, Origin, Timestamp};
use crate::store::batch::{First, LogLine, View, not_new};
use crate::store::row_json;

const ADD_MEETINGS: &str = "INSERT INTO meetings (id, running, state, round, wake_at, body,
         room, place, title, channel_name, starter, requested_at, first_request)
     SELECT * FROM unnest($1::text[], $2::boolean[], $3::text[], $4::bigint[], $5::bigint[], $6::text[],
         $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::text[])
     ON CONFLICT DO NOTHING RETURNING id";
const CHANGE_MEETINGS: &str =
    "UPDATE meetings AS m SET running = n.running, state = n.state, round = n.round,
         wake_at = n.wake_at, body = n.body
     FROM unnest($1::text[], $2::boolean[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
         AS n (id, running, state, round, wake_at, body)
     WHERE m.id = n.id";
// Whoever had the session first keeps it; so with requests and artifacts.
const ADD_REQUESTS: &str = "INSERT INTO requests (request, meeting)
     SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING";
const ADD_SESSIONS: &str = "INSERT INTO sessions (sid, meeting)
     SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING";
const ADD_ARTIFACTS: &str = "INSERT INTO artifacts (artifact, meeting)
     SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING";
const ADD_SEEN: &str = "INSERT INTO seen (source, key, event, content, meeting, at)
     SELECT n.*, $6::bigint FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[]) AS n";
// In the order of the batch: `line` is drawn in it.
const ADD_LINES: &str =
    "INSERT INTO events (event, meeting, kind, source, effect, received_at, applied_at)
     SELECT event, meeting, kind, source, effect, received_at, $7::bigint
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
         WITH ORDINALITY AS n (event, meeting, kind, source, effect, received_at, nth)
     ORDER BY nth";

/// Writes what the batch left to be written.
pub(super) async fn save(
    client: &PostgresClient,
    view: &View,
    now: Timestamp,
) -> Result<(), StoreFailure> {
    add_meetings(client, &view.added()).await?;
    let (changed, changes) = (view.changed(), &view.changes);
    // The first error is the one that tells why.
    tokio::try_join!(
        biased;
        change_meetings(client, &changed),
        add_pairs(client, ADD_REQUESTS, &changes.requests),
        add_pairs(client, ADD_SESSIONS, &changes.sids),
        add_pairs(client, ADD_ARTIFACTS, &changes.artifacts),
        add_seen(client, &changes.seen, now),
        add_lines(client, &changes.lines, now),
    )?;
    Ok(())
}

/// The columns that change.
#[derive(Default)]
struct Moving<'a> {
    ids: Vec<Text<'a>>,
    running: Vec<bool>,
    states: Vec<&'static str>,
    rounds: Vec<i64>,
    wakes: Vec<Option<i64>>,
    bodies: Vec<Text<'a>>,
}

impl Moving<'_> {
    fn of(meetings: &[&Meeting]) -> Result<Self, StoreFailure> {
        let mut columns = Self::default();
        for meeting in meetings {
            let state = meeting.state();
            columns.ids.push(Text::shown(meeting.id));
            columns.running.push(state.is_running());
            columns.states.push(state.as_str());
            columns.rounds.push(i64::from(meeting.round));
            columns.wakes.push(meeting.wake_at.map(Timestamp::millis));
            let body = row_json::write(meeting).map_err(StoreFailure::Refused)?;
            columns.bodies.push(Text::of(body));
        }
        Ok(columns)
    }
}

async fn add_meetings(client: &PostgresClient, meetings: &[&Meeting]) -> Result<(), StoreFailure> {
    if meetings.is_empty() {
        return Ok(());
    }
    let moving = Moving::of(meetings)?;
    let (mut starters, mut firsts) = (Vec::new(), Vec::new());
    for meeting in meetings {
        let first = meeting.first_request().ok_or_else(|| {
            StoreFailure::Refused(format!("meeting {} was asked for by nobody", meeting.id))
        })?;
        starters.push(Text::of(&first.by.user_name));
        firsts.push(Text::shown(first.id));
    }
    let column = |of: fn(&Meeting) -> Text<'_>| -> Vec<Text<'_>> {
        meetings.iter().map(|meeting| of(meeting)).collect()
    };
    let requested: Vec<_> = meetings.iter().map(|m| m.requested_at.millis()).collect();
    let added = rows(
        client,
        ADD_MEETINGS,
        &[
            &moving.ids,
            &moving.running,
            &moving.states,
            &moving.rounds,
            &moving.wakes,
            &moving.bodies,
            &column(|meeting| Text::of(meeting.room.as_str())),
            &column(|meeting| Text::of(meeting.place.key())),
            &column(|meeting| Text::of(&meeting.rule.title)),
            &column(|meeting| Text::of(&meeting.place.channel_name)),
            &starters,
            &requested,
            &firsts,
        ],
    )
    .await?;
    let added = added
        .iter()
        .map(|row| row.try_get("id"))
        .collect::<Result<HashSet<String>, _>>()?;
    let known = meetings
        .iter()
        .find(|meeting| !added.contains(&meeting.id.to_string()));
    known.map_or(Ok(()), |meeting| {
        Err(StoreFailure::Refused(not_new(meeting)))
    })
}

async fn change_meetings(
    client: &PostgresClient,
    meetings: &[&Meeting],
) -> Result<(), StoreFailure> {
    if meetings.is_empty() {
        return Ok(());
    }
    let moving = Moving::of(meetings)?;
    execute(
        client,
        CHANGE_MEETINGS,
        &[
            &moving.ids,
            &moving.running,
            &moving.states,
            &moving.rounds,
            &moving.wakes,
            &moving.bodies,
        ],
    )
    .await?;
    Ok(())
}

async fn add_pairs(
    client: &PostgresClient,
    text: &str,
    pairs: &[(String, MeetingId)],
) -> Result<(), StoreFailure> {
    if pairs.is_empty() {
        return Ok(());
    }
    let (keys, meetings): (Vec<_>, Vec<_>) = pairs
        .iter()
        .map(|(key, meeting)| (Text::of(key), Text::shown(meeting)))
        .unzip();
    execute(client, text, &[&keys, &meetings]).await?;
    Ok(())
}

async fn add_seen(
    client: &PostgresClient,
    seen: &[(Origin, First)],
    now: Timestamp,
) -> Result<(), StoreFailure> {
    if seen.is_empty() {
        return Ok(());
    }
    let column =
        |of: fn(&(Origin, First)) -> Text<'_>| -> Vec<Text<'_>> { seen.iter().map(of).collect() };
    let contents: Vec<&[u8]> = seen.iter().map(|(_, first)| &first.content[..]).collect();
    let meetings: Vec<_> = seen
        .iter()
        .map(|(_, first)| first.meeting.map(Text::shown))
        .collect();
    execute(
        client,
        ADD_SEEN,
        &[
            &column(|(key, _)| Text::of(&key.source)),
            &column(|(key, _)| Text::of(&key.key)),
            &column(|(_, first)| Text::shown(first.event)),
            &contents,
            &meetings,
            &now.millis(),
        ],
    )
    .await?;
    Ok(())
}

async fn add_lines(
    client: &PostgresClient,
    lines: &[LogLine],
    now: Timestamp,
) -> Result<(), StoreFailure> {
    if lines.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&LogLine) -> Text<'_>| -> Vec<Text<'_>> { lines.iter().map(of).collect() };
    let meetings: Vec<_> = lines
        .iter()
        .map(|line| line.meeting.map(Text::shown))
        .collect();
    let received: Vec<_> = lines
        .iter()
        .map(|line| line.event.received_at.millis())
        .collect();
    execute(
        client,
        ADD_LINES,
        &[
            &column(|line| Text::shown(line.event.id)),
            &meetings,
            &column(|line| Text::of(line.event.fact.kind())),
            &column(|line| Text::of(&line.event.origin.source)),
            &column(|line| Text::of(line.effect.as_str())),
            &received,
            &now.millis(),
        ],
    )
    .await?;
    Ok(())
}
