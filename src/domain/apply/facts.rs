//! Adds one fact to a meeting. The result does not depend on the order in which facts arrive.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::event::SessionRef;
use crate::domain::meeting::{
    ARTIFACTS_MAX, Artifact, BREAKOUTS_MAX, PEOPLE_MAX, Presence, RequestPurpose, SESSIONS_MAX,
    Session,
};
use crate::domain::{
    ArtifactId, ArtifactKind, Event, Fact, Identity, Meeting, ParticipantSid, RequestId, RoomId,
    Sid, Timestamp,
};

use super::giving_up::{
    give_up, note_artifacts_polled, note_end_wanted, note_polled, want_end, want_room,
};
use super::{Fresh, conference, request, requests};

/// The new meeting of `event`, which is a `MeetingRequested`. Its request is added with the fact.
///
/// `decide` calls this for no other fact, so that nothing else is ever written.
pub(super) fn found(event: &Event, fresh: &Fresh, number: u32) -> Meeting {
    let Fact::MeetingRequested {
        meeting,
        place,
        rule,
        ..
    } = &event.fact
    else {
        unreachable!("decide founds a meeting for MeetingRequested alone");
    };
    Meeting {
        id: *meeting,
        conference: conference(),
        place: place.clone(),
        room: RoomId::from_digits(fresh.room),
        rule: rule.clone(),
        number,
        requested_at: event.received_at,
        requests: Vec::new(),
        refused: None,
        held_up: None,
        sessions: Vec::new(),
        breakouts: BTreeSet::new(),
        people: BTreeMap::new(),
        artifacts: BTreeMap::new(),
        recordings: BTreeMap::new(),
        end: None,
        polled: 0,
        polled_at: None,
        artifacts_step: 0,
        end_known_at: None,
        given_up: BTreeSet::new(),
        version: 0,
        changed_at: event.received_at,
        round: 0,
        wakes: 0,
        wake_at: None,
        published_until: Timestamp::default(),
        posts: BTreeMap::new(),
    }
}

/// Adds the fact. Returns whether it is a wake of the sweep, which is no new fact about the peers.
pub(super) fn add(meeting: &mut Meeting, event: &Event) -> bool {
    let at = event.received_at;
    match &event.fact {
        Fact::MeetingRequested { by, via, told, .. } => {
            let is_first = meeting.requests.is_empty();
            let purpose = if is_first {
                RequestPurpose::Start
            } else {
                RequestPurpose::StartWhileRunning
            };
            want_room(meeting);
            let told = match told {
                Some(told) if *told == meeting.id => Some(true),
                // The answer named a meeting that is over now. The person knows nothing of this one.
                Some(_) if is_first => Some(false),
                _ => None,
            };
            requests::keep(meeting, request(event, by, via, purpose, told));
        }
        Fact::EndRequested { by, via, told, .. } => {
            let is_starter = requests::is_starter(meeting, by);
            let purpose = if is_starter {
                RequestPurpose::EndAllowed
            } else {
                RequestPurpose::EndAsked
            };
            let told = Some(*told == Some(meeting.id));
            requests::keep(meeting, request(event, by, via, purpose, told));
            if is_starter {
                want_end(meeting, at);
            }
        }
        Fact::EndAllowed { request, .. } => {
            set_purpose(meeting, *request, RequestPurpose::EndAllowed);
            want_end(meeting, at);
        }
        Fact::EndRefused { request, .. } => {
            set_purpose(meeting, *request, RequestPurpose::EndRefused)
        }
        Fact::EndOrdered { .. } => want_end(meeting, at),
        Fact::RoomCreated {
            sid, created_at, ..
        } => {
            let rank = meeting
                .sessions
                .iter()
                .map(|s| s.answer_rank)
                .max()
                .unwrap_or(0)
                + 1;
            if let Some(session) = session(meeting, sid, at) {
                // Two rounds may both have asked plugNmeet. The earlier time is kept, so that the order does not
                // matter.
                let earlier = session
                    .answered_at
                    .map_or(*created_at, |known| known.min(*created_at));
                session.answered_at = Some(earlier);
                session.answer_rank = rank;
                session.known_at = session.known_at.min(at);
            }
        }
        Fact::RoomRefused {
            reason,
            for_now: true,
            ..
        } => meeting.held_up = Some(*reason),
        Fact::RoomRefused { reason, .. } => {
            if meeting.sessions.is_empty() && meeting.end.is_none() {
                meeting.refused.get_or_insert(*reason);
            }
        }
        Fact::EndTried { gone, .. } => end_tried(meeting, *gone, at),
        Fact::RoomPolled { sid, ended, .. } => {
            note_polled(meeting, at);
            if *ended && let Some(session) = session(meeting, sid, at) {
                session.note_gone(at);
            }
        }
        Fact::ArtifactsPolled { step, .. } => {
            note_artifacts_polled(meeting, *step);
        }
        Fact::SummaryRead { artifact, text, .. } => {
            if let Some(artifact) = meeting.artifacts.get_mut(artifact) {
                artifact.text.get_or_insert_with(|| text.clone());
            }
        }
        Fact::JobGivenUp { job, .. } => {
            give_up(meeting, job, at);
        }
        Fact::JobReplayed { job, reset_age, .. } => {
            meeting.given_up.remove(job);
            if job == "CreateRoom:room" && meeting.sessions.is_empty() {
                meeting.refused = None;
                if *reset_age {
                    meeting.requested_at = meeting.requested_at.max(at);
                }
            }
        }
        Fact::Woken { round, .. } => {
            if *round == meeting.round {
                meeting.round = meeting.round.wrapping_add(1);
                meeting.wakes = meeting.wakes.saturating_add(1);
            }
            return true;
        }
        Fact::SessionSeen { .. }
        | Fact::PersonJoined { .. }
        | Fact::PersonLeft { .. }
        | Fact::RecordingSwitched { .. }
        | Fact::ArtifactCreated { .. }
        | Fact::SessionEnded { .. } => told_by_plugnmeet(meeting, event),
    }
    false
}

fn end_tried(meeting: &mut Meeting, gone: bool, at: Timestamp) {
    note_end_wanted(meeting, at);
    if let Some(end) = &mut meeting.end {
        end.tried = end.tried.saturating_add(1);
        end.tried_at = Some(end.tried_at.map_or(at, |earlier| earlier.max(at)));
        end.gone |= gone;
    }
    let newest = meeting.newest_session().map(|session| session.sid.clone());
    if gone
        && let Some(sid) = newest
        && let Some(session) = session(meeting, &sid, at)
    {
        session.note_gone(at);
    }
}

fn set_purpose(meeting: &mut Meeting, id: RequestId, purpose: RequestPurpose) {
    if let Some(request) = meeting.requests.iter_mut().find(|request| request.id == id) {
        request.purpose = purpose;
    }
}

/// The session with this sid, which is added if it is new. `None`: the meeting has too many sessions.
fn session<'a>(meeting: &'a mut Meeting, sid: &Sid, at: Timestamp) -> Option<&'a mut Session> {
    if let Some(known) = meeting
        .sessions
        .iter()
        .position(|session| session.sid == *sid)
    {
        return meeting.sessions.get_mut(known);
    }
    if meeting.sessions.len() >= SESSIONS_MAX {
        return None;
    }
    // The room was created in the end, so the meeting has not failed.
    meeting.refused = None;
    meeting.sessions.push(Session::new(sid.clone(), at));
    meeting.sessions.last_mut()
}

fn told_by_plugnmeet(meeting: &mut Meeting, event: &Event) {
    let Some(told) = event.fact.session() else {
        return;
    };
    if is_breakout(meeting, told) {
        if meeting.breakouts.len() < BREAKOUTS_MAX {
            meeting.breakouts.insert(told.sid.clone());
        }
        return;
    }
    let known_room = told.room.as_ref().is_none_or(|room| *room == meeting.room);
    let known_session = meeting
        .sessions
        .iter()
        .any(|session| session.sid == told.sid);
    if !known_room && !known_session {
        return;
    }
    if let Fact::ArtifactCreated { artifact, kind, .. } = &event.fact {
        // It may arrive days later, and so does not show that the room runs.
        add_artifact(meeting, artifact, *kind, &told.sid, event.received_at);
        return;
    }
    let Some(session) = session(meeting, &told.sid, event.received_at) else {
        return;
    };
    session.hear(told.said_at, event.received_at);
    if let Some(created_at) = told.created_at {
        let earlier = session
            .announced_at
            .map_or(created_at, |known| known.min(created_at));
        session.announced_at = Some(earlier);
    }
    if let Fact::SessionEnded { said, ended_at, .. } = &event.fact {
        session.note_end(*said, *ended_at, event.received_at);
    }
    match &event.fact {
        Fact::PersonJoined {
            session,
            participant,
            identity,
            name,
        } => {
            if let Some(presence) = presence(meeting, session, participant, identity, name) {
                let joined = presence.joined_at.unwrap_or(session.said_at);
                presence.joined_at = Some(joined.min(session.said_at));
                presence.never_joined = false;
            }
        }
        Fact::PersonLeft {
            session,
            participant,
            identity,
            name,
            never_joined,
        } => {
            let is_known = meeting.people.contains_key(participant);
            if let Some(presence) = presence(meeting, session, participant, identity, name) {
                // Anything else that is known about this connection is kept.
                presence.never_joined = *never_joined && (presence.never_joined || !is_known);
                let left = presence.left_at.unwrap_or(session.said_at);
                presence.left_at = Some(left.max(session.said_at));
            }
        }
        Fact::RecordingSwitched { record, on, .. }
            if meeting.recordings.contains_key(record)
                || meeting.recordings.len() < ARTIFACTS_MAX =>
        {
            let switched = meeting.recordings.entry(record.clone()).or_default();
            switched.on |= *on;
            switched.off |= !*on;
        }
        _ => {}
    }
}

/// Breakout rooms never make or change a card.
fn is_breakout(meeting: &Meeting, told: &SessionRef) -> bool {
    let parent = told.room.as_ref().and_then(RoomId::breakout_parent);
    told.breakout_of.is_some()
        || parent.is_some_and(|parent| parent == meeting.room)
        || meeting.breakouts.contains(&told.sid)
}

fn presence<'a>(
    meeting: &'a mut Meeting,
    told: &SessionRef,
    participant: &ParticipantSid,
    identity: &Identity,
    name: &str,
) -> Option<&'a mut Presence> {
    if !meeting.people.contains_key(participant) && meeting.people.len() >= PEOPLE_MAX {
        return None;
    }
    let presence = meeting
        .people
        .entry(participant.clone())
        .or_insert_with(|| Presence {
            sid: told.sid.clone(),
            identity: identity.clone(),
            name: String::new(),
            joined_at: None,
            left_at: None,
            never_joined: false,
        });
    // Of two names for one connection the smaller one is kept, so that the order does not matter.
    if presence.name.is_empty() || (!name.is_empty() && name < presence.name.as_str()) {
        presence.name = name.to_owned();
    }
    Some(presence)
}

fn add_artifact(
    meeting: &mut Meeting,
    id: &ArtifactId,
    kind: ArtifactKind,
    sid: &Sid,
    known_at: Timestamp,
) {
    if meeting.artifacts.len() >= ARTIFACTS_MAX && !meeting.artifacts.contains_key(id) {
        return;
    }
    meeting
        .artifacts
        .entry(id.clone())
        .or_insert_with(|| Artifact {
            kind,
            sid: sid.clone(),
            known_at,
            text: None,
        });
}
