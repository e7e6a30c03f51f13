//! Facts that are applied at once, without the events queue, and what is reported of every event that was applied.

use tracing::{debug, info, warn};

use crate::domain::apply::{Applied, Effect, Fresh};
use crate::domain::{EndSaid, Event, Fact};
use crate::ports::{Incoming, StoreError};

use super::send::send;
use super::{Repair, WorkerContext, publish};

/// Applies events and publishes what is owed by them.
///
/// # Errors
/// The store is away, or refuses one of them: none is applied.
pub(super) async fn apply_now(ctx: &WorkerContext, events: Vec<Event>) -> Result<(), StoreError> {
    let now = ctx.deps.clock.now();
    let policy = ctx.settings.policy.clone();
    let incoming = events.iter().cloned().map(incoming).collect();
    let applied = ctx.deps.store.apply(incoming, policy, now).await?;
    for (event, applied) in events.iter().zip(&applied) {
        report(ctx, event, applied);
    }
    // What cannot be published is found by the sweep.
    send(ctx, publish::postings(&applied, now)).await;
    Ok(())
}

/// The event, with what apply must not draw itself.
pub(super) fn incoming(event: Event) -> Incoming {
    let fresh = Fresh {
        room: std::array::from_fn(|_| rand::random_range(0..32)),
    };
    Incoming { event, fresh }
}

/// Reports what became of an event.
pub(super) fn report(ctx: &WorkerContext, event: &Event, applied: &Applied) {
    ctx.deps.observer.applied(event, applied.effect);
    let (meeting, jobs) = (
        applied.meeting.map(|(id, _)| id.to_string()),
        applied.publish.len(),
    );
    let (kind, source) = (event.fact.kind(), event.origin.source.as_str());
    match applied.effect {
        Effect::Applied => {
            debug!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting, jobs, "event applied");
            if let Some(what) = milestone(&event.fact) {
                info!(event.id = %event.id, meeting.id = meeting, "{what}");
            }
            if let Some(repair) = repair_of(event) {
                ctx.deps.observer.repaired(repair);
            }
            if event.is_caught_up() {
                warn!(event.id = %event.id, meeting.id = meeting, "Mattermost did not reach the relay with this post: the relay found it in its channel");
            }
        }
        Effect::Duplicate if event.is_caught_up() => {
            debug!(event.id = %event.id, meeting.id = meeting, "the post was told in time");
        }
        Effect::Duplicate => {
            debug!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting, "event came before");
        }
        Effect::Conflict => {
            warn!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting,
                "event came before with another content: the first one counts");
        }
        Effect::Foreign => {
            debug!(event.id = %event.id, event.kind = kind, source, "event of a foreign room");
        }
    }
}

/// What the event repairs: something that no webhook had told, or that was not done in time. Counted when it is
/// applied, so that one that was found twice counts once.
fn repair_of(event: &Event) -> Option<Repair> {
    match &event.fact {
        Fact::RoomPolled { ended: true, .. } => Some(Repair::MissedEnd),
        // A webhook's event is plugNmeet's own.
        Fact::ArtifactCreated { .. } if event.origin.is_relay() => Some(Repair::MissedArtifact),
        Fact::MeetingRequested { via, .. } if via.is_caught_up() => Some(Repair::MissedTrigger),
        Fact::Woken { .. } => Some(Repair::Woken),
        _ => None,
    }
}

/// What a person would want to know of a meeting without asking for each step.
const fn milestone(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::PersonJoined { .. } => Some("somebody joined"),
        Fact::EndAllowed { .. } => Some("the end of the meeting is asked for"),
        Fact::SessionEnded {
            said: EndSaid::SessionEnded,
            ..
        }
        | Fact::RoomPolled { ended: true, .. } => Some("the meeting has ended"),
        Fact::RoomRefused { for_now: false, .. } => Some("there will be no room"),
        Fact::ArtifactCreated { .. } => Some("a recording or artifact is there"),
        _ => None,
    }
}
