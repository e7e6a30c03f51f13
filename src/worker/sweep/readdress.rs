//! Cards that show an address, or a time zone, that the relay has no longer: a restart with another configuration writes
//! those of running meetings again.

use std::time::Duration;

use tracing::{debug, info};

use crate::domain::{Meeting, MeetingId, PostKey};
use crate::ports::{Duty, Lease, MeetingFilter, StoreError};
use crate::worker::WorkerContext;

use super::wake;

/// The setting of the store that says with what cards are rendered.
const CARD_FACE: &str = "card_face";
/// Most cards that are written again; others follow with their next change.
const CARDS_MAX: usize = 500;
/// Pause between two of them, so that what people do is not held up.
const PACE: Duration = Duration::from_millis(100);
/// Pause before a store that did not answer is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Once, as soon as the store answers.
pub(super) async fn run(ctx: &WorkerContext) {
    while let Err(error) = readdress(ctx).await {
        debug!(%error, "what cards show cannot be found out yet");
        tokio::select! {
            () = ctx.stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}

/// Makes the cards of running meetings owed again if they were rendered otherwise.
async fn readdress(ctx: &WorkerContext) -> Result<(), StoreError> {
    let store = &ctx.deps.store;
    let face = ctx.settings.face.text();
    let kept = store.setting(CARD_FACE).await?;
    if kept.as_ref() == Some(&face) {
        return Ok(());
    }
    // What an earlier version showed is not known, and most probably the same.
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
    // Last: a relay that is stopped before does it again rather than never.
    store.put_setting(CARD_FACE, &face).await?;
    if kept.is_some() {
        info!(
            meetings,
            "the relay's address or time zone has changed: the cards of running meetings are written again"
        );
    }
    Ok(())
}

/// The meeting, if its card counts as behind now.
async fn outdate(ctx: &WorkerContext, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
    let store = &ctx.deps.store;
    let (now, duty) = (ctx.deps.clock.now(), Duty::Posts(id));
    let owner = format!("{}:readdress", ctx.settings.instance);
    let lease = store
        .take_lease(duty, &owner, now, ctx.settings.lease)
        .await?;
    if matches!(lease, Lease::Held { .. }) {
        // Whoever writes it at this moment may have begun with the old address; its next change puts it right.
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
        // Read behind the change, so that its round is one that knows of it.
        true => store.meeting(id).await,
        false => Ok(None),
    }
}
