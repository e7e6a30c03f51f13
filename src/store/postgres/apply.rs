//! A batch of events, in one transaction.
//!
//! Several replicas apply events at the same time. Whatever two of them could decide about differently is locked
//! before it is read, always in the same order: first the keys, conversations and sessions of the events (advisory
//! locks, by number), then the rows of the meetings (by id). So a replica waits for the commit of another one and then
//! sees what it wrote.

mod locks;
mod read;
mod save;

use std::time::Duration;

use super::failure::StoreFailure;
use super::pooled_client::PostgresClient;
use crate::domain::Timestamp;
use crate::domain::apply::{Applied, Policy};
use crate::ports::Incoming;
use crate::store::batch::BatchKeys;

/// How many times a transaction is repeated that conflicted with another one.
const AGAIN_MAX: u32 = 3;
/// Longest pause before a repetition, multiplied by its number.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Applies the events in their order. On an error nothing is written.
pub(super) async fn apply(
    client: &PostgresClient,
    batch: &[Incoming],
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>, StoreFailure> {
    let keys = BatchKeys::of(batch);
    let locks = locks::of(batch, &keys);
    let mut again = 0;
    loop {
        let met = in_transaction(client, batch, &keys, &locks, policy, now).await;
        if let Err(failure) = &met
            && failure.leaves_connection()
        {
            client.batch_execute("ROLLBACK").await?;
        }
        match met {
            Err(StoreFailure::Again(_)) if again < AGAIN_MAX => {
                again += 1;
                let pause = AGAIN_AFTER * again;
                tokio::time::sleep(pause.mul_f64(rand::random())).await;
            }
            met => return met,
        }
    }
}

async fn in_transaction(
    client: &PostgresClient,
    batch: &[Incoming],
    keys: &BatchKeys,
    locks: &[i64],
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>, StoreFailure> {
    let mut view = read::begin(client, keys, locks).await?;
    let applied = view
        .apply(batch, policy, now)
        .map_err(StoreFailure::Refused)?;
    save::save(client, &view, now).await?;
    client.batch_execute("COMMIT").await?;
    Ok(applied)
}
