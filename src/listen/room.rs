//! Places for connections, and whose is taken away when there are none left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A connection younger than this in its phase is not closed for another one. Who waits in the system's backlog passes
/// within `BACKLOG / connections` times this.
const SPARED: Duration = Duration::from_millis(100);
/// Most connections that are closed at a time to make room.
const GIVEN_UP_MAX: usize = 32;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its last request was answered.
    Idle,
    /// It connected, or began to send a head.
    Head,
    /// A head is there, and its body is not complete.
    Body,
    /// A whole request is in work.
    Request,
}

/// What is known of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionState {
    pub(super) phase: Phase,
    /// Since when it is in this phase.
    pub(super) since: Instant,
    /// It carried a request of somebody whom the relay knows.
    is_authenticated: bool,
}

impl ConnectionState {
    /// Whether it may be closed for another connection. A whole request in work never is.
    fn can_be_spared(&self, now: Instant) -> bool {
        self.phase != Phase::Request && now.duration_since(self.since) >= SPARED
    }

    /// The lowest is closed first: strangers before those whom the relay knows, connections without a request before
    /// those that have begun one, and the oldest.
    fn rank(&self) -> (bool, bool, Instant) {
        let has_begun = self.phase != Phase::Idle;
        (self.is_authenticated, has_begun, self.since)
    }
}

/// One connection's place. Dropped, it is free for the next.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    id: u64,
    seat: Arc<Seat>,
    room: Arc<ConnectionSlots>,
    _permit: OwnedSemaphorePermit,
}

/// What is known of the connection in a place.
#[derive(Debug)]
pub(super) struct Seat {
    state: Mutex<ConnectionState>,
    /// Woken when a head begins: the deadline came nearer.
    pub(super) head_began: Notify,
    /// Woken when the place is needed for another connection.
    pub(super) given_up: Notify,
}

/// All places of a listener.
#[derive(Debug)]
pub(super) struct ConnectionRoom {
    permits: Arc<Semaphore>,
    shared: Arc<ConnectionSlots>,
}

#[derive(Debug, Default)]
struct ConnectionSlots {
    seats: Mutex<(u64, BTreeMap<u64, Arc<Seat>>)>,
}

impl ConnectionRoom {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS))),
            shared: Arc::default(),
        }
    }

    /// A place, if need be somebody else's.
    pub(super) async fn take(&self) -> ConnectionSlot {
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned();
            // The semaphore is never closed, so that an error is as good as waiting.
            if let Ok(Ok(permit)) = tokio::time::timeout(self.patience(), permit).await {
                return ConnectionSlot::new(permit, Arc::clone(&self.shared));
            }
        }
    }

    /// How long to wait before somebody else (too) has to go.
    fn patience(&self) -> Duration {
        if self.permits.available_permits() > 0 {
            Duration::from_secs(1)
        } else if self.shared.give_up_some(Instant::now()) {
            Duration::from_millis(100)
        } else {
            Duration::from_millis(20)
        }
    }
}

impl ConnectionSlots {
    /// Closes the connections that can best be spared; tells whether there are any. One that the relay knows is closed
    /// alone: whoever sends on it at that moment loses the request.
    fn give_up_some(&self, now: Instant) -> bool {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spare: Vec<_> = seats
            .1
            .values()
            .map(|seat| (seat.state(), seat))
            .filter(|(state, _)| state.phase != Phase::Request)
            .collect();
        spare.sort_by_key(|(state, _)| state.rank());
        // Strangers who are too young to be closed are waited for before somebody known is.
        let strangers = spare.partition_point(|(state, _)| !state.is_authenticated);
        spare.truncate(strangers.max(1));
        spare.retain(|(state, _)| state.can_be_spared(now));
        for (_, seat) in spare.iter().take(GIVEN_UP_MAX) {
            seat.given_up.notify_one();
        }
        !spare.is_empty()
    }
}

impl ConnectionSlot {
    fn new(permit: OwnedSemaphorePermit, room: Arc<ConnectionSlots>) -> Self {
        let seat = Arc::new(Seat {
            state: Mutex::new(ConnectionState {
                phase: Phase::Head,
                since: Instant::now(),
                is_authenticated: false,
            }),
            head_began: Notify::new(),
            given_up: Notify::new(),
        });
        let mut seats = room.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let id = seats.0;
        seats.0 = seats.0.wrapping_add(1);
        seats.1.insert(id, Arc::clone(&seat));
        drop(seats);
        Self {
            id,
            seat,
            room,
            _permit: permit,
        }
    }

    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut seats = self
            .room
            .seats
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seats.1.remove(&self.id);
    }
}

impl Seat {
    /// What the connection is doing.
    pub(super) fn state(&self) -> ConnectionState {
        *self.lock()
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = phase;
        state.since = Instant::now();
    }

    /// The body of the request in hand is complete.
    pub(super) fn complete_body(&self) {
        if self.state().phase == Phase::Body {
            self.enter(Phase::Request);
        }
    }

    /// It carried a request of somebody whom the relay knows.
    pub(super) fn authenticate(&self) {
        self.lock().is_authenticated = true;
    }

    /// Whether it still may be closed for another one: it may have sent something since it was chosen.
    pub(super) fn can_be_spared(&self) -> bool {
        self.state().can_be_spared(Instant::now())
    }

    /// Bytes came: between requests they begin a head.
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
