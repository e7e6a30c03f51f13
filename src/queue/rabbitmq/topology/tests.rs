#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod broker;

use std::time::Duration;

use proptest::prelude::*;

use super::route;
use super::route::rung;
use crate::ports::QueueName;

/// Simulates the hops of `delay`. Returns the total time and the number of hops.
fn wait(delay: Duration) -> (Duration, u32) {
    let (mut waited, mut hops) = (Duration::ZERO, 0);
    while waited < delay {
        let rung = rung(delay - waited).expect("some delay remains");
        waited += rung.delay;
        hops += 1;
    }
    (waited, hops)
}

proptest! {
    #[test]
    fn delay_is_never_cut_short_and_overshot_by_half_or_two_seconds_at_most(millis in 1_u64..7 * 24 * 3600 * 1000) {
        let delay = Duration::from_millis(millis);
        let (waited, _) = wait(delay);
        prop_assert!(waited >= delay);
        prop_assert!(waited - delay <= (delay / 2).max(Duration::from_secs(2)), "{waited:?} for {delay:?}");
    }

    #[test]
    fn delay_needs_few_hops(millis in 1_u64..7 * 24 * 3600 * 1000) {
        let delay = Duration::from_millis(millis);
        let (_, hops) = wait(delay);
        let whole = u32::try_from(delay.as_secs() / 600).unwrap();
        prop_assert!(hops <= whole + 14, "{hops} hops for {delay:?}");
    }
}

#[test]
fn delay_takes_the_rung_that_fits() {
    let exchange = |seconds| route(QueueName::ChatLater, Duration::from_secs_f64(seconds)).0;
    let chosen = [
        0.0, 0.001, 2.0, 3.0, 7.0, 10.0, 30.0, 45.0, 60.0, 120.0, 500.0, 601.0, 90_000.0,
    ]
    .map(|seconds| format!("{seconds}: {}", exchange(seconds)));
    insta::assert_snapshot!(chosen.join("\n"), @r#"
    0: meetrelay
    0.001: meetrelay.delay.2s
    2: meetrelay.delay.2s
    3: meetrelay.delay.2s
    7: meetrelay.delay.10s
    10: meetrelay.delay.10s
    30: meetrelay.delay.10s
    45: meetrelay.delay.1m
    60: meetrelay.delay.1m
    120: meetrelay.delay.1m
    500: meetrelay.delay.10m
    601: meetrelay.delay.10m
    90000: meetrelay.delay.10m
    "#);
    assert_eq!(
        route(QueueName::ChatLater, Duration::ZERO),
        ("meetrelay", "chat.later")
    );
}
