//! Who may work on a meeting's posts, and who does what only one replica does. Times are the caller's.

use std::time::Duration;

use super::link::{Client, execute, row};
use super::text::Text;
use super::trouble::Trouble;
use crate::domain::{MeetingId, Timestamp};
use crate::ports::{Duty, Lease};

/// Takes a free, run out or own lease, in one statement. One that lasts twice as long as anybody asks for was taken by
/// a clock that was ahead, and counts as free.
pub(super) async fn take(
    client: &Client,
    meeting: MeetingId,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<Lease, Trouble> {
    take_row(
        client,
        "INSERT INTO leases (meeting, owner, until) VALUES ($1, $2, $3)
         ON CONFLICT (meeting) DO UPDATE SET owner = excluded.owner, until = excluded.until
         WHERE leases.owner = excluded.owner OR leases.until <= $4
             OR leases.until - $4 > 2 * ($3 - $4)",
        "SELECT until FROM leases WHERE meeting = $1",
        (Text::shown(meeting), owner, now, length),
    )
    .await
}

/// Takes a free, run out or own duty, in one statement; one of a clock that was ahead counts as free.
pub(super) async fn take_duty(
    client: &Client,
    duty: Duty,
    owner: &str,
    now: Timestamp,
    length: Duration,
) -> Result<Lease, Trouble> {
    take_row(
        client,
        "INSERT INTO duties (duty, owner, until) VALUES ($1, $2, $3)
         ON CONFLICT (duty) DO UPDATE SET owner = excluded.owner, until = excluded.until
         WHERE duties.owner = excluded.owner OR duties.until <= $4
             OR duties.until - $4 > 2 * ($3 - $4)",
        "SELECT until FROM duties WHERE duty = $1",
        (Text::of(duty.as_str()), owner, now, length),
    )
    .await
}

async fn take_row(
    client: &Client,
    take: &str,
    look: &str,
    (of, owner, now, length): (Text<'_>, &str, Timestamp, Duration),
) -> Result<Lease, Trouble> {
    let until = now.plus(length);
    let values = (Text::of(owner), until.millis(), now.millis());
    let taken = execute(client, take, &[&of, &values.0, &values.1, &values.2]).await?;
    if taken > 0 {
        return Ok(Lease::Taken { until });
    }
    let held = match row(client, look, &[&of]).await? {
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
    client: &Client,
    meeting: MeetingId,
    owner: &str,
) -> Result<(), Trouble> {
    let text = "DELETE FROM leases WHERE meeting = $1 AND owner = $2";
    execute(client, text, &[&Text::shown(meeting), &Text::of(owner)]).await?;
    Ok(())
}

/// Gives it back if it is still `owner`'s.
pub(super) async fn give_back_duty(
    client: &Client,
    duty: Duty,
    owner: &str,
) -> Result<(), Trouble> {
    let text = "DELETE FROM duties WHERE duty = $1 AND owner = $2";
    execute(client, text, &[&Text::of(duty.as_str()), &Text::of(owner)]).await?;
    Ok(())
}
