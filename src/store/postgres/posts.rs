//! The rows of a meeting's posts.

use tokio_postgres::Row;

use super::link::{Client, execute, row};
use super::number;
use super::text::Text;
use super::trouble::Trouble;
use crate::domain::{MeetingId, PostId, PostKey, PostRow, Timestamp};
use crate::store::{body::damaged, word};

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
        .map_err(|_| Trouble::Refused("a card's version is out of range".to_owned()))?;
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
            &first_tried_at.map(Timestamp::millis),
            &post.as_ref().map(PostId::as_str),
            &posted_at.map(Timestamp::millis),
            &root.as_ref().map(PostId::as_str),
            &rendered,
            answered,
            &frozen.map(word::of_frozen),
            &tidy_at.map(Timestamp::millis),
            &outside_since.map(Timestamp::millis),
            &i64::from(*sent),
            &again_at.map(Timestamp::millis),
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
    let time = |column: &str| -> Result<Option<Timestamp>, Trouble> {
        let millis: Option<i64> = row.try_get(column)?;
        Ok(millis.map(Timestamp::from_millis))
    };
    let post = |column: &str| -> Result<Option<PostId>, Trouble> {
        let id: Option<&str> = row.try_get(column)?;
        id.map(|id| id.parse().map_err(|_| damaged(column)))
            .transpose()
    };
    let frozen: Option<&str> = row.try_get("frozen")?;
    let frozen = frozen
        .map(|text| word::frozen(text).ok_or_else(|| damaged("frozen")))
        .transpose()?;
    let rendered: i64 = row.try_get("rendered")?;
    let read = PostRow {
        first_tried_at: time("first_tried_at")?,
        post: post("post")?,
        posted_at: time("posted_at")?,
        root: post("root")?,
        rendered: u64::try_from(rendered).map_err(|_| damaged("rendered"))?,
        answered: row.try_get("answered")?,
        frozen,
        tidy_at: time("tidy_at")?,
        outside_since: time("outside_since")?,
        sent: number(row.try_get("sent")?).ok_or_else(|| damaged("sent"))?,
        again_at: time("again_at")?,
    };
    let key = key.parse().map_err(|_| damaged("key"))?;
    Ok(Some((key, read)))
}
