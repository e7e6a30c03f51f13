//! Events that are applied at once, without the events queue, and the report of every applied event.

use tracing::{debug, info, warn};

use crate::domain::apply::{Applied, Effect, Fresh};
use crate::domain::{EndSaid, Event, Fact};
use crate::ports::{Incoming, StoreError};

use super::send::send;
use super::{Repair, WorkerContext, publish};

/// Applies events and publishes the jobs that they made owed.
///
/// # Errors
/// The store is unavailable, or refuses one of the events. None is applied then.
pub(super) async fn apply_now(ctx: &WorkerContext, events: Vec<Event>) -> Result<(), StoreError> {
    let now = ctx.deps.clock.now();
    let policy = ctx.settings.policy.clone();
    let incoming = events.iter().cloned().map(incoming).collect();
    let applied = ctx.deps.store.apply(incoming, policy, now).await?;
    for (event, applied) in events.iter().zip(&applied) {
        report(ctx, event, applied);
    }
    // The sweep finds jobs that could not be published.
    send(ctx, publish::postings(&applied, now)).await;
    Ok(())
}

/// The event with the random values that apply, which is pure, must not draw itself.
pub(super) fn incoming(event: Event) -> Incoming {
    let fresh = Fresh {
        room: std::array::from_fn(|_| rand::random_range(0..32)),
    };
    Incoming { event, fresh }
}

/// Reports the effect of an applied event.
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
                warn!(event.id = %event.id, meeting.id = meeting, "Mattermost did not reach the relay with this post; the relay found it in its channel");
            }
        }
        Effect::Duplicate if event.is_caught_up() => {
            debug!(event.id = %event.id, meeting.id = meeting, "the webhook of the post arrived in time");
        }
        Effect::Duplicate => {
            debug!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting, "duplicate event ignored");
        }
        Effect::Conflict => {
            warn!(event.id = %event.id, event.kind = kind, source, meeting.id = meeting,
                "duplicate event with different content ignored");
        }
        Effect::Foreign => {
            debug!(event.id = %event.id, event.kind = kind, source, "event of a foreign room");
        }
    }
}

/// What the event repairs: a fact that no webhook reported, or work that was not done in time. It is counted when the
/// event is applied, so that a fact that was found twice counts once.
fn repair_of(event: &Event) -> Option<Repair> {
    match &event.fact {
        Fact::RoomPolled { ended: true, .. } => Some(Repair::MissedEnd),
        // An event of a webhook has plugNmeet as its origin.
        Fact::ArtifactCreated { .. } if event.origin.is_relay() => Some(Repair::MissedArtifact),
        Fact::MeetingRequested { via, .. } if via.is_caught_up() => Some(Repair::MissedTrigger),
        Fact::Woken { .. } => Some(Repair::Woken),
        _ => None,
    }
}

/// The steps of a meeting that are logged at `info`; the others are logged at `debug`.
const fn milestone(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::PersonJoined { .. } => Some("somebody joined"),
        Fact::EndAllowed { .. } => Some("end of the meeting requested"),
        Fact::SessionEnded {
            said: EndSaid::SessionEnded,
            ..
        }
        | Fact::RoomPolled { ended: true, .. } => Some("the meeting has ended"),
        Fact::RoomRefused { for_now: false, .. } => Some("no room is created for the meeting"),
        Fact::ArtifactCreated { .. } => Some("recording or artifact available"),
        _ => None,
    }
}
