#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const BACKOFF: Backoff = Backoff {
    initial: Duration::from_secs(1),
    max: Duration::from_secs(600),
};

#[test]
fn schedule_doubles_up_to_its_cap() {
    let seconds: Vec<u64> = (0..=12).map(|n| BACKOFF.longest(n).as_secs()).collect();
    assert_eq!(
        seconds,
        [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    );
    assert_eq!(BACKOFF.longest(u32::MAX), BACKOFF.max);
}

#[test]
fn sample_spreads_the_pause_over_the_whole_range() {
    assert_eq!(BACKOFF.delay(4, 1.0), Duration::from_secs(8));
    assert_eq!(BACKOFF.delay(4, 0.5), Duration::from_secs(4));
    assert_eq!(BACKOFF.delay(4, 0.0), DELAY_MIN);
    assert_eq!(BACKOFF.delay(4, f64::NAN), Duration::from_secs(8));
}

#[test]
fn f20_pause_in_an_outage_is_in_proportion_to_its_length() {
    let longest = |lasted| {
        BACKOFF
            .within(Duration::from_secs(lasted))
            .longest(20)
            .as_secs()
    };
    assert_eq!(longest(0), 1, "never below the first pause");
    assert_eq!(longest(30), 10, "within seconds after half a minute");
    assert_eq!(longest(86_400), 600, "never above the longest");
}

#[test]
fn schedule_shorter_than_the_floor_is_kept() {
    let short = Backoff {
        initial: Duration::from_millis(10),
        max: Duration::from_millis(20),
    };
    assert_eq!(short.delay(1, 0.0), Duration::from_millis(10));
    assert_eq!(short.delay(9, 0.3), Duration::from_millis(20));
}

proptest! {
    #[test]
    fn pause_stays_between_floor_and_schedule(
        initial_ms in 0_u64..1_000_000,
        max_ms in 0_u64..u64::MAX,
        attempt: u32,
        sample: f64,
    ) {
        let backoff = Backoff {
            initial: Duration::from_millis(initial_ms),
            max: Duration::from_millis(max_ms),
        };
        let longest = backoff.longest(attempt);
        let delay = backoff.delay(attempt, sample);
        prop_assert!(delay <= longest && longest <= backoff.max.min(DELAY_MAX));
        prop_assert!(delay >= DELAY_MIN.min(longest));
        prop_assert!(longest >= backoff.longest(attempt.saturating_sub(1)), "never shrinks");
        prop_assert!(longest >= backoff.initial.min(backoff.max.min(DELAY_MAX)));
        prop_assert_eq!(delay, backoff.delay(attempt, sample), "no dice of its own");
    }

    #[test]
    fn pause_grows_with_the_sample(attempt in 1_u32..40, low in 0.0_f64..1.0, high in 0.0_f64..1.0) {
        prop_assume!(low <= high);
        prop_assert!(BACKOFF.delay(attempt, low) <= BACKOFF.delay(attempt, high));
    }
}
