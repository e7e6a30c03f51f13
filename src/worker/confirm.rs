//! Before a start is offered the meeting that runs at its place, plugNmeet is asked whether the room still runs: its
//! webhooks may be lost, and the meeting's own poll minutes away. Without an answer in time the meeting counts as
//! running.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::domain::event::end_seen_key;
use crate::domain::{Event, Fact, Meeting, Place, choice};
use crate::ports::{Incoming, RoomActivity, StoreError};

use super::apply::{draw, tell};
use super::send::send;
use super::{BreakerState, Repair, Shop, publish};

/// Longest that a batch of events waits for plugNmeet's word.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Most meetings that are asked about before one batch; the others count as running.
const ASKED_MAX: usize = 8;

/// Asks about the meetings that the starts among `events` would be offered, and applies what was learned.
pub(super) async fn confirm(shop: &Shop, events: impl Iterator<Item = &Event>) {
    let places: BTreeMap<String, &Place> = events
        .filter_map(place_of)
        .map(|place| (place.key(), place))
        .collect();
    if places.is_empty() || shop.plugnmeet.state() == BreakerState::Open {
        return;
    }
    // Whatever goes wrong here, the events themselves are applied.
    let confirming = AssertUnwindSafe(ask(shop, places)).catch_unwind();
    match confirming.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            debug!(%error, "the store does not tell what runs: starts are applied unasked")
        }
        Err(_) => warn!("asking about running meetings panicked; starts are applied unasked"),
    }
}

/// Where the event asks for a meeting, if a running one may be offered to it.
fn place_of(event: &Event) -> Option<&Place> {
    match &event.fact {
        Fact::MeetingRequested {
            place,
            always_new: false,
            ..
        } => Some(place),
        _ => None,
    }
}

async fn ask(shop: &Shop, places: BTreeMap<String, &Place>) -> Result<(), StoreError> {
    let running = join_all(places.into_values().map(|place| offered_at(shop, place))).await;
    let mut meetings = Vec::new();
    for meeting in running {
        meetings.extend(meeting?);
    }
    meetings.truncate(ASKED_MAX);
    let asked = join_all(meetings.iter().map(|meeting| seen(shop, meeting))).await;
    let incoming: Vec<Incoming> = asked
        .into_iter()
        .flatten()
        .map(|event| Incoming {
            event,
            fresh: draw(),
        })
        .collect();
    if incoming.is_empty() {
        return Ok(());
    }
    let now = shop.deps.clock.now();
    let policy = shop.settings.policy.clone();
    let applied = shop.deps.store.apply(incoming.clone(), policy, now).await?;
    for (incoming, applied) in incoming.iter().zip(&applied) {
        tell(shop, &incoming.event, applied);
    }
    // What cannot be published is found by the sweep.
    send(shop, publish::postings(&applied, now)).await;
    Ok(())
}

/// The meeting that a start at this place would be offered, if plugNmeet may be asked about it.
async fn offered_at(shop: &Shop, place: &Place) -> Result<Option<Meeting>, StoreError> {
    let running = shop.deps.store.running_in(place).await?;
    let running: Vec<&Meeting> = running.iter().collect();
    let now = shop.deps.clock.now();
    let offered = choice::offered(&running, place, now);
    Ok(offered
        .filter(|meeting| meeting.session_to_ask_about(now).is_some())
        .cloned())
}

/// What plugNmeet says about it.
async fn seen(shop: &Shop, meeting: &Meeting) -> Option<Event> {
    let sid = meeting.newest_session()?.sid.clone();
    let asking = shop.deps.conference.room_activity(&meeting.room);
    let activity = match timeout(ANSWER_WITHIN, asking).await {
        Ok(Ok(activity)) => activity,
        Ok(Err(error)) => {
            debug!(meeting.id = %meeting.id, %error, "plugNmeet does not say whether the room runs");
            return None;
        }
        Err(_) => {
            // So that a server that hangs is not asked before every batch.
            shop.breaker(crate::domain::Peer::PlugNmeet).failed();
            return None;
        }
    };
    let ended = activity == RoomActivity::Ended;
    let now = shop.deps.clock.now();
    let key = if ended {
        warn!(meeting.id = %meeting.id, session.id = %sid, "the room has ended and no webhook said so: a start found it");
        shop.deps.observer.repaired(Repair::MissedEnd);
        end_seen_key(&sid)
    } else {
        format!("poll:{sid}:start:{}", now.millis())
    };
    let meeting = meeting.id;
    let fact = Fact::RoomPolled {
        meeting,
        sid,
        ended,
    };
    Some(publish::own_event(fact, key, now))
}
