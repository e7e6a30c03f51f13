//! POST /auth/room/endRoom, and how a session ends
//! (src/plugnmeet/README.md, "Ending a room" and "Order of events").

use std::sync::Arc;
use std::time::Duration;

use super::room::{LOCK_WAIT, NATS_WAIT, REDIS_WAIT};
use super::{leave_reason, understand};
use crate::plugnmeet::Backend;
use crate::plugnmeet::answer::Answer;
use crate::plugnmeet::schema::ROOM;
use crate::plugnmeet::session::Phase;
use crate::plugnmeet::state::Shared;
use crate::plugnmeet::webhook::RoomPart;

/// From endRoom to the first participant_left.
const LEAVE_DELAY: Duration = Duration::from_millis(20);
/// From room_finished to session_ended when LiveKit ended the room.
const AFTER_LIVEKIT: Duration = Duration::from_secs(1);

pub(super) async fn end_room(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "room.end", ROOM, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let room_id = request.text("room_id");
    if shared.lock().is_down(Backend::Redis) {
        shared.pause(REDIS_WAIT).await;
        return Answer::internal("failed to end room, it may be starting");
    }
    let unlocked = || (shared.lock().phase(room_id) != Some(Phase::Ending)).then_some(());
    if shared
        .wait_until(shared.scaled(LOCK_WAIT), unlocked)
        .await
        .is_none()
    {
        return Answer::internal("failed to end room, it may be starting");
    }
    let (sid, database_down, nats_down) = {
        let mut state = shared.lock();
        let (database_down, nats_down) = (
            state.is_down(Backend::Database),
            state.is_down(Backend::Nats),
        );
        let running = state
            .newest(room_id)
            .filter(|one| matches!(one.phase, Phase::Running | Phase::EndLost));
        let sid = running
            .filter(|session| !database_down || session.in_nats)
            .map(|session| session.sid.clone());
        (sid, database_down, nats_down)
    };
    let Some(sid) = sid else {
        return if database_down {
            Answer::internal("failed to end room")
        } else {
            Answer::common(false, "room not found or not active", "ROOM_NOT_FOUND")
        };
    };
    end_session(shared, &sid, shared.options.end_delay);
    if nats_down {
        shared.pause(NATS_WAIT).await;
    }
    Answer::success()
}

/// Starts the end of a session: people leave, after `delay` it has ended and says so. False when it does not run.
pub(crate) fn end_session(shared: &Arc<Shared>, sid: &str, delay: Duration) -> bool {
    let breakouts = shared.change(|state| {
        let session = state
            .session(sid)
            .filter(|one| matches!(one.phase, Phase::Running | Phase::EndLost))?;
        session.phase = Phase::Ending;
        let room_id = session.room_id.clone();
        if state.ends_lost > 0 {
            state.ends_lost -= 1;
            if let Some(session) = state.session(sid) {
                session.phase = Phase::EndLost;
            }
            shared.webhooks.lose_queued(&room_id);
            return Some(Vec::new());
        }
        let prefix = format!("{room_id}-");
        let is_child = |room_id: &str| room_id.starts_with(&prefix);
        let running = |phase| phase == Phase::Running;
        let children = state
            .sessions
            .iter()
            .filter(|one| one.breakout && running(one.phase) && is_child(&one.room_id));
        Some(children.map(|one| one.sid.clone()).collect::<Vec<_>>())
    });
    let Some(breakouts) = breakouts else {
        return false;
    };
    for breakout in breakouts {
        end_session(shared, &breakout, delay * 2);
    }
    if shared.lock().session(sid).map(|one| one.phase) == Some(Phase::EndLost) {
        return true;
    }
    let (ending, sid) = (Arc::clone(shared), sid.to_owned());
    shared.spawn(async move {
        ending.pause(LEAVE_DELAY).await;
        ending.change(|state| {
            let Some(session) = state.session(&sid) else {
                return;
            };
            let people = session
                .participants
                .iter()
                .filter(|one| !one.hidden)
                .map(|one| one.identity.clone());
            for identity in people.collect::<Vec<_>>() {
                leave_reason(&ending, session, &identity, "CLIENT_INITIATED");
            }
        });
        ending.pause(delay).await;
        finish(&ending, &sid, false);
    });
    true
}

/// LiveKit's timer after the last leave: if nobody came back, room_finished first and session_ended a second later.
pub(crate) fn schedule_departure(shared: &Arc<Shared>, sid: &str) {
    let is_empty = |shared: &Shared, sid: &str, joins: Option<u64>| {
        let mut state = shared.lock();
        let session = state.session(sid)?;
        let empty =
            session.phase == Phase::Running && session.participants.iter().all(|one| one.hidden);
        (empty && joins.is_none_or(|joins| joins == session.joins)).then_some(session.joins)
    };
    let Some(joins) = is_empty(shared, sid, None) else {
        return;
    };
    let (waiting, sid) = (Arc::clone(shared), sid.to_owned());
    shared.spawn(async move {
        waiting.pause(waiting.options.departure_timeout).await;
        if is_empty(&waiting, &sid, Some(joins)).is_none() {
            return;
        }
        waiting.change(|state| {
            let Some(session) = state.session(&sid) else {
                return;
            };
            session.phase = Phase::Ending;
            waiting.emit(session, "room_finished", RoomPart::LiveKit, &[]);
        });
        waiting.pause(AFTER_LIVEKIT).await;
        finish(&waiting, &sid, true);
    });
}

fn finish(shared: &Arc<Shared>, sid: &str, room_finished_sent: bool) {
    let now = shared.now();
    shared.change(|state| {
        let Some(session) = state.session(sid) else {
            return;
        };
        session.phase = Phase::Ended;
        session.ended = Some(now);
        let part = if session.in_nats {
            RoomPart::Ended
        } else {
            RoomPart::EndedWithoutMetadata
        };
        shared.emit(session, "session_ended", part, &[]);
        // Agents are thrown out with the room, after its end (recorded: webhook-21).
        let agents: Vec<_> = session
            .participants
            .iter()
            .map(|one| one.identity.clone())
            .collect();
        for identity in agents {
            leave_reason(shared, session, &identity, "ROOM_DELETED");
        }
        if session.livekit_started.is_some() && session.in_nats && !room_finished_sent {
            shared.emit(session, "room_finished", RoomPart::LiveKit, &[]);
        }
        let recording = session.recording.take();
        if let Some(record_id) = recording {
            shared.emit_recording(session, "end_recording", &record_id, "success");
            let sid = session.sid.clone();
            state.untranscoded.push((sid, record_id));
        }
        for recording in state
            .recordings
            .iter_mut()
            .filter(|recording| recording.room_sid == sid)
        {
            recording.room_ended = Some(now);
        }
    });
}
