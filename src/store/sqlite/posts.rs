//! The rows of a meeting's posts.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::domain::{MeetingId, PostId, PostKey, PostRow, Timestamp};
use crate::sqlite::SqliteError;
use crate::store::word;

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
    // Named one by one, so that a new field cannot be forgotten here.
    let PostRow {
        first_tried_at,
        post,
        posted_at,
        root,
        rendered,
        answered,
        frozen,
        tidy_at,
        outside_since,
        sent,
        again_at,
    } = row;
    let rendered = i64::try_from(*rendered)
        .map_err(|_| SqliteError::Refused("a card's version is out of range".to_owned()))?;
    file.prepare_cached(
        "INSERT OR REPLACE INTO posts (meeting, key, first_tried_at, post, posted_at, root,
             rendered, answered, frozen, tidy_at, outside_since, sent, again_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute((
        meeting.to_string(),
        key.to_string(),
        first_tried_at.map(Timestamp::millis),
        post.as_ref().map(PostId::as_str),
        posted_at.map(Timestamp::millis),
        root.as_ref().map(PostId::as_str),
        rendered,
        answered,
        frozen.map(word::of_frozen),
        tidy_at.map(Timestamp::millis),
        outside_since.map(Timestamp::millis),
        sent,
        again_at.map(Timestamp::millis),
    ))?;
    Ok(())
}

fn read(meeting: MeetingId, row: &Row<'_>) -> Result<(PostKey, PostRow), SqliteError> {
    let key: String = row.get("key")?;
    let damaged = |column: &str| unreadable(format!("post {key} of meeting {meeting}"), column);
    let time = |column: &str| -> Result<Option<Timestamp>, SqliteError> {
        let millis: Option<i64> = row.get(column)?;
        Ok(millis.map(Timestamp::from_millis))
    };
    let post = |column: &str| -> Result<Option<PostId>, SqliteError> {
        let id: Option<String> = row.get(column)?;
        id.map(|id| id.parse().map_err(|_| damaged(column)))
            .transpose()
    };
    let frozen: Option<String> = row.get("frozen")?;
    let frozen = frozen
        .map(|text| word::frozen(&text).ok_or_else(|| damaged("frozen")))
        .transpose()?;
    let rendered: i64 = row.get("rendered")?;
    let read = PostRow {
        first_tried_at: time("first_tried_at")?,
        post: post("post")?,
        posted_at: time("posted_at")?,
        root: post("root")?,
        rendered: u64::try_from(rendered).map_err(|_| damaged("rendered"))?,
        answered: row.get("answered")?,
        frozen,
        tidy_at: time("tidy_at")?,
        outside_since: time("outside_since")?,
        sent: row.get("sent")?,
        again_at: time("again_at")?,
    };
    let key = key.parse().map_err(|_| damaged("key"))?;
    Ok((key, read))
}
