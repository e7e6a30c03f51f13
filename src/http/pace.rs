//! The pace of outbound calls: never more than remain of the peer's rate limit, and no faster than is configured.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::hints::RateLimit;

/// Longest time that an urgent call waits here. If it had to wait longer, it fails at once with the waiting time, so
/// that its caller does not block other work.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Shortest time that is assumed for a full burst, because the peer reports whole seconds.
const RESET_MIN: Duration = Duration::from_secs(1);

/// A background call that has yielded for this long counts as urgent. So background calls get at least one call in this
/// time.
const YIELD_MAX: Duration = Duration::from_secs(5);

/// Time between two checks of a background call whether an urgent one still waits.
const YIELD_STEP: Duration = Duration::from_millis(50);

/// How urgent a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A person waits for it. It may use everything that remains of the peer's burst.
    Urgent,
    /// Nobody waits for it. It leaves half of the peer's burst to urgent calls, and lets waiting urgent calls go first.
    Background,
}

/// Longest time without calls because of one answer: a wrong header of a proxy must not stop all calls for an hour.
const HOLD_MAX: Duration = Duration::from_secs(60);

/// The pace of one client.
#[derive(Debug)]
pub(super) struct Pace {
    /// Shortest time between two calls; zero for none.
    interval: Duration,
    /// Held by the call that is sent next. The others wait for it in order.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<PaceState>,
}

#[derive(Debug, Default)]
struct PaceState {
    /// By the configured rate, no call is sent before this time.
    next: Option<Instant>,
    /// The calls that remain until the peer's burst is full again.
    budget: Option<Budget>,
    /// The size of the peer's burst and the time until it is full, as last reported; 0 while unknown.
    burst: u64,
    reset: Duration,
    /// The least that later answers reported whose calls may be older than `budget`. `budget` includes them already.
    since: Option<Budget>,
    /// The number of calls that were sent when `budget` was reported. The peer answered every later call after that.
    budget_as_of: u64,
    /// Calls that were sent, since the start.
    sent_total: u64,
    /// Calls that were sent and are not answered.
    in_flight: u64,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    remaining: u64,
    until: Instant,
}

impl Budget {
    /// Combines two budgets whose order is unknown: the smaller number and the later time.
    fn worse(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| Self {
            remaining: self.remaining.min(other.remaining),
            until: self.until.max(other.until),
        })
    }
}

/// Permission to send one call. Until it is dropped, the call counts as in flight.
pub(super) struct CallPermit<'a> {
    pace: &'a Pace,
    /// The number of this call, counted from 1.
    number: u64,
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        self.pace.lock().in_flight -= 1;
    }
}

impl PaceState {
    /// How long a call that keeps `reserve` calls for others has to wait from now.
    fn wait(&mut self, now: Instant, reserve: u64) -> Duration {
        if self.budget.is_some_and(|budget| budget.until <= now) {
            // The burst is full again. Until an answer reports more, no more calls than the burst are sent.
            self.budget = (self.burst > 0).then(|| Budget {
                remaining: self.burst,
                until: now + self.reset,
            });
        }
        self.since = self.since.filter(|since| since.until > now);
        let spent = self.budget.filter(|budget| budget.remaining <= reserve);
        let spent = spent.map_or(now, |budget| budget.until);
        spent.max(self.next.unwrap_or(now)) - now
    }

    /// Counts a call that is sent, and returns its number. The next one may be sent at `next`.
    fn take(&mut self, next: Instant) -> u64 {
        for budget in [&mut self.budget, &mut self.since].into_iter().flatten() {
            budget.remaining = budget.remaining.saturating_sub(1);
        }
        self.next = Some(next);
        self.in_flight += 1;
        self.sent_total += 1;
        self.sent_total
    }
}

impl Pace {
    /// At most this many calls a second, evenly spread; 0 for any number.
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

    /// Waits until a call may be sent. `Err`: an urgent call would have to wait for this time, which is too long.
    pub(super) async fn acquire(&self, urgency: Urgency) -> Result<CallPermit<'_>, Duration> {
        let wait_max = match urgency {
            Urgency::Urgent => WAIT_MAX,
            Urgency::Background => {
                if let Some(permit) = self.acquire_after_urgent().await {
                    return Ok(permit);
                }
                Duration::MAX
            }
        };
        // This is checked before the lock, so that no call queues for a wait that is known to be too long.
        let wait = self.lock().wait(Instant::now(), 0);
        if wait > wait_max {
            return Err(wait);
        }
        let _turn = self.turn.lock().await;
        loop {
            match self.try_acquire(0) {
                Ok(permit) => return Ok(permit),
                Err(wait) if wait > wait_max => return Err(wait),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Waits until a background call may be sent. `None`: it has yielded for [`YIELD_MAX`].
    async fn acquire_after_urgent(&self) -> Option<CallPermit<'_>> {
        let yields_until = Instant::now() + YIELD_MAX;
        while Instant::now() < yields_until {
            let reserve = self.lock().burst / 2;
            let wait = match self.turn.try_lock() {
                // An urgent call waits.
                Err(_) => YIELD_STEP,
                Ok(_turn) => match self.try_acquire(reserve) {
                    Ok(permit) => return Some(permit),
                    Err(wait) => wait,
                },
            };
            tokio::time::sleep_until((Instant::now() + wait).min(yields_until)).await;
        }
        None
    }

    /// Takes a permit at once if more than `reserve` calls remain. `Err`: the time to wait.
    fn try_acquire(&self, reserve: u64) -> Result<CallPermit<'_>, Duration> {
        let now = Instant::now();
        let mut state = self.lock();
        let wait = state.wait(now, reserve);
        if !wait.is_zero() {
            return Err(wait);
        }
        let number = state.take(now + self.interval);
        Ok(CallPermit { pace: self, number })
    }

    /// Learns the rate limit from the answer to a call.
    pub(super) fn learn(&self, permit: &CallPermit<'_>, limit: RateLimit) {
        debug_assert!(std::ptr::eq(permit.pace, self));
        let mut state = self.lock();
        state.burst = limit.limit;
        state.reset = limit.reset.clamp(RESET_MIN, HOLD_MAX);
        let now = Instant::now();
        // The peer has not counted the other calls in flight.
        let remaining = limit.remaining.saturating_sub(state.in_flight - 1);
        let until = now + limit.reset.min(HOLD_MAX);
        let reported = Budget { remaining, until };
        let current = state.budget.filter(|current| current.until > now);
        let since = state.since.filter(|since| since.until > now);
        // Answers may arrive out of order. Of the answers whose order is unknown, the least counts. An answer that is
        // surely older no longer counts: otherwise steady traffic would lower the budget, and keep it, until no call is
        // sent for a whole reset.
        let reported = reported.worse(since);
        if current.is_none() || permit.number > state.budget_as_of {
            state.budget_as_of = state.sent_total;
            state.since = None;
            state.budget = Some(reported);
        } else {
            state.since = Some(reported);
            state.budget = Some(reported.worse(current));
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
    async fn nothing_is_sent_before_the_reset_when_nothing_remains() {
        let pace = Pace::new(0);
        let permit = pace.acquire(Urgency::Urgent).await.unwrap();
        pace.learn(&permit, limit(0, 3 * SECOND));
        drop(permit);
        let began = Instant::now();
        drop(pace.acquire(Urgency::Urgent).await.unwrap());
        assert_eq!(began.elapsed(), 3 * SECOND);
        let began = Instant::now();
        drop(pace.acquire(Urgency::Urgent).await.unwrap());
        assert!(began.elapsed().is_zero(), "the burst is whole again");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_a_burst_is_sent_when_the_reset_has_passed() {
        let pace = Pace::new(0);
        let permit = pace.acquire(Urgency::Urgent).await.unwrap();
        pace.learn(&permit, limit(0, 3 * SECOND));
        drop(permit);
        let began = Instant::now();
        for _ in 0..10 {
            drop(pace.acquire(Urgency::Urgent).await.unwrap());
        }
        assert_eq!(began.elapsed(), 3 * SECOND, "the whole burst of 10");
        drop(pace.acquire(Urgency::Urgent).await.unwrap());
        assert_eq!(began.elapsed(), 6 * SECOND, "and not one more");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_sent_than_remain_counting_those_in_flight() {
        let pace = Pace::new(0);
        let first = pace.acquire(Urgency::Urgent).await.unwrap();
        let _second = pace.acquire(Urgency::Urgent).await.unwrap();
        pace.learn(&first, limit(3, 4 * SECOND));
        drop(first);
        let began = Instant::now();
        let _third = pace.acquire(Urgency::Urgent).await.unwrap();
        let _fourth = pace.acquire(Urgency::Urgent).await.unwrap();
        assert!(began.elapsed().is_zero());
        let _fifth = pace.acquire(Urgency::Urgent).await.unwrap();
        assert_eq!(began.elapsed(), 4 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_answer_that_comes_late_does_not_raise_the_budget() {
        let pace = Pace::new(0);
        let older = pace.acquire(Urgency::Urgent).await.unwrap();
        let newer = pace.acquire(Urgency::Urgent).await.unwrap();
        pace.learn(&newer, limit(1, SECOND));
        drop(newer);
        pace.learn(&older, limit(2, SECOND));
        drop(older);
        let began = Instant::now();
        drop(pace.acquire(Urgency::Urgent).await.unwrap());
        assert_eq!(began.elapsed(), SECOND);
    }

    /// The peer's burst of 10 refills at 5 calls a second, and the relay calls at half of that rate.
    #[tokio::test(start_paused = true)]
    async fn steady_traffic_that_the_peer_can_take_is_never_delayed() {
        let pace = Pace::new(0);
        for _ in 0..100 {
            let began = Instant::now();
            let permit = pace.acquire(Urgency::Urgent).await.unwrap();
            assert!(began.elapsed().is_zero(), "the peer has 9 remaining");
            pace.learn(&permit, limit(9, SECOND));
            drop(permit);
            tokio::time::sleep(2 * SECOND / 5).await;
        }
    }

    /// One call is always in flight when another is answered.
    #[tokio::test(start_paused = true)]
    async fn steady_calls_that_overlap_are_never_delayed_either() {
        let pace = Pace::new(0);
        let mut earlier = pace.acquire(Urgency::Urgent).await.unwrap();
        for _ in 0..100 {
            tokio::time::sleep(SECOND / 5).await;
            let began = Instant::now();
            let later = pace.acquire(Urgency::Urgent).await.unwrap();
            assert!(began.elapsed().is_zero(), "the peer has 8 remaining");
            tokio::time::sleep(SECOND / 5).await;
            pace.learn(&earlier, limit(8, SECOND));
            earlier = later;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_overtake_each_other_do_not_raise_the_budget() {
        let pace = Pace::new(0);
        let first = pace.acquire(Urgency::Urgent).await.unwrap();
        let second = pace.acquire(Urgency::Urgent).await.unwrap();
        pace.learn(&first, limit(5, SECOND));
        drop(first);
        // It was sent after the first answer. The peer handled it before the second call, whose answer comes first.
        let third = pace.acquire(Urgency::Urgent).await.unwrap();
        pace.learn(&second, limit(1, SECOND));
        drop(second);
        pace.learn(&third, limit(2, SECOND));
        drop(third);
        assert_eq!(pace.lock().budget.map(|budget| budget.remaining), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_reported_and_not_waited_for() {
        let pace = Pace::new(0);
        let earlier = pace.acquire(Urgency::Urgent).await.unwrap();
        let later = pace.acquire(Urgency::Urgent).await.unwrap();
        pace.learn(&earlier, limit(0, 20 * SECOND));
        assert_eq!(pace.acquire(Urgency::Urgent).await.err(), Some(20 * SECOND));
        pace.learn(&later, limit(0, 3600 * SECOND));
        assert_eq!(pace.acquire(Urgency::Urgent).await.err(), Some(HOLD_MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_rate_spreads_calls_evenly() {
        let pace = Pace::new(4);
        let began = Instant::now();
        for _ in 0..9 {
            drop(pace.acquire(Urgency::Urgent).await.unwrap());
        }
        assert_eq!(began.elapsed(), 2 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn f15_background_calls_leave_half_of_the_burst_to_urgent_ones() {
        let pace = Pace::new(0);
        let first = pace.acquire(Urgency::Background).await.unwrap();
        pace.learn(&first, limit(6, 4 * SECOND));
        drop(first);
        let began = Instant::now();
        drop(pace.acquire(Urgency::Background).await.unwrap());
        assert!(began.elapsed().is_zero(), "one more than the reserve of 5");
        {
            let background = std::pin::pin!(pace.acquire(Urgency::Background));
            let waits = tokio::time::timeout(SECOND, background).await;
            assert!(waits.is_err(), "the rest is for urgent calls");
        }
        let began = Instant::now();
        for _ in 0..5 {
            drop(pace.acquire(Urgency::Urgent).await.unwrap());
        }
        assert!(began.elapsed().is_zero(), "urgent calls take the reserve");
    }

    #[tokio::test(start_paused = true)]
    async fn f15_background_calls_let_waiting_urgent_ones_pass_and_still_get_their_share() {
        let pace = std::sync::Arc::new(Pace::new(1));
        drop(pace.acquire(Urgency::Urgent).await.unwrap());
        let began = Instant::now();
        let background = tokio::spawn({
            let pace = std::sync::Arc::clone(&pace);
            async move {
                drop(pace.acquire(Urgency::Background).await.unwrap());
                began.elapsed()
            }
        });
        // An urgent call waits at any time.
        for _ in 0..2 {
            let pace = std::sync::Arc::clone(&pace);
            tokio::spawn(async move {
                for _ in 0..20 {
                    drop(pace.acquire(Urgency::Urgent).await.unwrap());
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
