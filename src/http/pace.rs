//! How fast calls go out: never more than the peer says it has left, and no faster than is configured.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::hints::RateLimit;

/// Longest that an urgent call waits in its place; for a longer wait the caller is told instead, so that it holds
/// nothing up.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Shortest time that a whole burst is reckoned to take: the peer tells whole seconds.
const RESET_MIN: Duration = Duration::from_secs(1);

/// A background call that has yielded for this long counts as urgent: its share is one call in this time at least.
const YIELD_MAX: Duration = Duration::from_secs(5);

/// How often a background call asks again whether an urgent one still waits.
const YIELD_STEP: Duration = Duration::from_millis(50);

/// Who waits for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A person: it takes whatever the peer has left.
    Urgent,
    /// Nobody in particular: it leaves half of the peer's burst, and its turn, to urgent calls.
    Background,
}

/// Longest that no call goes out because of one answer: nonsense of a proxy must not silence the relay for an hour.
const HOLD_MAX: Duration = Duration::from_secs(60);

/// The pace of one client.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two calls.
    interval: Duration,
    /// Held by the call that leaves next; the others wait in line.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<PaceState>,
}

#[derive(Debug, Default)]
struct PaceState {
    /// Not before then, by the configured rate.
    next: Option<Instant>,
    /// What the peer has left until its burst is whole again.
    budget: Option<Budget>,
    /// The peer's whole burst and how long it takes, as it said last; 0 while nothing is known.
    burst: u64,
    reset: Duration,
    /// What answers say since then that may be older than `budget`, of which they are a part already.
    since: Option<Budget>,
    /// Calls that had left when `budget` was told: whatever left later was answered later by the peer too.
    told_at: u64,
    /// Calls that have left.
    left_in_all: u64,
    /// Calls that have left and are not answered.
    under_way: u64,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    left: u64,
    until: Instant,
}

impl Budget {
    /// The worse of two of which nobody knows which is the older.
    fn worse(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            left: self.left.min(other.left),
            until: self.until.max(other.until),
        })
    }
}

/// A call that may leave; until it is dropped it counts as under way.
pub(super) struct Leave<'a> {
    pace: &'a Pace,
    /// Which of all calls it is.
    number: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.pace.lock().under_way -= 1;
    }
}

impl PaceState {
    /// How long a call that leaves `kept` calls to others has to wait from now.
    fn wait(&mut self, now: Instant, kept: u64) -> Duration {
        if self.budget.is_some_and(|budget| budget.until <= now) {
            // The burst is whole again, and no more than it may leave before an answer tells.
            self.budget = (self.burst > 0).then(|| Budget {
                left: self.burst,
                until: now + self.reset,
            });
        }
        self.since = self.since.filter(|since| since.until > now);
        let spent = self.budget.filter(|budget| budget.left <= kept);
        let spent = spent.map_or(now, |budget| budget.until);
        spent.max(self.next.unwrap_or(now)) - now
    }

    /// Counts a call that leaves and gives its number; the next one may leave at `next`.
    fn take(&mut self, next: Instant) -> u64 {
        for budget in [&mut self.budget, &mut self.since].into_iter().flatten() {
            budget.left = budget.left.saturating_sub(1);
        }
        self.next = Some(next);
        self.under_way += 1;
        self.left_in_all += 1;
        self.left_in_all
    }
}

impl Pace {
    /// At most so many calls a second, evenly; 0 for any number.
    pub(super) fn new(calls_per_second: u32) -> Self {
        let interval = match calls_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) / rate,
        };
        Self {
            interval,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// Waits until a call may leave; `Err`: an urgent one would wait for this long.
    pub(super) async fn leave(&self, urgency: Urgency) -> Result<Leave<'_>, Duration> {
        let wait_max = match urgency {
            Urgency::Urgent => WAIT_MAX,
            Urgency::Background => {
                if let Some(leave) = self.leave_after_urgent_ones().await {
                    return Ok(leave);
                }
                Duration::MAX
            }
        };
        // Before its turn, so that nobody stands in line for what is known to last.
        let wait = self.lock().wait(Instant::now(), 0);
        if wait > wait_max {
            return Err(wait);
        }
        let _turn = self.turn.lock().await;
        loop {
            match self.try_leave(0) {
                Ok(leave) => return Ok(leave),
                Err(wait) if wait > wait_max => return Err(wait),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Waits until a background call may leave; `None`: it has yielded for long enough.
    async fn leave_after_urgent_ones(&self) -> Option<Leave<'_>> {
        let yields_until = Instant::now() + YIELD_MAX;
        while Instant::now() < yields_until {
            let reserve = self.lock().burst / 2;
            let wait = match self.turn.try_lock() {
                // An urgent call waits.
                Err(_) => YIELD_STEP,
                Ok(_turn) => match self.try_leave(reserve) {
                    Ok(leave) => return Some(leave),
                    Err(wait) => wait,
                },
            };
            tokio::time::sleep_until((Instant::now() + wait).min(yields_until)).await;
        }
        None
    }

    /// Leaves at once if more than `kept` calls are left; `Err`: not before this time has passed.
    fn try_leave(&self, kept: u64) -> Result<Leave<'_>, Duration> {
        let now = Instant::now();
        let mut state = self.lock();
        let wait = state.wait(now, kept);
        if !wait.is_zero() {
            return Err(wait);
        }
        let number = state.take(now + self.interval);
        Ok(Leave { pace: self, number })
    }

    /// What the answer to a call that has left says about the next ones.
    pub(super) fn learn(&self, leave: &Leave<'_>, limit: RateLimit) {
        debug_assert!(std::ptr::eq(leave.pace, self));
        let mut state = self.lock();
        state.burst = limit.limit;
        state.reset = limit.reset.clamp(RESET_MIN, HOLD_MAX);
        let now = Instant::now();
        // The peer has not counted the others that are under way.
        let left = limit.remaining.saturating_sub(state.under_way - 1);
        let until = now + limit.reset.min(HOLD_MAX);
        let said = Budget { left, until };
        let known = state.budget.filter(|known| known.until > now);
        let since = state.since.filter(|since| since.until > now);
        // Answers may overtake each other: of those that may have, the least counts. What is surely older counts no
        // more, or it would be worn down and kept up by steady traffic until no call leaves for a whole reset.
        let said = said.worse(since);
        if known.is_none() || leave.number > state.told_at {
            state.told_at = state.left_in_all;
            state.since = None;
            state.budget = Some(said);
        } else {
            state.since = Some(said);
            state.budget = Some(said.worse(known));
        }
    }

    fn lock(&self) -> MutexGuard<'_, PaceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limit(remaining: u64, reset: Duration) -> RateLimit {
        RateLimit {
            limit: 10,
            remaining,
            reset,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_leaves_before_the_reset_when_nothing_remains() {
        let pace = Pace::new(0);
        let leave = pace.leave(Urgency::Urgent).await.unwrap();
        pace.learn(&leave, limit(0, 3 * SECOND));
        drop(leave);
        let began = Instant::now();
        drop(pace.leave(Urgency::Urgent).await.unwrap());
        assert_eq!(began.elapsed(), 3 * SECOND);
        let began = Instant::now();
        drop(pace.leave(Urgency::Urgent).await.unwrap());
        assert!(began.elapsed().is_zero(), "the burst is whole again");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_a_burst_leave_when_the_reset_has_passed() {
        let pace = Pace::new(0);
        let leave = pace.leave(Urgency::Urgent).await.unwrap();
        pace.learn(&leave, limit(0, 3 * SECOND));
        drop(leave);
        let began = Instant::now();
        for _ in 0..10 {
            drop(pace.leave(Urgency::Urgent).await.unwrap());
        }
        assert_eq!(began.elapsed(), 3 * SECOND, "the whole burst of 10");
        drop(pace.leave(Urgency::Urgent).await.unwrap());
        assert_eq!(began.elapsed(), 6 * SECOND, "and not one more");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_leave_than_remain_counting_those_under_way() {
        let pace = Pace::new(0);
        let first = pace.leave(Urgency::Urgent).await.unwrap();
        let _second = pace.leave(Urgency::Urgent).await.unwrap();
        pace.learn(&first, limit(3, 4 * SECOND));
        drop(first);
        let began = Instant::now();
        let _third = pace.leave(Urgency::Urgent).await.unwrap();
        let _fourth = pace.leave(Urgency::Urgent).await.unwrap();
        assert!(began.elapsed().is_zero());
        let _fifth = pace.leave(Urgency::Urgent).await.unwrap();
        assert_eq!(began.elapsed(), 4 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_answer_that_comes_late_gives_nothing_back() {
        let pace = Pace::new(0);
        let older = pace.leave(Urgency::Urgent).await.unwrap();
        let newer = pace.leave(Urgency::Urgent).await.unwrap();
        pace.learn(&newer, limit(1, SECOND));
        drop(newer);
        pace.learn(&older, limit(2, SECOND));
        drop(older);
        let began = Instant::now();
        drop(pace.leave(Urgency::Urgent).await.unwrap());
        assert_eq!(began.elapsed(), SECOND);
    }

    /// A peer whose burst of 10 fills up at 5 calls a second, and calls at half of that.
    #[tokio::test(start_paused = true)]
    async fn steady_traffic_that_the_peer_keeps_up_with_is_never_held_up() {
        let pace = Pace::new(0);
        for _ in 0..100 {
            let began = Instant::now();
            let leave = pace.leave(Urgency::Urgent).await.unwrap();
            assert!(began.elapsed().is_zero(), "the peer has 9 left");
            pace.learn(&leave, limit(9, SECOND));
            drop(leave);
            tokio::time::sleep(2 * SECOND / 5).await;
        }
    }

    /// One is always under way when the other is answered.
    #[tokio::test(start_paused = true)]
    async fn steady_calls_that_overlap_are_never_held_up_either() {
        let pace = Pace::new(0);
        let mut earlier = pace.leave(Urgency::Urgent).await.unwrap();
        for _ in 0..100 {
            tokio::time::sleep(SECOND / 5).await;
            let began = Instant::now();
            let later = pace.leave(Urgency::Urgent).await.unwrap();
            assert!(began.elapsed().is_zero(), "the peer has 8 left");
            tokio::time::sleep(SECOND / 5).await;
            pace.learn(&earlier, limit(8, SECOND));
            earlier = later;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_overtake_each_other_give_nothing_back() {
        let pace = Pace::new(0);
        let first = pace.leave(Urgency::Urgent).await.unwrap();
        let second = pace.leave(Urgency::Urgent).await.unwrap();
        pace.learn(&first, limit(5, SECOND));
        drop(first);
        // Left after the first answer; the peer took it before the second, whose answer comes first.
        let third = pace.leave(Urgency::Urgent).await.unwrap();
        pace.learn(&second, limit(1, SECOND));
        drop(second);
        pace.learn(&third, limit(2, SECOND));
        drop(third);
        assert_eq!(pace.lock().budget.map(|budget| budget.left), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_reported_and_not_waited_for() {
        let pace = Pace::new(0);
        let earlier = pace.leave(Urgency::Urgent).await.unwrap();
        let later = pace.leave(Urgency::Urgent).await.unwrap();
        pace.learn(&earlier, limit(0, 20 * SECOND));
        assert_eq!(pace.leave(Urgency::Urgent).await.err(), Some(20 * SECOND));
        pace.learn(&later, limit(0, 3600 * SECOND));
        assert_eq!(pace.leave(Urgency::Urgent).await.err(), Some(HOLD_MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_rate_spreads_calls_evenly() {
        let pace = Pace::new(4);
        let began = Instant::now();
        for _ in 0..9 {
            drop(pace.leave(Urgency::Urgent).await.unwrap());
        }
        assert_eq!(began.elapsed(), 2 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn f15_background_calls_leave_half_of_the_burst_to_urgent_ones() {
        let pace = Pace::new(0);
        let first = pace.leave(Urgency::Background).await.unwrap();
        pace.learn(&first, limit(6, 4 * SECOND));
        drop(first);
        let began = Instant::now();
        drop(pace.leave(Urgency::Background).await.unwrap());
        assert!(began.elapsed().is_zero(), "one more than the reserve of 5");
        {
            let background = std::pin::pin!(pace.leave(Urgency::Background));
            let waits = tokio::time::timeout(SECOND, background).await;
            assert!(waits.is_err(), "the rest is for urgent calls");
        }
        let began = Instant::now();
        for _ in 0..5 {
            drop(pace.leave(Urgency::Urgent).await.unwrap());
        }
        assert!(began.elapsed().is_zero(), "urgent calls take the reserve");
    }

    #[tokio::test(start_paused = true)]
    async fn f15_background_calls_let_waiting_urgent_ones_pass_and_still_get_their_share() {
        let pace = std::sync::Arc::new(Pace::new(1));
        drop(pace.leave(Urgency::Urgent).await.unwrap());
        let began = Instant::now();
        let background = tokio::spawn({
            let pace = std::sync::Arc::clone(&pace);
            async move {
                drop(pace.leave(Urgency::Background).await.unwrap());
                began.elapsed()
            }
        });
        // Somebody urgent waits at any time.
        for _ in 0..2 {
            let pace = std::sync::Arc::clone(&pace);
            tokio::spawn(async move {
                for _ in 0..20 {
                    drop(pace.leave(Urgency::Urgent).await.unwrap());
                }
            });
        }
        let waited = background.await.unwrap();
        assert!(waited >= YIELD_MAX, "it yielded first: {waited:?}");
        assert!(
            waited <= YIELD_MAX + 3 * SECOND,
            "after those in line: {waited:?}"
        );
    }
}
