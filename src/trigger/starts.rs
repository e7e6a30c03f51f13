//! How often a person may start meetings, and end them: in one channel, and in all channels together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{ChannelId, UserId};

const WINDOW: Duration = Duration::from_secs(60);
/// In all channels together a person may start this many times as many meetings as in one.
const ALL_CHANNELS_FACTOR: usize = 5;
/// Most people who are remembered; beyond it new ones are not counted.
const PEOPLE_MAX: usize = 10_000;
/// When there is no room, people without a recent start are looked for at most at this interval.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The starts of the last minute. A list of times and not a rate, because the double of a start has to be recognized.
#[derive(Debug)]
pub struct Starts {
    per_minute: usize,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    people: HashMap<UserId, Vec<Start>>,
    swept_at: Option<Instant>,
}

impl Recent {
    /// Whether one more person can be remembered.
    fn make_room(&mut self, now: Instant) -> bool {
        let is_swept = |at: Instant| now.duration_since(at) < SWEEP_EVERY;
        if self.people.len() >= PEOPLE_MAX && !self.swept_at.is_some_and(is_swept) {
            self.swept_at = Some(now);
            self.people
                .retain(|_, starts| starts.iter().any(|start| start.is_recent(now)));
        }
        self.people.len() < PEOPLE_MAX
    }
}

#[derive(Debug)]
struct Start {
    at: Instant,
    channel: ChannelId,
    key: String,
}

impl Start {
    fn is_recent(&self, now: Instant) -> bool {
        now.duration_since(self.at) < WINDOW
    }
}

impl Starts {
    /// At most this many within a minute in one channel, and `ALL_CHANNELS_FACTOR` times as many in all channels.
    pub fn new(per_minute: usize) -> Self {
        Self {
            per_minute,
            recent: Mutex::default(),
        }
    }

    /// Whether this start may be made. The same dedup key counts once: two hooks may fire for one post.
    pub fn admit(&self, channel: &ChannelId, user: &UserId, key: &str, now: Instant) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if !recent.people.contains_key(user) && !recent.make_room(now) {
            return true;
        }
        let starts = recent.people.entry(user.clone()).or_default();
        starts.retain(|start| start.is_recent(now));
        let in_channel = |start: &&Start| start.channel == *channel;
        if starts
            .iter()
            .filter(in_channel)
            .any(|start| start.key == key)
        {
            return true;
        }
        if starts.iter().filter(in_channel).count() >= self.per_minute
            || starts.len() >= self.per_minute.saturating_mul(ALL_CHANNELS_FACTOR)
        {
            return false;
        }
        starts.push(Start {
            at: now,
            channel: channel.clone(),
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
    fn s_many_channels_do_not_multiply_what_one_person_may_start() {
        let starts = Starts::new(2);
        let now = Instant::now();
        for number in 0..10 {
            let (channel, ana) = ids(&format!("c{number}"), "ana");
            assert!(starts.admit(&channel, &ana, "k", now), "{number}");
            assert!(starts.admit(&channel, &ana, "k", now), "a double");
        }
        let (channel, ana) = ids("c10", "ana");
        assert!(!starts.admit(&channel, &ana, "k", now));
        let (_, ben) = ids("c10", "ben");
        assert!(starts.admit(&channel, &ben, "k", now));
        let later = now + Duration::from_secs(61);
        assert!(starts.admit(&channel, &ana, "k", later));
    }

    #[test]
    fn memory_is_bounded() {
        let starts = Starts::new(1);
        let now = Instant::now();
        for number in 0..PEOPLE_MAX + 100 {
            let (channel, user) = ids("c", &format!("u{number}"));
            assert!(starts.admit(&channel, &user, "k", now));
        }
        assert!(starts.recent.lock().unwrap().people.len() <= PEOPLE_MAX);
        let later = now + Duration::from_secs(61);
        let (channel, user) = ids("new", "u");
        assert!(starts.admit(&channel, &user, "k", later));
        assert_eq!(starts.recent.lock().unwrap().people.len(), 1);
    }
}
