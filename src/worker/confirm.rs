//! Confirms that a meeting still runs before a start in the same conversation is offered that meeting. plugNmeet is
//! asked, because its webhooks may be lost and the meeting's next poll may be minutes later. Without an answer in time
//! the meeting counts as running.

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

/// Most meetings that plugNmeet is asked about before one batch. The others count as running.
const ASKED_MAX: usize = 8;

/// The conversations with starts in one batch, by key, and the sources of their starts.
type StartsByConversation<'e> = BTreeMap<String, (&'e Conversation, Vec<&'e TriggerSource>)>;

/// Asks about the meetings that the starts among `events` would be offered, and applies the answers.
pub(super) async fn confirm<'e>(
    ctx: &WorkerContext,
    events: impl Iterator<Item = &'e Event> + Clone,
) {
    let mut starts: StartsByConversation<'_> = BTreeMap::new();
    for (place, via) in events.clone().filter_map(start_of) {
        let (_, sources) = starts.entry(place.key()).or_insert((place, Vec::new()));
        sources.push(via);
    }
    let is_unavailable = ctx.plugnmeet.state() == BreakerState::Open;
    if starts.is_empty() || is_unavailable || !ctx.plugnmeet_patience.may_ask() {
        return;
    }
    let ended: BTreeSet<&Sid> = events.filter_map(ended_session).collect();
    if let Err(error) = ask(ctx, starts, &ended).await {
        debug!(%error, "the store cannot list running meetings; starts are applied without asking plugNmeet");
    }
}

/// The session whose end the event reports. plugNmeet need not be asked about it.
fn ended_session(event: &Event) -> Option<&Sid> {
    match &event.fact {
        Fact::SessionEnded { session, .. } => Some(&session.sid),
        _ => None,
    }
}

/// The conversation and source of a start that may be offered a running meeting.
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
        .map(|(place, sources)| offered_in(ctx, place, sources));
    let running = join_all(offered).await;
    let mut meetings = Vec::new();
    for meeting in running {
        meetings.extend(meeting?);
    }
    let has_ended = |session: &Session| ended.contains(&session.sid);
    meetings.retain(|meeting: &Meeting| !meeting.newest_session().is_some_and(has_ended));
    meetings.truncate(ASKED_MAX);
    let asked = join_all(meetings.iter().map(|meeting| poll(ctx, meeting))).await;
    let events: Vec<Event> = asked.into_iter().flatten().collect();
    if events.is_empty() {
        return Ok(());
    }
    apply_now(ctx, events).await
}

/// The meeting that a start in this conversation would be offered, if plugNmeet may be asked about it.
async fn offered_in(
    ctx: &WorkerContext,
    place: &Conversation,
    sources: &[&TriggerSource],
) -> Result<Option<Meeting>, StoreError> {
    let running = ctx.deps.store.running_in(place).await?;
    let running: Vec<&Meeting> = running.iter().collect();
    let now = ctx.deps.clock.now();
    let offered = choice::offered(&running, place, now);
    Ok(offered
        .filter(|meeting| meeting.session_to_ask_about(now).is_some())
        .filter(|meeting| !sources.iter().all(|via| is_repeated(meeting, via)))
        .cloned())
}

/// Whether the start repeats the post that requested this meeting: a second webhook, or the catch-up. Nothing is
/// offered to it.
fn is_repeated(meeting: &Meeting, via: &TriggerSource) -> bool {
    let post = via.post();
    post.is_some()
        && meeting
            .requests
            .iter()
            .any(|request| request.via.post() == post)
}

/// Asks plugNmeet whether the meeting's room runs.
async fn poll(ctx: &WorkerContext, meeting: &Meeting) -> Option<Event> {
    let sid = meeting.newest_session()?.sid.clone();
    let asking = ctx.deps.conference.room_activity(&meeting.room);
    let activity = match ctx.plugnmeet_patience.ask(asking).await? {
        Ok(activity) => activity,
        Err(error) => {
            debug!(meeting.id = %meeting.id, %error, "plugNmeet did not answer whether the room runs");
            return None;
        }
    };
    let ended = activity == RoomActivity::Ended;
    let now = ctx.deps.clock.now();
    let key = if ended {
        warn!(meeting.id = %meeting.id, session.id = %sid, "the room has ended and no webhook reported it; a new start found out");
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
