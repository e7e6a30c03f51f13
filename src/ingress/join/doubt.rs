//! Checks whether a meeting has ended when plugNmeet mints no token. If the room is not active, its end may not have
//! been reported by a webhook. The missing token proves nothing (src/plugnmeet/README.md, "Back ends that are down"),
//! but one poll does.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::event::end_seen_key;
use crate::domain::meeting::ASKED_AGAIN_AFTER;
use crate::domain::{Event, Fact, Meeting, MeetingId, Origin};
use crate::ingress::inbound::fresh_id;
use crate::ports::RoomActivity;

use super::{Join, Visit};

/// Longest that a person waits for the poll.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Most meetings that plugNmeet is asked about within [`ASKED_AGAIN_AFTER`].
const ASKED_MAX: usize = 64;

/// The meetings that plugNmeet was asked about within [`ASKED_AGAIN_AFTER`].
#[derive(Debug, Default)]
pub(in crate::ingress) struct RecentlyAsked(Mutex<Vec<(MeetingId, Instant)>>);

impl RecentlyAsked {
    /// Whether plugNmeet may be asked about this meeting now. If so, the meeting counts as asked.
    fn admit(&self, meeting: MeetingId) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|(_, at)| at.elapsed() < ASKED_AGAIN_AFTER);
        let is_free = asked.len() < ASKED_MAX && asked.iter().all(|(known, _)| *known != meeting);
        if is_free {
            asked.push((meeting, Instant::now()));
        }
        is_free
    }
}

impl Join {
    /// Asks plugNmeet whether the room has ended, at most once a second for each meeting. An end is published as an
    /// event.
    pub(super) async fn has_ended(&self, visit: &Visit, meeting: &Meeting) -> bool {
        let Some(session) = meeting.session_to_ask_about(visit.now) else {
            return false;
        };
        if !self.doubts.admit(meeting.id) {
            return false;
        }
        let asking = self.conference.room_activity(&meeting.room);
        let polled = tokio::time::timeout(ANSWER_WITHIN, asking).await;
        if !matches!(polled, Ok(Ok(RoomActivity::Ended))) {
            return false;
        }
        tracing::warn!(event.id = %visit.id, meeting.id = %meeting.id, session.id = %session.sid, "the room ended without a webhook; noticed when somebody tried to join");
        let event = Event {
            id: fresh_id(visit.now),
            origin: Origin::relay(end_seen_key(&session.sid)),
            received_at: visit.now,
            fact: Fact::RoomPolled {
                meeting: meeting.id,
                sid: session.sid.clone(),
                ended: true,
            },
        };
        // If the event is not stored, the meeting's regular poll finds the end.
        drop(self.sink.accept(event, None, Instant::now()).await);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f16_each_meeting_is_asked_about_once_a_second() {
        let doubts = RecentlyAsked::default();
        let meeting = |number| MeetingId::from_uuid(Uuid::from_u128(number));
        assert!(doubts.admit(meeting(1)) && !doubts.admit(meeting(1)));
        assert!(doubts.admit(meeting(2)));
        tokio::time::advance(ASKED_AGAIN_AFTER).await;
        assert!(doubts.admit(meeting(1)));
        for number in 2..200 {
            doubts.admit(meeting(number));
        }
        assert_eq!(doubts.0.lock().unwrap().len(), ASKED_MAX, "bounded");
    }
}
