//! What has come: one line for each event that was settled, and forgetting what is old.

use std::collections::HashSet;

use tokio_postgres::Row;

use super::failure::StoreFailure;
use super::limit;
use super::pooled_client::{PostgresClient, execute, row, rows};
use super::text::Text;
use crate::domain::{EventId, MeetingId, Timestamp};
use crate::ports::Logged;
use crate::store::row_json::damaged;
use crate::store::{HISTORY_MAX, LISTED_MAX, columns};

/// Most rows that one piece of pruning takes from each table.
const PIECE_MAX: i64 = 500;

/// Each takes a piece of what is old out of one table.
const FORGET: [&str; 4] = [
    "DELETE FROM seen WHERE (source, key) IN
         (SELECT source, key FROM seen WHERE at < $1 ORDER BY at LIMIT $2)",
    "DELETE FROM events WHERE line IN
         (SELECT line FROM events WHERE applied_at < $1 ORDER BY applied_at LIMIT $2)",
    "DELETE FROM attempts WHERE line IN
         (SELECT line FROM attempts WHERE began_at < $1 ORDER BY began_at LIMIT $2)",
    "DELETE FROM notes WHERE line IN
         (SELECT line FROM notes WHERE at < $1 ORDER BY at LIMIT $2)",
];

/// The line of one event.
pub(super) async fn of_event(
    client: &PostgresClient,
    event: &str,
) -> Result<Option<Logged>, StoreFailure> {
    let text = "SELECT event, kind, source, effect, received_at, applied_at
         FROM events WHERE event = $1 ORDER BY line LIMIT 1";
    let found = row(client, text, &[&Text::of(event)]).await?;
    found.as_ref().map(read).transpose()
}

/// Those of `events` that have a line or are a dead letter.
pub(super) async fn settled(
    client: &PostgresClient,
    events: &[EventId],
) -> Result<Vec<EventId>, StoreFailure> {
    let asked: Vec<_> = events.iter().take(LISTED_MAX).collect();
    let ids: Vec<_> = asked.iter().map(Text::shown).collect();
    let text = "SELECT asked.id FROM unnest($1::text[]) AS asked (id)
         WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.event = asked.id)
             OR EXISTS (SELECT 1 FROM dead_letters AS l WHERE l.id = asked.id)
             OR EXISTS (SELECT 1 FROM notes AS n WHERE n.subject = asked.id AND n.action = 'discard')";
    let found = rows(client, text, &[&ids]).await?;
    let settled = found
        .iter()
        .map(|row| row.try_get("id"))
        .collect::<Result<HashSet<String>, _>>()?;
    let is_settled = |event: &&EventId| settled.contains(&event.to_string());
    Ok(asked.into_iter().filter(is_settled).copied().collect())
}

/// The lines of one meeting, in the order in which they were applied.
pub(super) async fn history(
    client: &PostgresClient,
    meeting: MeetingId,
) -> Result<Vec<Logged>, StoreFailure> {
    let text = "SELECT event, kind, source, effect, received_at, applied_at
         FROM events WHERE meeting = $1 ORDER BY line LIMIT $2";
    let most = limit(HISTORY_MAX, HISTORY_MAX);
    let found = rows(client, text, &[&Text::shown(meeting), &most]).await?;
    found.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Logged, StoreFailure> {
    let event: String = row.try_get("event")?;
    let effect: &str = row.try_get("effect")?;
    Ok(Logged {
        kind: row.try_get("kind")?,
        source: row.try_get("source")?,
        effect: columns::effect(effect).ok_or_else(|| {
            StoreFailure::Refused(damaged(format_args!("the line of event {event}"), "effect"))
        })?,
        received_at: Timestamp::from_millis(row.try_get("received_at")?),
        applied_at: Timestamp::from_millis(row.try_get("applied_at")?),
        event,
    })
}

/// Forgets some keys and lines from before `before`; answers how many, 0 when none is left. Leases that a killed
/// relay left behind go with them.
pub(super) async fn forget_piece(
    client: &PostgresClient,
    before: Timestamp,
) -> Result<u64, StoreFailure> {
    let mut forgotten = 0;
    for text in FORGET {
        forgotten += execute(client, text, &[&before.millis(), &PIECE_MAX]).await?;
    }
    let leases = "DELETE FROM leases WHERE until < $1";
    execute(client, leases, &[&before.millis()]).await?;
    Ok(forgotten)
}
