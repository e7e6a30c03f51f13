//! Limits how many meetings a person may start and end within a minute: in one channel, and in all channels together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{ChannelId, UserId};

/// The period in which starts are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// The limit for all channels together is this many times the limit for one channel.
const ALL_CHANNELS_FACTOR: usize = 5;
/// Most people whose starts are counted. Further people are not limited.
const PEOPLE_MAX: usize = 10_000;
/// When the list is full, people without a recent start are removed at most once in this interval.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The starts of the last minute. It is a list of times instead of a rate, because a repeated start must be recognized.
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
    /// Whether there is room for one more person, after old entries are removed.
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
    /// Allows at most `per_minute` starts within a minute in one channel, and `ALL_CHANNELS_FACTOR` times as many in
    /// all channels.
    pub fn new(per_minute: usize) -> Self {
        Self {
            per_minute,
            recent: Mutex::default(),
        }
    }

    /// Whether this start is allowed; it is counted if so. The same dedup key counts once, because two webhooks may
    /// fire for one post.
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
    fn sixth_start_within_a_minute_is_refused_only_for_this_person_in_this_channel() {
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
    fn repeated_start_counts_once() {
        let starts = Starts::new(1);
        let now = Instant::now();
        let (channel, ana) = ids("c1", "ana");
        for _ in 0..3 {
            assert!(starts.admit(&channel, &ana, "post:1", now));
        }
        assert!(!starts.admit(&channel, &ana, "post:2", now));
    }

    #[test]
    fn s_many_channels_do_not_multiply_the_starts_of_one_person() {
        let starts = Starts::new(2);
        let now = Instant::now();
        for number in 0..10 {
            let (channel, ana) = ids(&format!("c{number}"), "ana");
            assert!(starts.admit(&channel, &ana, "k", now), "{number}");
            assert!(starts.admit(&channel, &ana, "k", now), "a repeated start");
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
