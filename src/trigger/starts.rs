//! How often a person may start meetings in one channel, and end them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{ChannelId, UserId};

const WINDOW: Duration = Duration::from_secs(60);
/// Most pairs of person and channel that are remembered; beyond it new ones are let pass uncounted.
const PAIRS_MAX: usize = 10_000;
/// When there is no room, those that are over are looked for at most so often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The starts of the last minute.
#[derive(Debug)]
pub struct Starts {
    per_minute: usize,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    pairs: HashMap<(ChannelId, UserId), Vec<Start>>,
    swept_at: Option<Instant>,
}

impl Recent {
    /// Whether one more pair can be remembered.
    fn make_room(&mut self, now: Instant) -> bool {
        let is_swept = |at: Instant| now.duration_since(at) < SWEEP_EVERY;
        if self.pairs.len() >= PAIRS_MAX && !self.swept_at.is_some_and(is_swept) {
            self.swept_at = Some(now);
            self.pairs
                .retain(|_, starts| starts.iter().any(|start| start.is_recent(now)));
        }
        self.pairs.len() < PAIRS_MAX
    }
}

#[derive(Debug)]
struct Start {
    at: Instant,
    key: String,
}

impl Start {
    fn is_recent(&self, now: Instant) -> bool {
        now.duration_since(self.at) < WINDOW
    }
}

impl Starts {
    /// At most so many in a minute.
    pub fn new(per_minute: usize) -> Self {
        Self {
            per_minute,
            recent: Mutex::default(),
        }
    }

    /// Whether this start may be made. The same dedup key counts once: two hooks may fire for one post.
    pub fn admit(&self, channel: &ChannelId, user: &UserId, key: &str, now: Instant) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (channel.clone(), user.clone());
        if !recent.pairs.contains_key(&pair) && !recent.make_room(now) {
            return true;
        }
        let starts = recent.pairs.entry(pair).or_default();
        starts.retain(|start| start.is_recent(now));
        if starts.iter().any(|start| start.key == key) {
            return true;
        }
        if starts.len() >= self.per_minute {
            return false;
        }
        starts.push(Start {
            at: now,
            key: key.to_owned(),
        });
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn ids(channel: &str, user: &str) -> (ChannelId, UserId) {
        (channel.parse().unwrap(), user.parse().unwrap())
    }

    #[test]
    fn sixth_start_within_a_minute_is_refused_for_this_person_in_this_channel_alone() {
        let starts = Starts::new(5);
        let now = Instant::now();
        let (channel, ana) = ids("c1", "ana");
        for number in 0..5 {
            assert!(starts.admit(&channel, &ana, &number.to_string(), now));
        }
        assert!(!starts.admit(&channel, &ana, "6", now));
        let (other, ben) = ids("c2", "ben");
        assert!(starts.admit(&other, &ana, "6", now));
        assert!(starts.admit(&channel, &ben, "6", now));
        let later = now + Duration::from_secs(61);
        assert!(starts.admit(&channel, &ana, "6", later));
    }

    #[test]
    fn double_of_a_start_is_no_start() {
        let starts = Starts::new(1);
        let now = Instant::now();
        let (channel, ana) = ids("c1", "ana");
        for _ in 0..3 {
            assert!(starts.admit(&channel, &ana, "post:1", now));
        }
        assert!(!starts.admit(&channel, &ana, "post:2", now));
    }

    #[test]
    fn memory_is_bounded() {
        let starts = Starts::new(1);
        let now = Instant::now();
        for number in 0..PAIRS_MAX + 100 {
            let (channel, user) = ids(&format!("c{number}"), "u");
            assert!(starts.admit(&channel, &user, "k", now));
        }
        assert!(starts.recent.lock().unwrap().pairs.len() <= PAIRS_MAX);
        let later = now + Duration::from_secs(61);
        let (channel, user) = ids("new", "u");
        assert!(starts.admit(&channel, &user, "k", later));
        assert_eq!(starts.recent.lock().unwrap().pairs.len(), 1);
    }
}
