//! Limits the number of connections, and chooses which ones are closed when the limit is reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A connection that entered its phase less than this time ago is not closed for another one. A client in the system's
/// backlog waits at most `BACKLOG / connections` times this.
const SPARED_FOR: Duration = Duration::from_millis(100);
/// Most connections that are closed at one time for new ones.
const CLOSED_AT_ONCE_MAX: usize = 32;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its last request was answered.
    Idle,
    /// It connected, or began to send a head.
    Head,
    /// The head is complete, and the body is not.
    Body,
    /// A whole request is in work.
    Request,
}

/// The state of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionState {
    pub(super) phase: Phase,
    /// Since when it is in this phase.
    pub(super) since: Instant,
    /// Whether it carried an authenticated request.
    is_authenticated: bool,
}

impl ConnectionState {
    /// Whether it may be closed for another connection. A connection with a complete request is never closed.
    fn can_be_closed(&self, now: Instant) -> bool {
        self.phase != Phase::Request && now.duration_since(self.since) >= SPARED_FOR
    }

    /// The connection with the lowest rank is closed first: unauthenticated ones before authenticated ones, those
    /// without a request before those that began one, and older ones before younger ones.
    fn rank(&self) -> (bool, bool, Instant) {
        let has_begun = self.phase != Phase::Idle;
        (self.is_authenticated, has_begun, self.since)
    }
}

/// The slot of one connection. When dropped, it is free for the next one.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    id: u64,
    activity: Arc<Activity>,
    all: Arc<OpenConnections>,
    _permit: OwnedSemaphorePermit,
}

/// The state of a connection, shared between its task and the limiter.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<ConnectionState>,
    /// Notified when a head begins, because the deadline is then earlier.
    pub(super) head_began: Notify,
    /// Notified when another connection needs this slot.
    pub(super) close_requested: Notify,
}

/// Gives each connection of a listener a slot.
#[derive(Debug)]
pub(super) struct ConnectionLimiter {
    permits: Arc<Semaphore>,
    open: Arc<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    connections: Mutex<(u64, BTreeMap<u64, Arc<Activity>>)>,
}

impl ConnectionLimiter {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS))),
            open: Arc::default(),
        }
    }

    /// A slot for one connection. If none is free, it closes other connections and waits.
    pub(super) async fn take(&self) -> ConnectionSlot {
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned();
            // The semaphore is never closed, so an error cannot occur.
            if let Ok(Ok(permit)) = tokio::time::timeout(self.make_room(), permit).await {
                return ConnectionSlot::new(permit, Arc::clone(&self.open));
            }
        }
    }

    /// Closes some connections if no slot is free. Returns how long to wait before more have to be closed.
    fn make_room(&self) -> Duration {
        if self.permits.available_permits() > 0 {
            Duration::from_secs(1)
        } else if self.open.close_some(Instant::now()) {
            Duration::from_millis(100)
        } else {
            Duration::from_millis(20)
        }
    }
}

impl OpenConnections {
    /// Closes the connections of the lowest rank. Returns whether there are any that may be closed. Only one
    /// authenticated connection is closed at a time: a client that sends on it at that moment loses the request.
    fn close_some(&self, now: Instant) -> bool {
        let connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut closable: Vec<_> = connections
            .1
            .values()
            .map(|activity| (activity.state(), activity))
            .filter(|(state, _)| state.phase != Phase::Request)
            .collect();
        closable.sort_by_key(|(state, _)| state.rank());
        // While there are unauthenticated connections, even if they are too young to be closed, no authenticated one is
        // closed.
        let unauthenticated = closable.partition_point(|(state, _)| !state.is_authenticated);
        closable.truncate(unauthenticated.max(1));
        closable.retain(|(state, _)| state.can_be_closed(now));
        for (_, activity) in closable.iter().take(CLOSED_AT_ONCE_MAX) {
            activity.close_requested.notify_one();
        }
        !closable.is_empty()
    }
}

impl ConnectionSlot {
    fn new(permit: OwnedSemaphorePermit, all: Arc<OpenConnections>) -> Self {
        let activity = Arc::new(Activity {
            state: Mutex::new(ConnectionState {
                phase: Phase::Head,
                since: Instant::now(),
                is_authenticated: false,
            }),
            head_began: Notify::new(),
            close_requested: Notify::new(),
        });
        let mut connections = all
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let id = connections.0;
        connections.0 = connections.0.wrapping_add(1);
        connections.1.insert(id, Arc::clone(&activity));
        drop(connections);
        Self {
            id,
            activity,
            all,
            _permit: permit,
        }
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut connections = self
            .all
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connections.1.remove(&self.id);
    }
}

impl Activity {
    /// What the connection is doing.
    pub(super) fn state(&self) -> ConnectionState {
        *self.lock()
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = phase;
        state.since = Instant::now();
    }

    /// The body of the present request is complete.
    pub(super) fn complete_body(&self) {
        if self.state().phase == Phase::Body {
            self.enter(Phase::Request);
        }
    }

    /// The connection carried an authenticated request.
    pub(super) fn authenticate(&self) {
        self.lock().is_authenticated = true;
    }

    /// Whether it may still be closed for another one: it may have sent something since it was chosen.
    pub(super) fn can_be_closed(&self) -> bool {
        self.state().can_be_closed(Instant::now())
    }

    /// Bytes arrived. Between two requests they begin a head.
    pub(super) fn note_read(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.since = Instant::now();
            self.head_began.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
