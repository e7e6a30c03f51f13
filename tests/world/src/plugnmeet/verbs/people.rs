//! Joining and leaving.

use std::sync::Arc;

use crate::plugnmeet::FakePlugNmeet;
use crate::plugnmeet::api::{check_join_token, leave_reason, schedule_departure};
use crate::plugnmeet::participant::Participant;
use crate::plugnmeet::protojson::Message;
use crate::plugnmeet::session::{Phase, Session, User};
use crate::plugnmeet::state::Shared;
use crate::plugnmeet::webhook::{RoomPart, short_id};

impl FakePlugNmeet {
    /// A person joins without a token, as one who got in another way. The participant's sid, or the notification that
    /// the client would show. The first one also makes room_started.
    pub fn join(&self, room: &str, name: &str, user_id: &str) -> Result<String, &'static str> {
        self.shared.change(|state| {
            let session = state.find(room).ok_or("notifications.room-not-active")?;
            session
                .users
                .entry(user_id.to_owned())
                .or_insert_with(|| User {
                    metadata: Message::default(),
                });
            enter(&self.shared, session, user_id, name, false)
        })
    }

    /// A browser opens the client page with this join token. The room id and the person's name, or the notification
    /// that the client would show.
    pub fn join_with_token(&self, token: &str) -> Result<(String, String), &'static str> {
        let claims = check_join_token(&self.shared, token)?;
        self.shared.change(|state| {
            let session = state
                .newest(&claims.room_id)
                .ok_or("notifications.room-not-active")?;
            enter(
                &self.shared,
                session,
                &claims.user_id,
                &claims.name,
                claims.is_hidden,
            )?;
            Ok((claims.room_id.clone(), claims.name.clone()))
        })
    }

    /// The recorder's bot joins: identity RECORDER_BOT.
    pub fn join_recorder_bot(&self, room: &str) -> Result<String, &'static str> {
        self.join(room, "RECORDER_BOT", "RECORDER_BOT")
    }

    /// An AI agent joins: hidden, without a name (recorded: webhook-06). Its identity.
    pub fn join_agent(&self, room: &str) -> Result<String, &'static str> {
        let identity = format!("pnm_agent-meeting_summarizing-{}", uuid::Uuid::new_v4());
        self.shared.change(|state| {
            let session = state.find(room).ok_or("notifications.room-not-active")?;
            session.users.insert(
                identity.clone(),
                User {
                    metadata: Message::default(),
                },
            );
            enter(&self.shared, session, &identity, "", true)
        })?;
        Ok(identity)
    }

    /// A person leaves. LiveKit ends the room [`Options::departure_timeout`](super::super::Options) after the last one.
    pub fn leave(&self, room: &str, user_id: &str) -> bool {
        let left = self.shared.change(|state| {
            let session = state.find(room)?;
            leave_reason(&self.shared, session, user_id, "CLIENT_INITIATED")
                .then(|| session.sid.clone())
        });
        if let Some(sid) = &left {
            schedule_departure(&self.shared, sid);
        }
        left.is_some()
    }

    /// A connection is lost before it was made: participant_left without a time of joining, and no participant_joined.
    pub fn fail_to_join(&self, room: &str, name: &str, user_id: &str) -> bool {
        let participant = Participant {
            sid: format!("PA_{}", short_id()),
            identity: user_id.to_owned(),
            name: name.to_owned(),
            joined_at_ms: 0,
            hidden: false,
            track: None,
        };
        self.shared.change(|state| {
            let Some(session) = state.find(room) else {
                return false;
            };
            let parts = [("participant", participant.left("JOIN_FAILURE"))];
            let event = "participant_left";
            self.shared.emit(session, event, RoomPart::LiveKit, &parts);
            true
        })
    }

    /// The person behind a join token leaves. The room id, if they were in.
    pub fn leave_with_token(&self, token: &str) -> Option<String> {
        let claims = check_join_token(&self.shared, token).ok()?;
        self.leave(&claims.room_id, &claims.user_id)
            .then_some(claims.room_id)
    }

    /// A person switches the microphone on (track_published) or off again (track_unpublished).
    pub fn set_microphone(&self, room: &str, user_id: &str, on: bool) -> bool {
        let micros = self.shared.now_ms() * 1000;
        self.shared.change(|state| {
            let Some(session) = state.find(room) else {
                return false;
            };
            let Some(at) = session
                .participants
                .iter()
                .position(|one| one.identity == user_id)
            else {
                return false;
            };
            if on {
                session.participants[at].track = Some((format!("TR_AM{}", short_id()), micros));
            }
            let participant = &session.participants[at];
            let Some(track) = participant.track() else {
                return false;
            };
            let event = if on {
                "track_published"
            } else {
                "track_unpublished"
            };
            let parts = [("participant", participant.names()), ("track", track)];
            self.shared.emit(session, event, RoomPart::Track, &parts);
            true
        })
    }

    /// A moderator removes a person for the rest of the session: getJoinToken says USER_BLOCKED.
    pub fn block(&self, room: &str, user_id: &str) -> bool {
        self.shared.change(|state| {
            let Some(session) = state.find(room) else {
                return false;
            };
            session.blocked.insert(user_id.to_owned());
            leave_reason(&self.shared, session, user_id, "PARTICIPANT_REMOVED");
            true
        })
    }
}

fn enter(
    shared: &Arc<Shared>,
    session: &mut Session,
    identity: &str,
    name: &str,
    hidden: bool,
) -> Result<String, &'static str> {
    if session.phase != Phase::Running || !session.in_nats {
        return Err("notifications.room-not-active");
    }
    if !session.users.contains_key(identity) {
        return Err("notifications.user-info-not-found");
    }
    if session.blocked.contains(identity) {
        return Err("notifications.you-are-blocked");
    }
    if session
        .participants
        .iter()
        .any(|one| one.identity == identity)
    {
        return Err("notifications.room-disconnected-duplicate-entry");
    }
    let people = session
        .participants
        .iter()
        .filter(|one| !one.hidden)
        .count() as u64;
    if session.max_participants.is_some_and(|max| people >= max) {
        return Err("notifications.max-num-participates-exceeded");
    }
    let participant = Participant {
        sid: format!("PA_{}", short_id()),
        identity: identity.to_owned(),
        name: name.to_owned(),
        joined_at_ms: shared.now_ms(),
        hidden,
        track: None,
    };
    let first = session.livekit_started.is_none();
    session.livekit_started.get_or_insert(shared.now());
    // In a breakout room the start is always told late (src/plugnmeet/README.md, "Order of events").
    if first && !session.breakout {
        shared.emit(session, "room_started", RoomPart::LiveKit, &[]);
    }
    let sid = participant.sid.clone();
    shared.emit(
        session,
        "participant_joined",
        RoomPart::LiveKit,
        &[("participant", participant.joined())],
    );
    if first && session.breakout {
        shared.emit(session, "room_started", RoomPart::LiveKit, &[]);
    }
    session.joins += 1;
    session
        .attended
        .insert(identity.to_owned(), name.to_owned());
    session.participants.push(participant);
    Ok(sid)
}
