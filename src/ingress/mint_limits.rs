//! Limits how many tokens plugNmeet is asked for. The join page and downloads share these limits.
//!
//! A link is identified by its target, not by the text of its token, which is not unique. People without a personal
//! link and without a guest's cookie cannot be distinguished, so only the limits of the link apply to them.

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

/// Longest that a request waits for its turn. Together with the call of plugNmeet (8 s) it stays below the listener's
/// deadline.
const TURN_WITHIN: Duration = Duration::from_secs(3);
/// Most tokens that are minted at the same time.
const MINTS_MAX: usize = 16;
/// Most tokens that are minted at the same time for one link.
const MINTS_PER_LINK_MAX: usize = 2;
/// Most requests that wait for one link's turn; more are refused at once.
const WAITING_PER_LINK_MAX: usize = 32;
/// When a request that was refused because of that may be repeated.
const CROWDED_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Enough for a large channel in which everybody follows the card's link within a minute.
const LINK_RATE: Rate = Rate {
    burst: 300,
    every: Duration::from_millis(200),
};
/// Enough for one person, also with a browser that is restarted several times.
const PERSON_RATE: Rate = Rate {
    burst: 10,
    every: Duration::from_secs(6),
};
/// Most links whose recent use is remembered; the same number applies to people.
const KEYS_MAX: usize = 10_000;

/// The limits, shared by both routes.
#[derive(Debug)]
pub(super) struct MintLimits {
    places: Semaphore,
    usage: Mutex<Usage>,
}

#[derive(Debug)]
struct Usage {
    links: Buckets<Link>,
    people: Buckets<Identity>,
    /// The links for which tokens are being minted now.
    busy: HashMap<Link, Busy>,
}

#[derive(Debug)]
struct Busy {
    places: Arc<Semaphore>,
    /// The number of requests that mint or wait.
    requests: usize,
}

/// Which limit a request exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OverLimit {
    /// The person asked too often and may ask again after this time.
    Person(Duration),
    /// The link was used too often, by any number of people. It may be used again after this time.
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
    /// Admits a request for a token of `link` and counts it. A refused request is not counted, so a person who waits
    /// for the returned time is admitted.
    pub(super) fn admit(
        &self,
        link: &Link,
        person: Option<&Identity>,
        now: Instant,
    ) -> Result<Admitted<'_>, OverLimit> {
        let mut guard = self.lock();
        let usage = &mut *guard;
        if let Some(wait) = person.and_then(|person| usage.people.wait(person, now)) {
            return Err(OverLimit::Person(wait));
        }
        if let Some(wait) = usage.links.wait(link, now) {
            return Err(OverLimit::Link(wait));
        }
        let requests = usage.busy.get(link).map_or(0, |busy| busy.requests);
        if requests >= MINTS_PER_LINK_MAX + WAITING_PER_LINK_MAX {
            return Err(OverLimit::Crowded);
        }
        if let Some(person) = person {
            usage.people.take(person, now);
        }
        usage.links.take(link, now);
        let busy = usage.busy.entry(link.clone()).or_insert_with(|| Busy {
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

/// A request that may mint a token. It counts as one of the link's requests until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted<'l> {
    limits: &'l MintLimits,
    link: Link,
    places: Arc<Semaphore>,
}

impl Admitted<'_> {
    /// Mints when it is this request's turn. The permit of the link is acquired first, so that requests that wait for
    /// their link hold no permit that another link needs. The outer error: the turn did not come within
    /// [`TURN_WITHIN`]. The inner error: the call did not end within the deadline.
    pub(super) async fn mint<T>(
        &self,
        deadline: Duration,
        minting: impl Future<Output = T>,
    ) -> Result<Result<T, Elapsed>, Elapsed> {
        // The semaphores are never closed, so an error cannot occur.
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
        let mut usage = self.limits.lock();
        if let Entry::Occupied(mut busy) = usage.busy.entry(self.link.clone()) {
            busy.get_mut().requests -= 1;
            if busy.get().requests == 0 {
                busy.remove();
            }
        }
    }
}

impl OverLimit {
    /// The page for a request over the limit; `back` is the address for another try.
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
        // Rounded up, so that a person who waits for whole seconds is not too early.
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

/// The rate of a token bucket: `burst` at once, then one per `every`.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// A token bucket for each key, stored as the time at which it is full again (the generic cell rate algorithm). A full
/// bucket need not be stored.
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

    /// How long until one more token may be taken from the bucket; `None`: it may be taken now.
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

    /// Removes the full buckets, or the one that is full first if there are none.
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
