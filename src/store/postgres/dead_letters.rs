//! Dead letters.

use tokio_postgres::Row;

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, execute, row, rows};
use super::text::Text;
use super::{limit, number};
use crate::domain::Timestamp;
use crate::ports::{DeadFilter, DeadKind, DeadLetter};
use crate::store::row_json::{damaged, read_id};
use crate::store::{LISTED_MAX, columns};

/// Stores a dead letter, which replaces any other with its id.
pub(super) async fn bury(client: &PostgresClient, letter: &DeadLetter) -> Result<(), StoreFailure> {
    let text =
        "INSERT INTO dead_letters (id, queue, kind, meeting, reason, buried_at, attempts, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET
             queue = excluded.queue, kind = excluded.kind, meeting = excluded.meeting,
             reason = excluded.reason, buried_at = excluded.buried_at,
             attempts = excluded.attempts, body = excluded.body";
    execute(
        client,
        text,
        &[
            &Text::of(&letter.id),
            &Text::of(&letter.queue),
            &letter.kind.as_str(),
            &letter.meeting.map(Text::shown),
            &Text::of(&letter.reason),
            &letter.buried_at.millis(),
            &i64::from(letter.attempts),
            &letter.body,
        ],
    )
    .await?;
    Ok(())
}

/// The newest dead letters that match the filter, without their bodies.
pub(super) async fn list(
    client: &PostgresClient,
    filter: &DeadFilter,
) -> Result<Vec<DeadLetter>, StoreFailure> {
    // In collation "C" only ASCII letters have two cases.
    let text = "SELECT id, queue, kind, meeting, reason, buried_at, attempts, ''::bytea AS body
         FROM dead_letters
         WHERE ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR kind = $3)
             AND ($4::text IS NULL OR meeting = $4)
             AND ($5::text IS NULL OR strpos(lower(reason COLLATE \"C\"), lower($5 COLLATE \"C\")) > 0)
             AND ($6::bigint IS NULL OR buried_at >= $6) AND ($7::bigint IS NULL OR buried_at < $7)
         ORDER BY buried_at DESC, id DESC LIMIT $1";
    let found = rows(
        client,
        text,
        &[
            &limit(filter.limit, LISTED_MAX),
            &filter.queue.as_deref().map(Text::of),
            &filter.kind.map(DeadKind::as_str),
            &filter.meeting.map(Text::shown),
            &filter.reason.as_deref().map(Text::of),
            &filter.since.map(Timestamp::millis),
            &filter.before.map(Timestamp::millis),
        ],
    )
    .await?;
    found.iter().map(read).collect()
}

/// One dead letter with its body.
pub(super) async fn load(
    client: &PostgresClient,
    id: &str,
) -> Result<Option<DeadLetter>, StoreFailure> {
    let text = "SELECT id, queue, kind, meeting, reason, buried_at, attempts, body
         FROM dead_letters WHERE id = $1";
    let found = row(client, text, &[&Text::of(id)]).await?;
    found.as_ref().map(read).transpose()
}

/// Removes a dead letter. Whether there was one.
pub(super) async fn remove(
    client: &PostgresClient,
    id: &str,
    buried_at: Timestamp,
) -> Result<bool, StoreFailure> {
    let text = "DELETE FROM dead_letters WHERE id = $1 AND buried_at = $2";
    let values: super::pooled_client::Values<'_> = &[&Text::of(id), &buried_at.millis()];
    Ok(execute(client, text, values).await? > 0)
}

/// How many there are.
pub(super) async fn count(client: &PostgresClient) -> Result<u64, StoreFailure> {
    super::count(client, "SELECT count(*) AS count FROM dead_letters").await
}

fn read(row: &Row) -> Result<DeadLetter, StoreFailure> {
    let id: String = row.try_get("id")?;
    let damaged =
        |column: &str| StoreFailure::Refused(damaged(format_args!("dead letter {id}"), column));
    let kind: &str = row.try_get("kind")?;
    let meeting: Option<&str> = row.try_get("meeting")?;
    Ok(DeadLetter {
        queue: row.try_get("queue")?,
        kind: columns::dead_kind(kind).ok_or_else(|| damaged("kind"))?,
        meeting: meeting
            .map(read_id)
            .transpose()
            .map_err(|_| damaged("meeting"))?,
        reason: row.try_get("reason")?,
        buried_at: Timestamp::from_millis(row.try_get("buried_at")?),
        attempts: number(row.try_get("attempts")?).ok_or_else(|| damaged("attempts"))?,
        body: row.try_get("body")?,
        id,
    })
}
