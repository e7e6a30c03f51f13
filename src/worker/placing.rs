//! Finds the thread of a post that asks for a meeting. The webhook of the post does not contain it
//! (src/mattermost/README.md, "Outgoing webhooks"). Which running meeting a start is offered, and where `list` and
//! `end` find a meeting, depends on the thread. So the post is read before its event is applied.

use futures_util::future::join_all;
use tracing::debug;

use crate::domain::{Event, Fact, TriggerSource};

use super::{BreakerState, WorkerContext};

/// Adds the thread to the conversation of each event that comes from a post which was not read yet. A post that cannot
/// be read in time counts as outside any thread. The job of its card reads it again, and the meeting then gets its
/// thread.
pub(super) async fn place<'e>(ctx: &WorkerContext, events: impl Iterator<Item = &'e mut Event>) {
    let is_unavailable = ctx.mattermost.state() == BreakerState::Open
        || ctx.mattermost.held_for().is_some()
        || !ctx.mattermost_patience.may_ask()
        || ctx.deps.chat.kind() != crate::domain::DeliveryMethod::Posts;
    if is_unavailable {
        return;
    }
    let reading = events.map(|event| read(ctx, event));
    join_all(reading).await;
}

async fn read(ctx: &WorkerContext, event: &mut Event) {
    let Fact::MeetingRequested {
        place,
        via: TriggerSource::OutgoingWebhook { post, placed, .. },
        ..
    } = &mut event.fact
    else {
        return;
    };
    if *placed {
        return;
    }
    let reading = ctx.deps.chat.read_post(post);
    match ctx.mattermost_patience.ask(reading).await {
        Some(Ok(view)) => {
            place.thread = view.root;
            *placed = true;
        }
        Some(Err(error)) => debug!(%error, %post, "the thread of a post is not known yet"),
        None => debug!(%post, "the thread of a post is not known yet: no answer in time"),
    }
}
