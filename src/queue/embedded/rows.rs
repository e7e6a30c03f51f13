//! The statements of the embedded queue.

use bytes::Bytes;
use rusqlite::{Connection, params};

use crate::domain::Timestamp;
use crate::ports::{Message, Outgoing, QueueName};
use crate::sqlite::SqliteError;

/// The table, and the order in which messages are handed out. `AUTOINCREMENT`: a row number is never used again.
pub(super) const SCHEMA: &str = "
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX messages_in_order ON messages (queue, visible_at, number);
";

/// One message as it lies in the file.
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) visible_at: Timestamp,
    pub(super) message: Message,
}

/// What lies in the file at the start.
#[derive(Default)]
pub(super) struct Found {
    pub(super) last: i64,
    pub(super) bytes: u64,
    pub(super) counts: Vec<Count>,
}

/// How many messages lie in one queue.
pub(super) struct Count {
    pub(super) queue: QueueName,
    pub(super) messages: u64,
}

/// The number of a queue in the file; never changed.
pub(super) const fn number(queue: QueueName) -> usize {
    match queue {
        QueueName::Events => 0,
        QueueName::Conference => 1,
        QueueName::Chat => 2,
        QueueName::ChatLater => 3,
    }
}

pub(super) fn count(connection: &Connection) -> Result<Found, SqliteError> {
    let (last, bytes) = connection.query_row(
        "SELECT coalesce(max(number), 0), coalesce(sum(length(body)), 0) FROM messages",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut counts = Vec::new();
    for queue in QueueName::ALL {
        let messages = connection.query_row(
            "SELECT count(*) FROM messages WHERE queue = ?1",
            [number(queue)],
            |row| row.get(0),
        )?;
        counts.push(Count { queue, messages });
    }
    Ok(Found {
        last,
        bytes,
        counts,
    })
}

pub(super) fn insert(
    connection: &Connection,
    outgoing: &Outgoing,
    now: Timestamp,
) -> Result<(), SqliteError> {
    let visible_at = now.plus(outgoing.delay).millis();
    connection
        .prepare_cached(
            "INSERT INTO messages (queue, visible_at, id, body) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            number(outgoing.queue),
            visible_at,
            outgoing.message.id,
            &outgoing.message.body[..]
        ])?;
    Ok(())
}

pub(super) fn delete(connection: &Connection, number: i64) -> Result<(), SqliteError> {
    connection
        .prepare_cached("DELETE FROM messages WHERE number = ?1")?
        .execute([number])?;
    Ok(())
}

/// The messages that come first, due or not.
pub(super) fn oldest(
    connection: &Connection,
    queue: QueueName,
    limit: usize,
) -> Result<Vec<Row>, SqliteError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, visible_at, id, body FROM messages WHERE queue = ?1
         ORDER BY visible_at, number LIMIT ?2",
    )?;
    let rows = statement.query_map(params![number(queue), limit], |row| {
        Ok(Row {
            number: row.get(0)?,
            visible_at: Timestamp::from_millis(row.get(1)?),
            message: Message {
                id: row.get(2)?,
                body: Bytes::from(row.get::<_, Vec<u8>>(3)?),
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many messages of each queue are not due yet.
pub(super) fn delayed(connection: &Connection, now: Timestamp) -> Result<[u64; 4], SqliteError> {
    let mut delayed = [0; 4];
    for queue in QueueName::ALL {
        delayed[number(queue)] = connection
            .prepare_cached("SELECT count(*) FROM messages WHERE queue = ?1 AND visible_at > ?2")?
            .query_row(params![number(queue), now.millis()], |row| row.get(0))?;
    }
    Ok(delayed)
}
