//! Updates cards after a restart with another public address or time zone: the cards of running meetings are written
//! again.

use std::time::Duration;

use tracing::{debug, info};

use crate::domain::{Meeting, MeetingId, PostKey};
use crate::ports::{Duty, Lease, MeetingFilter, StoreError};
use crate::worker::WorkerContext;

use super::wake;

/// The setting of the store that holds the address and time zone with which cards are rendered.
const CARD_FACE: &str = "card_face";
/// Most cards that are written again; the others follow with their next change.
const CARDS_MAX: usize = 500;
/// Pause between two cards, so that they do not delay what people ask for.
const PACE: Duration = Duration::from_millis(100);
/// Pause before an unavailable store is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Runs once, as soon as the store is available.
pub(super) async fn run(ctx: &WorkerContext) {
    while let Err(error) = readdress(ctx).await {
        debug!(%error, "the address on the cards cannot be read from the store yet");
        tokio::select! {
            () = ctx.stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}

/// Makes the cards of running meetings owed again if they were rendered with another address or time zone.
async fn readdress(ctx: &WorkerContext) -> Result<(), StoreError> {
    let store = &ctx.deps.store;
    let face = ctx.settings.face.text();
    let kept = store.setting(CARD_FACE).await?;
    if kept.as_ref() == Some(&face) {
        return Ok(());
    }
    // An earlier version did not store it, and most probably used the same.
    let mut meetings = 0;
    if kept.is_some() {
        let filter = MeetingFilter {
            running_only: true,
            limit: CARDS_MAX,
        };
        for summary in store.meetings(filter).await? {
            if meetings > 0 {
                tokio::select! {
                    () = ctx.stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(PACE) => {}
                }
            }
            meetings += 1;
            if let Some(meeting) = outdate(ctx, summary.id).await? {
                let now = ctx.deps.clock.now();
                wake(ctx, vec![(meeting.id, meeting.round)], now).await;
            }
        }
    }
    // This is written last: if the relay is stopped before, the next start does it again.
    store.put_setting(CARD_FACE, &face).await?;
    if kept.is_some() {
        info!(
            meetings,
            "the relay's address or time zone has changed: the cards of running meetings are written again"
        );
    }
    Ok(())
}

/// Marks the card of a meeting as out of date. Returns the meeting, if it has a card.
async fn outdate(ctx: &WorkerContext, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
    let store = &ctx.deps.store;
    let (now, duty) = (ctx.deps.clock.now(), Duty::Posts(id));
    let owner = format!("{}:readdress", ctx.settings.instance);
    let lease = store
        .take_lease(duty, &owner, now, ctx.settings.lease)
        .await?;
    if matches!(lease, Lease::Held { .. }) {
        // Another worker is writing the card, perhaps with the old address; the next change of the card corrects it.
        debug!(meeting.id = %id, "another worker holds the card");
        return Ok(None);
    }
    let row = store.post(id, &PostKey::Card).await?;
    let row = row.filter(|row| row.post.is_some() && row.frozen.is_none() && row.rendered > 0);
    let is_outdated = row.is_some();
    if let Some(mut row) = row {
        row.rendered = 0;
        store.put_post(id, &PostKey::Card, row).await?;
    }
    store.drop_lease(duty, &owner).await?;
    match is_outdated {
        // The meeting is read after the change, so that its round includes the change.
        true => store.meeting(id).await,
        false => Ok(None),
    }
}
