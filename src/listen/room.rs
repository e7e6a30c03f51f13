//! Places for connections, and whose is taken away when there are none left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A connection younger than this in its phase is not closed for another one.
const SPARED: Duration = Duration::from_millis(250);
/// A request in work for longer than this may be closed for another connection: its body does not come.
const SLOW_REQUEST: Duration = Duration::from_secs(5);

/// What a connection is doing, in the order in which connections are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Its last request was answered.
    Idle,
    /// It connected, or began to send a head.
    Head,
    /// A request is in work.
    Request,
}

/// One connection's place. Dropped, it is free for the next.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    seat: Arc<Seat>,
    room: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

/// What is known of the connection in a place.
#[derive(Debug)]
pub(super) struct Seat {
    phase: Mutex<(Phase, Instant)>,
    /// Woken when a head begins: the deadline came nearer.
    pub(super) head_began: Notify,
    /// Woken when the place is needed for another connection.
    pub(super) given_up: Notify,
}

/// All places of a listener.
#[derive(Debug)]
pub(super) struct Room {
    permits: Arc<Semaphore>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    seats: Mutex<(u64, BTreeMap<u64, Arc<Seat>>)>,
}

impl Room {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS))),
            shared: Arc::default(),
        }
    }

    /// A place, if need be somebody else's.
    pub(super) async fn take(&self) -> Place {
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned();
            // The semaphore is never closed, so that an error is as good as waiting.
            if let Ok(Ok(permit)) = tokio::time::timeout(self.patience(), permit).await {
                return Place::new(permit, Arc::clone(&self.shared));
            }
        }
    }

    /// How long to wait before somebody else (too) has to go.
    fn patience(&self) -> Duration {
        if self.permits.available_permits() > 0 {
            Duration::from_secs(1)
        } else if self.shared.give_up_one(Instant::now()) {
            Duration::from_millis(100)
        } else {
            Duration::from_millis(20)
        }
    }
}

impl Shared {
    /// Closes the connection that can best be spared; tells whether there is one.
    fn give_up_one(&self, now: Instant) -> bool {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = seats
            .1
            .values()
            .map(|seat| (seat.phase(), seat))
            .filter(|(known, _)| can_be_spared(*known, now))
            .min_by_key(|((phase, since), _)| (*phase, *since));
        if let Some((_, seat)) = spare {
            seat.given_up.notify_one();
        }
        spare.is_some()
    }
}

fn can_be_spared((phase, since): (Phase, Instant), now: Instant) -> bool {
    let least = if phase == Phase::Request {
        SLOW_REQUEST
    } else {
        SPARED
    };
    now.duration_since(since) >= least
}

impl Place {
    fn new(permit: OwnedSemaphorePermit, room: Arc<Shared>) -> Self {
        let seat = Arc::new(Seat {
            phase: Mutex::new((Phase::Head, Instant::now())),
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

impl Drop for Place {
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
    /// What the connection is doing, and since when.
    pub(super) fn phase(&self) -> (Phase, Instant) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// Whether it still may be closed for another one: it may have sent something since it was chosen.
    pub(super) fn can_be_spared(&self) -> bool {
        can_be_spared(self.phase(), Instant::now())
    }

    /// Bytes came: between requests they begin a head.
    pub(super) fn note_read(&self) {
        let mut known = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 == Phase::Idle {
            *known = (Phase::Head, Instant::now());
            self.head_began.notify_one();
        }
    }
}
