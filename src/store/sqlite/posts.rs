//! The rows of a meeting's posts.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::domain::{MeetingId, PostKey, PostRow};
use crate::sqlite::SqliteError;
use crate::store::post_columns::PostColumns;

use super::trouble::unreadable;

/// One row, if there is one.
pub(super) fn load(
    file: &Connection,
    meeting: MeetingId,
    key: &PostKey,
) -> Result<Option<PostRow>, SqliteError> {
    file.prepare_cached("SELECT * FROM posts WHERE meeting = ?1 AND key = ?2")?
        .query_row((meeting.to_string(), key.to_string()), |row| {
            Ok(read(meeting, row).map(|(_, row)| row))
        })
        .optional()?
        .transpose()
}

/// All rows of a meeting.
pub(super) fn load_all(
    file: &Connection,
    meeting: MeetingId,
) -> Result<BTreeMap<PostKey, PostRow>, SqliteError> {
    let mut statement = file.prepare_cached("SELECT * FROM posts WHERE meeting = ?1")?;
    let mut rows = statement.query([meeting.to_string()])?;
    let mut posts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (key, row) = read(meeting, row)?;
        posts.insert(key, row);
    }
    Ok(posts)
}

/// Writes one row as a whole.
pub(super) fn put(
    file: &Connection,
    meeting: MeetingId,
    key: &PostKey,
    row: &PostRow,
) -> Result<(), SqliteError> {
    let columns = PostColumns::of(row).map_err(SqliteError::Refused)?;
    file.prepare_cached(
        "INSERT OR REPLACE INTO posts (meeting, key, first_tried_at, post, posted_at, root,
             rendered, answered, frozen, tidy_at, outside_since, sent, again_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute((
        meeting.to_string(),
        key.to_string(),
        columns.first_tried_at,
        columns.post,
        columns.posted_at,
        columns.root,
        columns.rendered,
        columns.answered,
        columns.frozen,
        columns.tidy_at,
        columns.outside_since,
        columns.sent,
        columns.again_at,
    ))?;
    Ok(())
}

fn read(meeting: MeetingId, row: &Row<'_>) -> Result<(PostKey, PostRow), SqliteError> {
    let key: String = row.get("key")?;
    let damaged = |column: &str| unreadable(format!("post {key} of meeting {meeting}"), column);
    let columns = PostColumns::<String> {
        first_tried_at: row.get("first_tried_at")?,
        post: row.get("post")?,
        posted_at: row.get("posted_at")?,
        root: row.get("root")?,
        rendered: row.get("rendered")?,
        answered: row.get("answered")?,
        frozen: row.get("frozen")?,
        tidy_at: row.get("tidy_at")?,
        outside_since: row.get("outside_since")?,
        sent: row.get("sent")?,
        again_at: row.get("again_at")?,
    };
    let read = columns.read(damaged)?;
    let key = key.parse().map_err(|_| damaged("key"))?;
    Ok((key, read))
}
