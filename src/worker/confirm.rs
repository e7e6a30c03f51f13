//! Before a start is offered the meeting that runs at its place, plugNmeet is asked whether the room still runs: its
//! webhooks may be lost, and the meeting's own poll minutes away. Without an answer in time the meeting counts as
//! running.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tracing::{debug, warn};

use crate::domain::event::end_seen_key;
use crate::domain::meeting::Session;
use crate::domain::{Conversation, Event, Fact, Meeting, Sid, TriggerSource, choice};
use crate::envelope::own_event;
use crate::ports::{RoomActivity, StoreError};

use super::apply_now::apply_now;
use super::{BreakerState, WorkerContext};

/// Most meetings that are asked about before one batch; the others count as running.
const ASKED_MAX: usize = 8;

/// The starts of one batch, by their place, each with how it came.
type StartsByConversation<'e> = BTreeMap<String, (&'e Conversation, Vec<&'e TriggerSource>)>;

/// Asks about the meetings that the starts among `events` would be offered, and applies what was learned.
pub(super) async fn confirm<'e>(
    ctx: &WorkerContext,
    events: impl Iterator<Item = &'e Event> + Clone,
) {
    let mut starts: StartsByConversation<'_> = BTreeMap::new();
    for (place, via) in events.clone().filter_map(start_of) {
        let (_, ways) = starts.entry(place.key()).or_insert((place, Vec::new()));
        ways.push(via);
    }
    let is_unavailable = ctx.plugnmeet.state() == BreakerState::Open;
    if starts.is_empty() || is_unavailable || !ctx.plugnmeet_patience.may_ask() {
        return;
    }
    let ended: BTreeSet<&Sid> = events.filter_map(ended_session).collect();
    if let Err(error) = ask(ctx, starts, &ended).await {
        debug!(%error, "the store does not tell what runs: starts are applied unasked");
    }
}

/// The session whose end the event tells: nothing has to be asked about it.
fn ended_session(event: &Event) -> Option<&Sid> {
    match &event.fact {
        Fact::SessionEnded { session, .. } => Some(&session.sid),
        _ => None,
    }
}

/// Where and how the event asks for a meeting, if a running one may be offered to it.
fn start_of(event: &Event) -> Option<(&Conversation, &TriggerSource)> {
    match &event.fact {
        Fact::MeetingRequested {
            place,
            via,
            always_new: false,
            ..
        } => Some((place, via)),
        _ => None,
    }
}

async fn ask(
    ctx: &WorkerContext,
    starts: StartsByConversation<'_>,
    ended: &BTreeSet<&Sid>,
) -> Result<(), StoreError> {
    let offered = starts
        .values()
        .map(|(place, ways)| offered_at(ctx, place, ways));
    let running = join_all(offered).await;
    let mut meetings = Vec::new();
    for meeting in running {
        meetings.extend(meeting?);
    }
    let is_told = |session: &Session| ended.contains(&session.sid);
    meetings.retain(|meeting: &Meeting| !meeting.newest_session().is_some_and(is_told));
    meetings.truncate(ASKED_MAX);
    let asked = join_all(meetings.iter().map(|meeting| seen(ctx, meeting))).await;
    let events: Vec<Event> = asked.into_iter().flatten().collect();
    if events.is_empty() {
        return Ok(());
    }
    apply_now(ctx, events).await
}

/// The meeting that a start at this place would be offered, if plugNmeet may be asked about it.
async fn offered_at(
    ctx: &WorkerContext,
    place: &Conversation,
    ways: &[&TriggerSource],
) -> Result<Option<Meeting>, StoreError> {
    let running = ctx.deps.store.running_in(place).await?;
    let running: Vec<&Meeting> = running.iter().collect();
    let now = ctx.deps.clock.now();
    let offered = choice::offered(&running, place, now);
    Ok(offered
        .filter(|meeting| meeting.session_to_ask_about(now).is_some())
        .filter(|meeting| !ways.iter().all(|via| is_known(meeting, via)))
        .cloned())
}

/// The post that asked for this very meeting is told again, or found by the catch-up: nothing is offered to it.
fn is_known(meeting: &Meeting, via: &TriggerSource) -> bool {
    let post = via.post();
    post.is_some() && meeting.requests.iter().any(|one| one.via.post() == post)
}

/// What plugNmeet says about it.
async fn seen(ctx: &WorkerContext, meeting: &Meeting) -> Option<Event> {
    let sid = meeting.newest_session()?.sid.clone();
    let asking = ctx.deps.conference.room_activity(&meeting.room);
    let activity = match ctx.plugnmeet_patience.ask(asking).await? {
        Ok(activity) => activity,
        Err(error) => {
            debug!(meeting.id = %meeting.id, %error, "plugNmeet does not say whether the room runs");
            return None;
        }
    };
    let ended = activity == RoomActivity::Ended;
    let now = ctx.deps.clock.now();
    let key = if ended {
        warn!(meeting.id = %meeting.id, session.id = %sid, "the room has ended and no webhook said so: a start found it");
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
    Some(own_event(fact, key, now))
}
