//! The rows of a meeting's posts.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::domain::{MeetingId, PostKey, PostRow};
use crate::sqlite::SqliteError;
use crate::store::row_json;

/// One row, if there is one.
pub(super) fn load(
    file: &Connection,
    meeting: MeetingId,
    key: &PostKey,
) -> Result<Option<PostRow>, SqliteError> {
    file.prepare_cached("SELECT key, body FROM posts WHERE meeting = ?1 AND key = ?2")?
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
    let mut statement = file.prepare_cached("SELECT key, body FROM posts WHERE meeting = ?1")?;
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
    let body = row_json::write_post(row).map_err(SqliteError::Refused)?;
    file.prepare_cached("INSERT OR REPLACE INTO posts (meeting, key, body) VALUES (?1, ?2, ?3)")?
        .execute((meeting.to_string(), key.to_string(), body))?;
    Ok(())
}

fn read(meeting: MeetingId, row: &Row<'_>) -> Result<(PostKey, PostRow), SqliteError> {
    let (key, text): (String, String) = (row.get("key")?, row.get("body")?);
    row_json::read_post(meeting, &key, &text).map_err(SqliteError::Refused)
}
