//! How often work on a redelivered message has begun without a verdict.

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, execute, row};
use super::text::Text;
use crate::store::MARKS_MAX;

/// Counts one more, and answers how many it is now.
pub(super) async fn add(client: &PostgresClient, message: &str) -> Result<u32, StoreFailure> {
    let message = Text::of(message);
    // Apart from the insert, which uses up a line's number even where it changes nothing.
    let again = "UPDATE marks SET begun = begun + 1 WHERE message = $1 RETURNING begun";
    if let Some(row) = row(client, again, &[&message]).await? {
        return Ok(count(row.try_get("begun")?));
    }
    let first = "INSERT INTO marks (message, begun) VALUES ($1, 1)
         ON CONFLICT (message) DO UPDATE SET begun = marks.begun + 1 RETURNING begun";
    let begun = match row(client, first, &[&message]).await? {
        Some(row) => row.try_get("begun")?,
        None => 1,
    };
    let make_room = "DELETE FROM marks WHERE line <= (SELECT max(line) FROM marks) - $1";
    let most = i64::try_from(MARKS_MAX).unwrap_or(i64::MAX);
    execute(client, make_room, &[&most]).await?;
    Ok(count(begun))
}

/// Forgets the message.
pub(super) async fn clear(client: &PostgresClient, message: &str) -> Result<(), StoreFailure> {
    let text = "DELETE FROM marks WHERE message = $1";
    execute(client, text, &[&Text::of(message)]).await?;
    Ok(())
}

fn count(begun: i64) -> u32 {
    u32::try_from(begun).unwrap_or(u32::MAX)
}
