//! A batch of events, in one transaction.
//!
//! Several replicas apply at once. Whatever two of them could decide about differently is locked before it is looked
//! at, in the same order everywhere: first the events' keys, places and sessions (advisory locks, by number), then the
//! meetings' rows (by id). So a replica waits for another's commit and then sees what it wrote.

mod locks;
mod read;
mod save;

use std::time::Duration;

use super::link::Client;
use super::trouble::Trouble;
use crate::domain::Timestamp;
use crate::domain::apply::{Applied, Policy};
use crate::ports::Incoming;
use crate::store::batch::Keys;

/// How often a transaction is repeated that stood in another's way.
const AGAIN_MAX: u32 = 3;
/// Longest pause before it is, times how often it was.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Applies the events in their order; on an error nothing is written.
pub(super) async fn apply(
    client: &Client,
    batch: &[Incoming],
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>, Trouble> {
    let keys = Keys::of(batch);
    let locks = locks::of(batch, &keys);
    let mut again = 0;
    loop {
        let met = in_transaction(client, batch, (&keys, &locks), policy, now).await;
        if let Err(trouble) = &met
            && trouble.leaves_connection()
        {
            client.batch_execute("ROLLBACK").await?;
        }
        match met {
            Err(Trouble::Again(_)) if again < AGAIN_MAX => {
                again += 1;
                let pause = AGAIN_AFTER * again;
                tokio::time::sleep(pause.mul_f64(rand::random())).await;
            }
            met => return met,
        }
    }
}

async fn in_transaction(
    client: &Client,
    batch: &[Incoming],
    (keys, locks): (&Keys, &[i64]),
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>, Trouble> {
    let mut view = read::begin(client, keys, locks).await?;
    let applied = view.apply(batch, policy, now).map_err(Trouble::Refused)?;
    save::save(client, &view, now).await?;
    client.batch_execute("COMMIT").await?;
    Ok(applied)
}
