//! How many tokens plugNmeet is asked for: one bound for the join page and for downloads.
//!
//! A link is known by what it leads to, not by the text of its token, which is not unique. Nobody who asks without a
//! link of their own and without a guest's cookie can be told apart from others, so only the link's bounds hold for
//! them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::domain::{EventId, Identity};
use crate::token::Link;

use super::pages::{MessagePage, Pages};
use super::reply::Answer;

/// Longest that a request waits for its turn; with the call of plugNmeet (8 s) it stays below the listener's deadline.
const TURN_WITHIN: Duration = Duration::from_secs(3);
/// Most tokens that are minted at a time.
const MINTS_MAX: usize = 16;
/// Most tokens that are minted at a time for one link.
const MINTS_PER_LINK_MAX: usize = 2;
/// Most requests that wait for one link's turn; more are refused at once.
const WAITING_PER_LINK_MAX: usize = 32;
/// When those who were refused for that may try again.
const CROWDED_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Everybody in a large channel follows the card's link within a minute.
const LINK_RATE: Rate = Rate {
    burst: 300,
    every: Duration::from_millis(200),
};
/// What one person needs, with a browser that is started several times.
const PERSON_RATE: Rate = Rate {
    burst: 10,
    every: Duration::from_secs(6),
};
/// Most links, and most people, whose recent use is remembered.
const KEYS_MAX: usize = 10_000;

/// The bounds, shared by both routes.
#[derive(Debug)]
pub(super) struct MintLimits {
    places: Semaphore,
    usage: Mutex<Usage>,
}

#[derive(Debug)]
struct Usage {
    links: Buckets<Link>,
    people: Buckets<Identity>,
    /// The links that tokens are being minted for.
    busy: HashMap<Link, Busy>,
}

#[derive(Debug)]
struct Busy {
    places: Arc<Semaphore>,
    /// Requests that mint or wait.
    requests: usize,
}

/// Why no token is minted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OverLimit {
    /// This person has asked too often; may ask again after this time.
    Person(Duration),
    /// The link was used too often, by whomever; may be used again after this time.
    Link(Duration),
    /// Too many requests wait for this link's turn.
    Crowded,
}

impl Default for MintLimits {
    fn default() -> Self {
        Self {
            places: Semaphore::new(MINTS_MAX),
            usage: Mutex::new(Usage {
                links: Buckets::new(LINK_RATE),
                people: Buckets::new(PERSON_RATE),
                busy: HashMap::new(),
            }),
        }
    }
}

impl MintLimits {
    /// Whether `person` may have a token of `link` minted; counts it if so. What is refused is not counted, so that
    /// whoever waits as told is admitted.
    pub(super) fn admit(
        &self,
        link: &Link,
        person: Option<&Identity>,
        now: Instant,
    ) -> Result<Admitted<'_>, OverLimit> {
        let mut guard = self.lock();
        let used = &mut *guard;
        if let Some(wait) = person.and_then(|person| used.people.wait(person, now)) {
            return Err(OverLimit::Person(wait));
        }
        if let Some(wait) = used.links.wait(link, now) {
            return Err(OverLimit::Link(wait));
        }
        let requests = used.busy.get(link).map_or(0, |busy| busy.requests);
        if requests >= MINTS_PER_LINK_MAX + WAITING_PER_LINK_MAX {
            return Err(OverLimit::Crowded);
        }
        if let Some(person) = person {
            used.people.take(person, now);
        }
        used.links.take(link, now);
        let busy = used.busy.entry(link.clone()).or_insert_with(|| Busy {
            places: Arc::new(Semaphore::new(MINTS_PER_LINK_MAX)),
            requests: 0,
        });
        busy.requests += 1;
        Ok(Admitted {
            limits: self,
            link: link.clone(),
            places: Arc::clone(&busy.places),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that may mint; counts among the link's until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted<'l> {
    limits: &'l MintLimits,
    link: Link,
    places: Arc<Semaphore>,
}

impl Admitted<'_> {
    /// Mints when it is this request's turn. The link's place comes first, so that requests that only wait for their
    /// link hold no place that another link needs. The inner error is a call that did not end within the deadline, the
    /// outer one a turn that did not come within [`TURN_WITHIN`].
    pub(super) async fn mint<T>(
        &self,
        deadline: Duration,
        minting: impl Future<Output = T>,
    ) -> Result<Result<T, Elapsed>, Elapsed> {
        // No semaphore is ever closed; an error is as good as a place.
        let turn = async {
            let of_link = self.places.acquire().await;
            (of_link, self.limits.places.acquire().await)
        };
        let _places = tokio::time::timeout(TURN_WITHIN, turn).await?;
        Ok(tokio::time::timeout(deadline, minting).await)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let mut used = self.limits.lock();
        if let Entry::Occupied(mut busy) = used.busy.entry(self.link.clone()) {
            busy.get_mut().requests -= 1;
            if busy.get().requests == 0 {
                busy.remove();
            }
        }
    }
}

impl OverLimit {
    /// The page that says so; `back` is where the person may try again.
    pub(super) fn page(self, pages: &Pages, id: EventId, back: &str) -> Answer {
        let (status, why, wait) = match self {
            Self::Person(wait) => (
                StatusCode::TOO_MANY_REQUESTS,
                "You have tried this many times within a short time.",
                wait,
            ),
            Self::Link(wait) => (
                StatusCode::TOO_MANY_REQUESTS,
                "This link was used many times within a short time.",
                wait,
            ),
            Self::Crowded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Many requests with this link are waiting at this moment.",
                CROWDED_AGAIN_AFTER,
            ),
        };
        // Rounded up: whoever comes back after whole seconds is not too early.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let line = format!("{why} Wait {seconds} {unit}, then try again.");
        let mut answer = pages.message(
            id,
            &MessagePage {
                status,
                look: "waiting",
                state: "Too many tries",
                title: "Please wait a moment",
                lines: &[&line],
                back: Some((back, "Try again")),
                ..MessagePage::default()
            },
        );
        if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        answer
    }
}

/// So many at once, and from then on one at this interval.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// A token bucket for each key, kept as the one time at which it is full again (the generic cell rate algorithm). A
/// full bucket is the same as none.
#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
    full_at: HashMap<K, Instant>,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: HashMap::new(),
        }
    }

    /// How long until one more may be taken; `None`: now.
    fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let until_full = self.full_at.get(key)?.saturating_duration_since(now);
        let one_left = self.rate.every * (self.rate.burst - 1);
        until_full
            .checked_sub(one_left)
            .filter(|wait| !wait.is_zero())
    }

    fn take(&mut self, key: &K, now: Instant) {
        if !self.full_at.contains_key(key) && self.full_at.len() >= KEYS_MAX {
            self.make_room(now);
        }
        let full_at = self.full_at.entry(key.clone()).or_insert(now);
        *full_at = (*full_at).max(now) + self.rate.every;
    }

    /// Forgets the full ones; if there are none, the one that is full first.
    fn make_room(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < KEYS_MAX {
            return;
        }
        let first = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
        if let Some(key) = first.map(|(key, _)| key.clone()) {
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
