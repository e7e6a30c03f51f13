//! What can go wrong inside the server, beyond the faults of single requests
//! (src/plugnmeet/README.md, "Back ends that are down" and "Lost webhooks").

use std::sync::atomic::Ordering;

use crate::plugnmeet::api::end_session;
use crate::plugnmeet::session::Phase;
use crate::plugnmeet::webhook::Held;
use crate::plugnmeet::{Backend, FakePlugNmeet};

impl FakePlugNmeet {
    /// A back end of the server goes away or comes back. With the database away, getActiveRoomInfo says ROOM_NOT_FOUND
    /// for live rooms; with NATS away, isRoomActive says `status:false, is_active:false` for rooms that are not cached
    /// (see [`FakePlugNmeet::forget_cache`]).
    pub fn set_down(&self, backend: Backend, down: bool) {
        self.shared.change(|state| {
            if down {
                state.down.insert(backend)
            } else {
                state.down.remove(&backend)
            }
        });
    }

    /// The process forgets every room it had cached, as another node of a cluster would not know them.
    pub fn forget_cache(&self) {
        self.shared.change(|state| {
            state
                .sessions
                .iter_mut()
                .for_each(|session| session.cached = false)
        });
    }

    /// NATS loses a room that the database goes on knowing as running: isRoomActive says ROOM_NOT_FOUND, an endRoom
    /// makes session_ended with `"metadata":""`, a create makes a new sid and the old one never ends. False when there
    /// is no such running room.
    pub fn lose_room_state(&self, room: &str) -> bool {
        self.shared.change(|state| {
            let Some(session) = state
                .find(room)
                .filter(|session| session.phase == Phase::Running)
            else {
                return false;
            };
            session.in_nats = false;
            session.participants.clear();
            true
        })
    }

    /// One room's own webhook URL stops being used, as with a Redis that was emptied.
    pub fn disable_room_webhook(&self, room: &str) -> bool {
        self.shared.change(|state| {
            state
                .find(room)
                .map(|session| session.webhook_url = None)
                .is_some()
        })
    }

    /// Redis is emptied and the server started again: every running session goes on, joins and ends work, but no
    /// event of it is sent any more, not even session_ended. What reads the database still comes: recording_proceeded
    /// and summaries.
    pub async fn lose_redis(&self) -> anyhow::Result<()> {
        self.stop().await;
        self.shared.change(|state| {
            let running = state.sessions.iter_mut();
            for session in running.filter(|session| session.phase != Phase::Ended) {
                session.is_mute = true;
            }
        });
        self.resume().await
    }

    /// The next end is answered SUCCESS, and then the server stops within a second and is started again: session_ended
    /// never comes by itself, isRoomActive says ROOM_NOT_ACTIVE, another endRoom ends it, a create brings the same sid
    /// back to life (src/plugnmeet/README.md, "Sessions that never end").
    pub fn lose_next_end(&self) {
        self.shared.change(|state| state.ends_lost += 1);
    }

    /// LiveKit is killed: everybody is thrown out without participant_left, no room_finished will come, and the room
    /// stays active. False when there is no such running room.
    pub fn lose_livekit(&self, room: &str) -> bool {
        self.shared.change(|state| {
            let Some(session) = state
                .find(room)
                .filter(|session| session.phase == Phase::Running)
            else {
                return false;
            };
            session.participants.clear();
            session.livekit_started = None;
            true
        })
    }

    /// The janitor's round: ends a running room in which nobody is although its `empty_timeout` is over, counted from
    /// its creation; session_ended comes and no room_finished. False when it has nothing to end.
    pub fn sweep_empty_room(&self, room: &str) -> bool {
        let sid = self.shared.change(|state| {
            let now = self.shared.now();
            let session = state.find(room)?;
            let is_empty = session.participants.iter().all(|one| one.hidden);
            let is_over = now > session.creation_time + session.empty_timeout;
            (session.phase == Phase::Running && is_empty && is_over).then(|| session.sid.clone())
        });
        sid.is_some_and(|sid| end_session(&self.shared, &sid, self.shared.options.end_delay))
    }

    /// Changes `client.webhook_conf`: the global URL, and whether rooms' own URLs are used. Both unset: no webhooks.
    pub fn configure_webhooks(&self, global_url: Option<&str>, per_room: bool) {
        self.shared
            .webhooks
            .configure(global_url.map(str::to_owned), per_room);
    }

    /// Loses the next `times` events (`None`: all from now on) whose name starts with `event` ("" = any).
    pub fn lose_webhooks(&self, event: &str, times: Option<u32>) {
        self.shared.webhooks.lose(event, times);
    }

    /// Sends the next `times` events (`None`: all from now on) whose name starts with `event` twice, with one id.
    pub fn double_webhooks(&self, event: &str, times: Option<u32>) {
        self.shared.webhooks.double(event, times);
    }

    /// Undoes [`FakePlugNmeet::lose_webhooks`] and [`FakePlugNmeet::double_webhooks`].
    pub fn deliver_webhooks(&self) {
        self.shared.webhooks.behave();
    }

    /// From now on events are kept back instead of sent, until released.
    pub fn hold_webhooks(&self) {
        self.shared.webhooks.hold(true);
    }

    /// The events kept back, in the order they happened.
    pub fn held_webhooks(&self) -> Vec<Held> {
        self.shared.webhooks.held()
    }

    /// Sends held events by their places in [`FakePlugNmeet::held_webhooks`], in the order given; a place given twice
    /// is sent twice. New events are still held.
    pub fn release_webhooks(&self, places: &[usize]) {
        self.shared.webhooks.release(&self.shared, places);
    }

    /// Sends every held event in its order and holds no more.
    pub fn stop_holding_webhooks(&self) {
        self.shared.webhooks.hold(false);
        let places: Vec<usize> = (0..self.held_webhooks().len()).collect();
        self.release_webhooks(&places);
    }

    /// Sends an event that was sent before once more: the same id and body, a new token. False when it is not known.
    pub fn repeat_webhook(&self, id: &str) -> bool {
        self.shared.webhooks.repeat(&self.shared, id)
    }

    /// Loses what is queued for one room, as a cleanup with a slow receiver does.
    pub fn lose_queued_webhooks(&self, room_id: &str) {
        self.shared.webhooks.lose_queued(room_id);
        self.shared.touch();
    }

    /// Downloads are redirected (307) to `<base>/<path>?X-Signature=CANARY-presigned` from now on, or no more. The fake
    /// serves such a storage itself under `/storage`.
    pub fn redirect_downloads(&self, base: Option<&str>) {
        self.shared.change(|state| {
            state.storage_url = base.map(|base| base.trim_end_matches('/').to_owned())
        });
    }

    /// The server's clock is off by this many seconds from now on.
    pub fn skew_clock(&self, seconds: i64) {
        self.shared.clock_skew.store(seconds, Ordering::Relaxed);
    }
}
