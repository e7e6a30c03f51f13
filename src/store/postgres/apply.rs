//! A batch of events, in one transaction.
//!
//! Several replicas apply at once. Whatever two of them could decide about differently is locked before it is looked
//! at, in the same order everywhere: first the events' keys, places and sessions (advisory locks, by number), then the
//! meetings' rows (by id). So a replica waits for another's commit and then sees what it wrote.

mod changes;
mod keys;
mod save;
mod view;

use std::time::Duration;

use super::link::Client;
use super::trouble::Trouble;
use crate::domain::Timestamp;
use crate::domain::apply::{Aim, Applied, Effect, Policy, repeat};
use crate::ports::Incoming;
use crate::store::decide::decide_or_refuse;

use keys::Keys;
use view::View;

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
    let keys = Keys::of(batch)?;
    let mut again = 0;
    loop {
        let met = in_transaction(client, batch, &keys, policy, now).await;
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
    keys: &Keys,
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>, Trouble> {
    let mut view = View::begin(client, keys).await?;
    let mut applied = Vec::with_capacity(batch.len());
    for (incoming, content) in batch.iter().zip(&keys.contents) {
        applied.push(apply_one(&mut view, incoming, content, policy, now)?);
    }
    save::save(client, view.changes(), now).await?;
    client.batch_execute("COMMIT").await?;
    Ok(applied)
}

fn apply_one(
    view: &mut View<'_>,
    incoming: &Incoming,
    content: &[u8; 32],
    policy: &Policy,
    now: Timestamp,
) -> Result<Applied, Trouble> {
    let event = &incoming.event;
    if let Some(first) = view.first(&event.origin) {
        let effect = if first.content == *content {
            Effect::Duplicate
        } else {
            Effect::Conflict
        };
        let aim = match first.meeting {
            Some(id) => Aim::at(Some(id)),
            None => view.aim(event),
        };
        let meeting = first.meeting.and_then(|id| view.get(id));
        let applied = repeat(meeting, aim, event, first.event, effect, policy, now);
        view.add_double(event, &first, effect);
        return Ok(applied);
    }
    let aim = view.aim(event);
    let meeting = aim.meeting.and_then(|id| view.get(id)).cloned();
    let known = meeting.as_ref().map(|meeting| meeting.id);
    let (moved, applied) =
        decide_or_refuse(meeting, aim, incoming, policy, now).map_err(Trouble::Refused)?;
    match moved {
        Some(meeting) if known == Some(meeting.id) => view.change(meeting),
        Some(meeting) => view.add(meeting)?,
        None => {}
    }
    let meeting = applied.meeting.map(|(id, _)| id);
    view.add_first(event, content, applied.effect, meeting);
    Ok(applied)
}
