#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    attempts_max: 12,
    age_max: Duration::from_secs(7 * 24 * 3600),
    rest_max: Duration::from_secs(30 * 24 * 3600),
    hint_max: Duration::from_secs(600),
};
const YOUNG: Duration = Duration::from_secs(1);
const DELAY: Duration = Duration::from_secs(4);

fn unavailable(after: Option<Duration>) -> Outcome {
    Outcome::Unavailable {
        after,
        reason: RetryReason::Throttled,
        why: "busy".to_owned(),
    }
}

fn failed() -> Outcome {
    Outcome::Failed {
        why: "x".to_owned(),
    }
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let pause = (0_u64..100_000_000).prop_map(Duration::from_millis);
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Obsolete),
        prop::option::of(pause.clone()).prop_map(unavailable),
        Just(failed()),
        pause.clone().prop_map(|after| Outcome::Busy { after }),
        pause.prop_map(|after| Outcome::Paused {
            after,
            why: "later"
        }),
        Just(Outcome::Hopeless {
            why: "no".to_owned()
        }),
    ]
}

#[test]
fn last_attempt_that_fails_goes_to_the_dead_letters() {
    let reason = "12 attempts: x".to_owned();
    assert_eq!(
        POLICY.judge(&failed(), 12, YOUNG, DELAY),
        Verdict::DeadLetter { reason }
    );
    let again = Verdict::Again {
        after: DELAY,
        reason: RetryReason::Failed,
        counts: true,
    };
    assert_eq!(POLICY.judge(&failed(), 11, YOUNG, DELAY), again);
}

#[test]
fn outage_uses_up_no_attempt_and_ends_by_age() {
    let again = Verdict::Again {
        after: DELAY,
        reason: RetryReason::Throttled,
        counts: false,
    };
    assert_eq!(
        POLICY.judge(&unavailable(None), u32::MAX, YOUNG, DELAY),
        again
    );
    let reason = "given up after 168 h: busy".to_owned();
    let verdict = POLICY.judge(&unavailable(None), 1, POLICY.age_max, DELAY);
    assert_eq!(verdict, Verdict::DeadLetter { reason });
}

#[test]
fn hint_counts_when_it_is_longer_and_within_its_bound() {
    let after = |hint| match POLICY.judge(&unavailable(Some(hint)), 1, YOUNG, DELAY) {
        Verdict::Again { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(after(Duration::from_secs(3)), DELAY);
    assert_eq!(after(Duration::from_secs(30)), Duration::from_secs(30));
    assert_eq!(after(Duration::MAX), POLICY.hint_max);
}

#[test]
fn done_is_done_however_old() {
    assert_eq!(
        POLICY.judge(&Outcome::Done, 99, Duration::MAX, DELAY),
        Verdict::Done
    );
    assert_eq!(
        POLICY.judge(&Outcome::Obsolete, 99, Duration::MAX, DELAY),
        Verdict::Obsolete
    );
}

#[test]
fn f26_what_only_waits_for_a_person_is_given_up_later() {
    let why = "the channel is archived".to_owned();
    let archived = Outcome::Resting { after: None, why };
    let refused = Outcome::Unavailable {
        after: None,
        reason: RetryReason::Paused,
        why: "the token is revoked".to_owned(),
    };
    for outcome in [archived, refused] {
        let at = |age| POLICY.judge(&outcome, 1, age, DELAY);
        assert!(matches!(
            at(POLICY.age_max),
            Verdict::Again { counts: false, .. }
        ));
        let Verdict::DeadLetter { reason } = at(POLICY.rest_max) else {
            panic!("{outcome:?} is never given up");
        };
        assert!(reason.contains("720 h"), "{reason}");
    }
}

#[test]
fn labels_are_a_closed_set_of_different_words() {
    let words: std::collections::BTreeSet<_> =
        RetryReason::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(words.len(), RetryReason::ALL.len());
}

proptest! {
    #[test]
    fn every_outcome_has_its_verdict(
        outcome in any_outcome(),
        attempt: u32,
        age_s in 0_u64..4_000_000,
        delay_ms in 0_u64..1_000_000,
    ) {
        let (age, delay) = (Duration::from_secs(age_s), Duration::from_millis(delay_ms));
        let verdict = POLICY.judge(&outcome, attempt, age, delay);
        let is_waiting = matches!(
            outcome,
            Outcome::Resting { .. } | Outcome::Unavailable { reason: RetryReason::Paused, .. }
        );
        let is_old = age >= if is_waiting { POLICY.rest_max } else { POLICY.age_max };
        match (&outcome, &verdict) {
            (Outcome::Done, Verdict::Done) | (Outcome::Obsolete, Verdict::Obsolete) => {}
            (Outcome::Hopeless { why }, Verdict::DeadLetter { reason }) => prop_assert_eq!(why, reason),
            (_, Verdict::DeadLetter { .. }) => {
                let is_used_up = matches!(outcome, Outcome::Failed { .. }) && attempt >= POLICY.attempts_max;
                prop_assert!(is_old || is_used_up);
            }
            (Outcome::Unavailable { after: hint, .. }, Verdict::Again { after, counts, .. }) => {
                let hint = hint.unwrap_or_default();
                prop_assert!(!is_old && !counts);
                prop_assert!(*after >= delay, "never earlier than the schedule");
                prop_assert!(*after >= hint.min(POLICY.hint_max), "never earlier than the hint");
                prop_assert!(*after <= delay.max(POLICY.hint_max), "within the bound");
                prop_assert!(*after == delay || *after == hint || *after == POLICY.hint_max);
            }
            (Outcome::Failed { .. }, Verdict::Again { after, counts, .. }) => {
                prop_assert!(!is_old && *counts && attempt < POLICY.attempts_max);
                prop_assert_eq!(*after, delay);
            }
            (Outcome::Busy { after: asked } | Outcome::Paused { after: asked, .. }, Verdict::Again { after, counts, .. }) => {
                prop_assert!(!is_old && !counts);
                prop_assert_eq!(after, asked);
            }
            (Outcome::Resting { after: asked, .. }, Verdict::Again { after, counts, .. }) => {
                prop_assert!(!is_old && !counts);
                prop_assert_eq!(*after, asked.unwrap_or(delay));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
