//! The rows of a meeting's posts.

use tokio_postgres::Row;

use super::link::{Client, execute, row};
use super::text::Text;
use super::trouble::Trouble;
use crate::domain::{MeetingId, PostKey, PostRow};
use crate::store::{body::damaged, post_columns::PostColumns};

/// One row, if there is one.
pub(super) async fn load(
    client: &Client,
    meeting: MeetingId,
    key: &PostKey,
) -> Result<Option<PostRow>, Trouble> {
    let text = "SELECT * FROM posts WHERE meeting = $1 AND key = $2";
    let found = row(client, text, &[&Text::shown(meeting), &Text::shown(key)]).await?;
    let read = found.map(|row| read(meeting, &row)).transpose()?;
    Ok(read.flatten().map(|(_, row)| row))
}

/// Writes one row as a whole.
pub(super) async fn put(
    client: &Client,
    meeting: MeetingId,
    key: &PostKey,
    row: &PostRow,
) -> Result<(), Trouble> {
    let columns = PostColumns::of(row).map_err(Trouble::Refused)?;
    let text = "INSERT INTO posts (meeting, key, first_tried_at, post, posted_at, root,
             rendered, answered, frozen, tidy_at, outside_since, sent, again_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (meeting, key) DO UPDATE SET
             first_tried_at = excluded.first_tried_at, post = excluded.post, posted_at = excluded.posted_at,
             root = excluded.root, rendered = excluded.rendered, answered = excluded.answered,
             frozen = excluded.frozen, tidy_at = excluded.tidy_at, outside_since = excluded.outside_since,
             sent = excluded.sent, again_at = excluded.again_at";
    execute(
        client,
        text,
        &[
            &Text::shown(meeting),
            &Text::shown(key),
            &columns.first_tried_at,
            &columns.post,
            &columns.posted_at,
            &columns.root,
            &columns.rendered,
            &columns.answered,
            &columns.frozen,
            &columns.tidy_at,
            &columns.outside_since,
            &columns.sent,
            &columns.again_at,
        ],
    )
    .await?;
    Ok(())
}

/// The row's key and what it says; nothing where the join found no post.
pub(super) fn read(meeting: MeetingId, row: &Row) -> Result<Option<(PostKey, PostRow)>, Trouble> {
    let key: Option<String> = row.try_get("key")?;
    let Some(key) = key else {
        return Ok(None);
    };
    let damaged = |column: &str| {
        Trouble::Refused(damaged(
            format_args!("post {key} of meeting {meeting}"),
            column,
        ))
    };
    let columns = PostColumns::<&str> {
        first_tried_at: row.try_get("first_tried_at")?,
        post: row.try_get("post")?,
        posted_at: row.try_get("posted_at")?,
        root: row.try_get("root")?,
        rendered: row.try_get("rendered")?,
        answered: row.try_get("answered")?,
        frozen: row.try_get("frozen")?,
        tidy_at: row.try_get("tidy_at")?,
        outside_since: row.try_get("outside_since")?,
        sent: row.try_get("sent")?,
        again_at: row.try_get("again_at")?,
    };
    let read = columns.read(damaged)?;
    let key = key.parse().map_err(|_| damaged("key"))?;
    Ok(Some((key, read)))
}
