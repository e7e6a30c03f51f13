//! Reads what a batch is about: everything that its events name, locked and read with a few statements for all of them.

use tokio_postgres::Row;

use super::super::failure::StoreFailure;
use super::super::limit;
use super::super::meetings::{WHOLE, read_id, read_optional_id, read_whole};
use super::super::pooled_client::{PostgresClient, Values, prepared};
use super::super::text::Text;
use crate::domain::Origin;
use crate::domain::choice::CANDIDATES_MAX;
use crate::store::batch::{BatchKeys, First, View};
use crate::store::row_json::damaged;

const LOCK: &str = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number";
const SEEN: &str = "SELECT asked.nth, s.content, s.meeting, s.event
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (source, key, nth)
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

/// Begins the transaction, takes the locks and reads what the keys name.
pub(super) async fn begin(
    client: &PostgresClient,
    keys: &BatchKeys,
    locks: &[i64],
) -> Result<View, StoreFailure> {
    let mut view = read_rows(keys, look_up(client, keys, locks).await?)?;
    let named = view.named(keys);
    if named.is_empty() {
        return Ok(view);
    }
    let named: Vec<_> = named.into_iter().map(Text::shown).collect();
    let lock = prepared(client, LOCK_MEETINGS).await?;
    let load = prepared(client, WHOLE).await?;
    let named: Values<'_> = &[&named];
    // What is read stands behind the locks: it is what others committed before.
    let (_, found) = tokio::try_join!(
        biased;
        client.query(&lock, named),
        client.query(&load, named)
    )?;
    view.meetings = read_whole(&found)?;
    Ok(view)
}

/// What the events' keys, their own ids, channels, sessions and rooms are found in. One round trip: the statements go
/// out together, and the server carries them out one after the other.
async fn look_up(
    client: &PostgresClient,
    keys: &BatchKeys,
    locks: &[i64],
) -> Result<[Vec<Row>; 5], StoreFailure> {
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
    let (sources, own_keys): (Vec<_>, Vec<_>) = keys
        .origins
        .iter()
        .map(|origin| (Text::of(&origin.source), Text::of(&origin.key)))
        .unzip();
    let events: Vec<_> = keys.events.iter().collect();
    let channels: Vec<_> = keys.channels.iter().map(Text::of).collect();
    let (sids, room_ids): (Vec<_>, Vec<_>) =
        (keys.sids.iter().collect(), keys.rooms.iter().collect());
    let own: [Values<'_>; 6] = [
        &[&locks],
        &[&sources, &own_keys],
        &[&events],
        &[&channels, &most],
        &[&sids],
        &[&room_ids],
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
    Ok([seen, logged, running, sessions, rooms])
}

fn read_rows(
    keys: &BatchKeys,
    [seen, logged, running, sessions, rooms]: [Vec<Row>; 5],
) -> Result<View, StoreFailure> {
    let mut view = View::default();
    let origins: Vec<&Origin> = keys.origins.iter().collect();
    for row in &seen {
        let nth: i64 = row.try_get("nth")?;
        let asked = usize::try_from(nth - 1)
            .ok()
            .and_then(|nth| origins.get(nth));
        if let Some(origin) = asked {
            let first = read_first(origin, row)?;
            view.seen.insert((*origin).clone(), first);
        }
    }
    for row in &logged {
        view.logged.insert(row.try_get("event")?);
    }
    for row in &running {
        view.running.push(read_id(row, "id")?);
    }
    for (found, column, known) in [
        (&sessions, "sid", &mut view.sids),
        (&rooms, "room", &mut view.rooms),
    ] {
        for row in found {
            known.insert(row.try_get(column)?, read_id(row, "id")?);
        }
    }
    Ok(view)
}

fn read_first(origin: &Origin, row: &Row) -> Result<First, StoreFailure> {
    // The key of a command is a secret while its response URL lives, and errors are logged.
    let damaged = |column: &str| {
        let name = format_args!("a seen event of {}", origin.source);
        StoreFailure::Refused(damaged(name, column))
    };
    let event: &str = row.try_get("event")?;
    let content: &[u8] = row.try_get("content")?;
    Ok(First {
        event: event.parse().map_err(|_| damaged("event"))?,
        content: content.try_into().map_err(|_| damaged("content"))?,
        meeting: read_optional_id(row, "meeting").map_err(|_| damaged("meeting"))?,
    })
}
