//! The rows of a meeting's posts.

use std::time::Duration;

use tokio_postgres::Row;

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, execute, row};
use super::text::Text;
use super::{leases, meetings};
use crate::domain::{Meeting, MeetingId, PostKey, PostRow, Timestamp};
use crate::ports::{Duty, Lease};
use crate::store::row_json;

/// One row, if there is one.
pub(super) async fn load(
    client: &PostgresClient,
    meeting: MeetingId,
    key: &PostKey,
) -> Result<Option<PostRow>, StoreFailure> {
    let text = "SELECT key, body AS post FROM posts WHERE meeting = $1 AND key = $2";
    let found = row(client, text, &[&Text::shown(meeting), &Text::shown(key)]).await?;
    let read = found.map(|row| read(meeting, &row)).transpose()?;
    Ok(read.flatten().map(|(_, row)| row))
}

/// Takes the lease of a meeting's posts, and loads the meeting once it is taken.
pub(super) async fn lease(
    client: &PostgresClient,
    meeting: MeetingId,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<(Lease, Option<Meeting>), StoreFailure> {
    let lease = leases::take(client, Duty::Posts(meeting), owner, now, length).await?;
    let meeting = match lease {
        Lease::Taken { .. } => meetings::load(client, meeting).await?,
        Lease::Held { .. } => None,
    };
    Ok((lease, meeting))
}

/// Writes one row as a whole, and answers the meeting's version by now.
pub(super) async fn put(
    client: &PostgresClient,
    meeting: MeetingId,
    key: &PostKey,
    row: &PostRow,
) -> Result<u64, StoreFailure> {
    let body = Text::of(row_json::write_post(row).map_err(StoreFailure::Refused)?);
    let text = "INSERT INTO posts (meeting, key, body) VALUES ($1, $2, $3)
         ON CONFLICT (meeting, key) DO UPDATE SET body = excluded.body";
    let values = [Text::shown(meeting), Text::shown(key), body];
    execute(client, text, &[&values[0], &values[1], &values[2]]).await?;
    let text = "SELECT (body::json->>'version')::bigint AS version FROM meetings WHERE id = $1";
    let found = self::row(client, text, &[&values[0]]).await?;
    let version: i64 = found.map_or(Ok(0), |row| row.try_get("version"))?;
    Ok(u64::try_from(version).unwrap_or(0))
}

/// The row's key and what its column `post` says; nothing where the join found no post.
pub(super) fn read(
    meeting: MeetingId,
    row: &Row,
) -> Result<Option<(PostKey, PostRow)>, StoreFailure> {
    let key: Option<&str> = row.try_get("key")?;
    let read = |key| {
        let read = row_json::read_post(meeting, key, row.try_get("post")?);
        read.map_err(StoreFailure::Refused)
    };
    key.map(read).transpose()
}
