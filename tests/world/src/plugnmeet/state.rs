//! Everything the fake remembers, and what all its parts share.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::artifact::{Artifact, Recording};
use super::requests::Request;
use super::session::{Phase, Session};
use super::webhook::Webhooks;
use super::{Backend, Options};
use crate::{FaultSwitch, Unexpected};

/// What handlers, verbs and webhook workers share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) state: Mutex<State>,
    pub(crate) faults: FaultSwitch,
    pub(crate) unexpected: Unexpected,
    pub(crate) webhooks: Webhooks,
    /// Raised at every change, for those who wait.
    pub(crate) changed: watch::Sender<u64>,
    /// Work of the server process that dies with it: ends in progress and timers.
    pub(crate) tasks: Mutex<Vec<AbortHandle>>,
    /// Added to every time the fake writes, in seconds.
    pub(crate) clock_skew: std::sync::atomic::AtomicI64,
}

/// The databases of the fake.
#[derive(Default)]
pub(crate) struct State {
    /// Every session ever, in the order of creation.
    pub(crate) sessions: Vec<Session>,
    by_room: HashMap<String, usize>,
    by_sid: HashMap<String, usize>,
    /// Rows of creates that failed after their insert: title and creation time by room id.
    pub(crate) stale_rows: BTreeMap<String, (String, u64)>,
    pub(crate) recordings: Vec<Recording>,
    pub(crate) artifacts: Vec<Artifact>,
    /// Recordings that have ended and are not yet transcoded: (sid, record id).
    pub(crate) untranscoded: Vec<(String, String)>,
    /// Files by store (`recording`, `artifact`) and path.
    pub(crate) files: BTreeMap<(&'static str, String), Vec<u8>>,
    pub(crate) down: BTreeSet<Backend>,
    /// So many ends are begun and not carried out: the server stops in between.
    pub(crate) ends_lost: u32,
    /// Where downloads are redirected to, when a download hook is configured.
    pub(crate) storage_url: Option<String>,
    pub(crate) requests: VecDeque<Request>,
    pub(crate) requests_seen: u64,
    pub(crate) counts: BTreeMap<String, u64>,
}

impl State {
    /// Adds a session; it becomes its room's newest.
    pub(crate) fn add(&mut self, session: Session) -> &mut Session {
        let at = self.sessions.len();
        self.by_room.insert(session.room_id.clone(), at);
        self.by_sid.insert(session.sid.clone(), at);
        self.sessions.push(session);
        &mut self.sessions[at]
    }

    /// The newest session of a room, by its exact id.
    pub(crate) fn newest(&mut self, room_id: &str) -> Option<&mut Session> {
        let at = *self.by_room.get(room_id)?;
        self.sessions.get_mut(at)
    }

    /// A session by its sid.
    pub(crate) fn session(&mut self, sid: &str) -> Option<&mut Session> {
        let at = *self.by_sid.get(sid)?;
        self.sessions.get_mut(at)
    }

    /// A session by its sid, or the newest of a room id.
    pub(crate) fn find(&mut self, room_or_sid: &str) -> Option<&mut Session> {
        let at = *self
            .by_sid
            .get(room_or_sid)
            .or_else(|| self.by_room.get(room_or_sid))?;
        self.sessions.get_mut(at)
    }

    /// Whether a back end is down.
    pub(crate) fn is_down(&self, backend: Backend) -> bool {
        self.down.contains(&backend)
    }

    /// Where the newest session of a room stands.
    pub(crate) fn phase(&mut self, room_id: &str) -> Option<Phase> {
        self.newest(room_id).map(|session| session.phase)
    }
}

impl Shared {
    /// The state, also after a panic of another holder.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes those who wait for a change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.touch();
        result
    }

    /// Wakes those who wait for a change.
    pub(crate) fn touch(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    /// `real` on the fake's clock.
    pub(crate) fn scaled(&self, real: Duration) -> Duration {
        real.mul_f64(self.options.time_scale)
    }

    /// Waits for `real` on the fake's clock.
    pub(crate) async fn pause(&self, real: Duration) {
        tokio::time::sleep(self.scaled(real)).await;
    }

    /// The clock, unix seconds, with the skew.
    pub(crate) fn now(&self) -> u64 {
        self.now_ms() / 1000
    }

    /// The clock, unix milliseconds, with the skew.
    pub(crate) fn now_ms(&self) -> u64 {
        let skew = self.clock_skew.load(std::sync::atomic::Ordering::Relaxed) * 1000;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        u64::try_from(now)
            .unwrap_or(u64::MAX)
            .saturating_add_signed(skew)
    }

    /// Runs `work` as part of the server process: it is cut off when the server stops.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let handle = tokio::spawn(work).abort_handle();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle);
    }

    /// Waits until `probe` finds something, or for `within`.
    pub(crate) async fn wait_until<T>(
        &self,
        within: Duration,
        mut probe: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.changed.subscribe();
        let found = async {
            loop {
                if let Some(found) = probe() {
                    return found;
                }
                // The sender lives in self, so this fails never; a failure would only end the waiting early.
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(within, found).await.ok()
    }
}
