//! Attempts at jobs, what people did, and what an id belongs to.

use std::time::Duration;

use tokio_postgres::Row;

use super::failure::StoreFailure;
use super::meetings::{id_of, read_optional_id};
use super::pooled_client::{PostgresClient, execute, rows};
use super::text::Text;
use super::{dead_letters, limit, log, number};
use crate::domain::{MeetingId, Origin, ServerName, Timestamp};
use crate::ports::{Attempt, DETAIL_BYTES_MAX, Lookup, Note};
use crate::store::row_json::{cut, damaged};
use crate::store::{ATTEMPTS_MAX, columns};

/// By what a meeting is found when only an id is given, the first that knows it; each part by an index.
const SEARCH: &str = "SELECT meeting FROM (
         SELECT 1 AS nth, id AS meeting FROM meetings WHERE id = $1
         UNION ALL SELECT 2, meeting FROM requests WHERE request = $1
         UNION ALL SELECT 3, meeting FROM posts WHERE post = $1
         UNION ALL SELECT 4, id FROM meetings WHERE room = $1
         UNION ALL SELECT 5, meeting FROM sessions WHERE sid = $1
         UNION ALL SELECT 6, meeting FROM artifacts WHERE artifact = $1
         UNION ALL SELECT 7, meeting FROM events WHERE event = $1 AND meeting IS NOT NULL
     ) AS known ORDER BY nth LIMIT 1";

/// What the id belongs to.
pub(super) async fn find(client: &PostgresClient, reference: &str) -> Result<Lookup, StoreFailure> {
    let mut found = Lookup {
        meeting: id_of(client, SEARCH, reference).await?,
        event: log::of_event(client, reference).await?,
        letter: dead_letters::load(client, reference).await?,
    };
    if found.meeting.is_none() {
        // The post that asked for it, which is no post of ours.
        let asked = Origin::mattermost(&ServerName::default_server(), format!("post:{reference}"));
        let text = "SELECT meeting FROM seen WHERE source = $1 AND key = $2";
        let values: super::pooled_client::Values<'_> =
            &[&Text::of(&asked.source), &Text::of(&asked.key)];
        let seen = rows(client, text, values).await?;
        let seen = seen.first().map(|row| read_optional_id(row, "meeting"));
        let letter = found.letter.as_ref().and_then(|letter| letter.meeting);
        found.meeting = seen.transpose()?.flatten().or(letter);
    }
    Ok(found)
}

/// Keeps an attempt; the oldest of its meeting make room.
pub(super) async fn add_attempt(
    client: &PostgresClient,
    attempt: &Attempt,
) -> Result<(), StoreFailure> {
    let meeting = Text::shown(attempt.meeting);
    let took = i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX);
    let text = "INSERT INTO attempts (meeting, job, number, queue, due_at, began_at, took_ms, ending, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    execute(
        client,
        text,
        &[
            &meeting,
            &Text::of(&attempt.job),
            &i64::from(attempt.number),
            &attempt.queue.as_str(),
            &attempt.due_at.millis(),
            &attempt.began_at.millis(),
            &took,
            &attempt.ending.as_str(),
            &Text::of(cut(&attempt.detail, DETAIL_BYTES_MAX)),
        ],
    )
    .await?;
    let make_room = "DELETE FROM attempts WHERE meeting = $1 AND line <=
             (SELECT line FROM attempts WHERE meeting = $1 ORDER BY line DESC LIMIT 1 OFFSET $2)";
    let most = limit(ATTEMPTS_MAX, ATTEMPTS_MAX);
    execute(client, make_room, &[&meeting, &most]).await?;
    Ok(())
}

/// A meeting's attempts, as they were kept.
pub(super) async fn attempts(
    client: &PostgresClient,
    meeting: MeetingId,
) -> Result<Vec<Attempt>, StoreFailure> {
    let text = "SELECT job, number, queue, due_at, began_at, took_ms, ending, detail
         FROM attempts WHERE meeting = $1 ORDER BY line LIMIT $2";
    let most = limit(ATTEMPTS_MAX, ATTEMPTS_MAX);
    let found = rows(client, text, &[&Text::shown(meeting), &most]).await?;
    found.iter().map(|row| read_attempt(meeting, row)).collect()
}

/// Keeps what a person did.
pub(super) async fn add_note(client: &PostgresClient, note: &Note) -> Result<(), StoreFailure> {
    let text = "INSERT INTO notes (at, who, action, subject, meeting) VALUES ($1, $2, $3, $4, $5)";
    execute(
        client,
        text,
        &[
            &note.at.millis(),
            &Text::of(cut(&note.by, DETAIL_BYTES_MAX)),
            &Text::of(&note.action),
            &Text::of(&note.subject),
            &note.meeting.map(Text::shown),
        ],
    )
    .await?;
    Ok(())
}

/// What people did about this.
pub(super) async fn notes(client: &PostgresClient, about: &str) -> Result<Vec<Note>, StoreFailure> {
    let text = "SELECT at, who, action, subject, meeting FROM notes
         WHERE meeting = $1 OR subject = $1 ORDER BY line LIMIT $2";
    let most = limit(ATTEMPTS_MAX, ATTEMPTS_MAX);
    let found = rows(client, text, &[&Text::of(about), &most]).await?;
    let read = |row: &Row| {
        Ok(Note {
            at: Timestamp::from_millis(row.try_get("at")?),
            by: row.try_get("who")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            meeting: read_optional_id(row, "meeting")?,
        })
    };
    found.iter().map(read).collect()
}

fn read_attempt(meeting: MeetingId, row: &Row) -> Result<Attempt, StoreFailure> {
    let job: String = row.try_get("job")?;
    let damaged =
        |column: &str| StoreFailure::Refused(damaged(format_args!("an attempt at {job}"), column));
    let queue: &str = row.try_get("queue")?;
    let ending: &str = row.try_get("ending")?;
    let took: i64 = row.try_get("took_ms")?;
    Ok(Attempt {
        meeting,
        number: number(row.try_get("number")?).ok_or_else(|| damaged("number"))?,
        queue: columns::queue(queue).ok_or_else(|| damaged("queue"))?,
        due_at: Timestamp::from_millis(row.try_get("due_at")?),
        began_at: Timestamp::from_millis(row.try_get("began_at")?),
        took: Duration::from_millis(u64::try_from(took).map_err(|_| damaged("took_ms"))?),
        ending: columns::ending(ending).ok_or_else(|| damaged("ending"))?,
        detail: row.try_get("detail")?,
        job,
    })
}
