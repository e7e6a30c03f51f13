//! What people do in the fake's rooms, called by tests and by the demo.

mod artifact;
mod people;
mod recording;
mod trouble;

use super::FakePlugNmeet;
use super::api::end_session;
use super::metadata::{breakout_metadata, renew_id};
use super::session::{Phase, RoomView, Session};
use super::webhook::RoomPart;

impl FakePlugNmeet {
    /// Ends a room as a moderator's "End meeting" in the client does. `room` is a room id or a sid, here and in every
    /// other verb. False when it does not run.
    pub fn end_room(&self, room: &str) -> bool {
        let sid = self
            .shared
            .lock()
            .find(room)
            .map(|session| session.sid.clone());
        sid.is_some_and(|sid| end_session(&self.shared, &sid, self.shared.options.end_delay))
    }

    /// Opens the next breakout room, `<room>-<n>`: it inherits `webhook_url` and `extra_data` and sends its own
    /// room_created. Its room id; `None` when the room does not run.
    pub fn breakout(&self, room: &str) -> Option<String> {
        let now = self.shared.now();
        self.shared.change(|state| {
            let parent = state
                .find(room)
                .filter(|session| session.phase == Phase::Running)?;
            parent.breakouts += 1;
            let room_id = format!("{}-{}", parent.room_id, parent.breakouts);
            parent
                .metadata
                .message_mut("room_features")
                .message_mut("breakout_room_features")
                .set_bool("is_active", true);
            renew_id(&mut parent.metadata);
            let metadata =
                breakout_metadata(&parent.metadata, &parent.room_id, parent.breakouts, now);
            let mut session = Session::new(&room_id, metadata, now);
            session.breakout = true;
            let session = state.add(session);
            self.shared
                .emit(session, "room_created", RoomPart::Created, &[]);
            Some(room_id)
        })
    }

    /// Sends an event of any name with any members after `room` (sid and room_id only), e.g. one of the future:
    /// `members` are (name, JSON text). False when there is no such room.
    pub fn send_raw_event(&self, room: &str, event: &str, members: &[(&str, String)]) -> bool {
        self.shared.change(|state| {
            let Some(session) = state.find(room) else {
                return false;
            };
            self.shared.emit(session, event, RoomPart::Names, members);
            true
        })
    }

    /// Every session so far, oldest first.
    pub fn rooms(&self) -> Vec<RoomView> {
        self.shared
            .lock()
            .sessions
            .iter()
            .map(Session::view)
            .collect()
    }

    /// The newest session with this title.
    pub fn room_titled(&self, title: &str) -> Option<RoomView> {
        let state = self.shared.lock();
        let found = state.sessions.iter().rev();
        let mut found = found.filter(|session| session.title == title);
        found.next().map(Session::view)
    }

    /// One session: the newest of a room id, or the one with this sid.
    pub fn room(&self, room: &str) -> Option<RoomView> {
        self.shared.lock().find(room).map(|session| session.view())
    }
}
