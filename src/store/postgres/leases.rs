//! Who may do what one worker at a time does. Times are the caller's.

use std::time::Duration;

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, execute, row};
use super::text::Text;
use crate::domain::Timestamp;
use crate::ports::{Duty, Lease};

/// Takes a free, run out or own lease, in one statement. One that lasts twice as long as anybody asks for was taken by
/// a clock that was ahead, and counts as free.
pub(super) async fn take(
    client: &PostgresClient,
    duty: Duty,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<Lease, StoreFailure> {
    let (duty, owner, until) = (Text::shown(duty), Text::of(owner), now.plus(length));
    let text = "INSERT INTO leases (duty, owner, until) VALUES ($1, $2, $3)
         ON CONFLICT (duty) DO UPDATE SET owner = excluded.owner, until = excluded.until
         WHERE leases.owner = excluded.owner OR leases.until <= $4
             OR leases.until - $4 > 2 * ($3 - $4)";
    let values: super::pooled_client::Values<'_> = &[&duty, &owner, &until.millis(), &now.millis()];
    if execute(client, text, values).await? > 0 {
        return Ok(Lease::Taken { until });
    }
    let text = "SELECT until FROM leases WHERE duty = $1";
    let held = match row(client, text, &[&duty]).await? {
        Some(row) => row.try_get("until")?,
        // Given back since the statement above: free at once.
        None => now.millis(),
    };
    Ok(Lease::Held {
        until: Timestamp::from_millis(held),
    })
}

/// Gives it back if it is still `owner`'s.
pub(super) async fn give_back(
    client: &PostgresClient,
    duty: Duty,
    owner: &str,
) -> Result<(), StoreFailure> {
    let text = "DELETE FROM leases WHERE duty = $1 AND owner = $2";
    execute(client, text, &[&Text::shown(duty), &Text::of(owner)]).await?;
    Ok(())
}
