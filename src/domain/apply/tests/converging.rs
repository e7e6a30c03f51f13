//! Whatever the order, however often: the same card. Whatever is lost: nothing untrue, and an end.

use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::domain::card::{CardFrame, render};
use crate::domain::meeting::CardView;
use crate::domain::{Event, Fact, Rendered, State};

use super::bench::{Bench, at, event, polled};
use super::life::{Life, life};

/// The card after `events`. What a job learns of an artifact waits until the artifact is known: there is no such
/// job before.
fn card_after(request: &Event, events: &[&Event]) -> (CardView, Rendered) {
    let mut bench = Bench::new();
    bench.apply(request);
    let mut waiting: Vec<&Event> = Vec::new();
    for event in events {
        if is_too_early(&bench, event) {
            waiting.push(event);
            continue;
        }
        bench.apply(event);
        waiting.retain(|event| {
            let waits = is_too_early(&bench, event);
            if !waits {
                bench.apply(event);
            }
            waits
        });
    }
    let frame = CardFrame {
        join_link: "https://relay.example.org/join/T".to_owned(),
        starter_name: None,
        time_zone: TimeZone::UTC,
        late: None,
    };
    let view = bench.view();
    let rendered = render(&view, &frame);
    (view, rendered)
}

fn is_too_early(bench: &Bench, event: &Event) -> bool {
    matches!(&event.fact, Fact::SummaryRead { artifact, .. }
        if !bench.meeting().artifacts.contains_key(artifact))
}

fn all(life: &Life) -> Vec<&Event> {
    std::iter::once(&life.answer)
        .chain(&life.told)
        .chain(&life.learned)
        .collect()
}

/// A life with its events in any order, some of them twice or more.
fn shuffled(is_over: bool) -> impl Strategy<Value = (Life, Vec<usize>)> {
    (life(is_over), prop::collection::vec(any::<Index>(), 0..12)).prop_flat_map(
        |(life, doubled)| {
            let count = all(&life).len();
            let mut order: Vec<usize> = (0..count).collect();
            order.extend(doubled.iter().map(|index| index.index(count)));
            (Just(life), Just(order).prop_shuffle())
        },
    )
}

/// A life of which any of plugNmeet's events may be lost, in any order, with a poll that sees the end somewhere.
fn lossy() -> impl Strategy<Value = (Life, Vec<usize>, Index)> {
    life(true).prop_flat_map(|life| {
        let count = life.told.len();
        let kept = prop::sample::subsequence((0..count).collect::<Vec<_>>(), 0..=count);
        let order = prop_oneof![kept.clone(), kept.prop_shuffle()];
        (Just(life), order, any::<Index>())
    })
}

proptest! {
    #[test]
    fn any_order_of_an_ended_meeting_gives_the_same_card((life, order) in shuffled(true)) {
        let events = all(&life);
        let expected = card_after(&life.request, &events);
        prop_assert!(matches!(expected.0.state, State::Ended | State::Missed));
        let shuffled: Vec<&Event> = order.iter().map(|index| events[*index]).collect();
        prop_assert_eq!(card_after(&life.request, &shuffled), expected);
    }

    #[test]
    fn any_order_of_a_running_meeting_gives_the_same_card((life, order) in shuffled(false)) {
        let events = all(&life);
        let expected = card_after(&life.request, &events);
        prop_assert!(matches!(expected.0.state, State::Open | State::Live));
        let shuffled: Vec<&Event> = order.iter().map(|index| events[*index]).collect();
        prop_assert_eq!(card_after(&life.request, &shuffled), expected);
    }

    #[test]
    fn complete_story_is_told_exactly(life in life(true)) {
        let (view, _) = card_after(&life.request, &all(&life));
        let truth = &life.truth;
        prop_assert_eq!(view.people, truth.people.len());
        prop_assert_eq!(view.started_at, Some(truth.started_at));
        let ended = view.ended.unwrap();
        prop_assert!(!ended.is_about);
        prop_assert_eq!(ended.lasted, Some(ended.at.since(truth.started_at)));
        prop_assert_eq!(ended.lasted.unwrap().as_secs() + 1, truth.length.as_secs());
        prop_assert_eq!([view.recordings, view.summaries], truth.artifacts);
        prop_assert_eq!(view.state == State::Missed, truth.people.is_empty());
    }

    #[test]
    fn lossy_story_ends_and_says_nothing_untrue((life, order, poll_at) in lossy()) {
        let mut bench = Bench::new();
        bench.apply(&life.request);
        bench.apply(&life.answer);
        let truth = &life.truth;
        let poll_at = poll_at.index(order.len() + 1);
        let mut polls = Vec::new();
        let mut poll = |bench: &mut Bench| {
            let seen_at = truth.over_at.plus(Duration::from_secs(60 + polls.len() as u64));
            polls.push(seen_at);
            let sid = bench.meeting().newest_session().unwrap().sid.clone();
            bench.apply(&event(polled(&sid, true), seen_at));
        };
        let mut is_told = false;
        for (index, told) in order.iter().enumerate() {
            if index == poll_at {
                poll(&mut bench);
                is_told = true;
            }
            let told = &life.told[*told];
            is_told |= matches!(told.fact, Fact::SessionEnded { .. });
            bench.apply(told);
            prop_assert!(is_told || bench.state().is_running(), "ended before anything said so");
        }
        // As long as it runs it is asked again.
        for _ in 0..3 {
            if bench.state().is_running() {
                poll(&mut bench);
            }
        }
        let view = bench.view();
        prop_assert!(matches!(view.state, State::Ended | State::Missed), "{:?}", view.state);
        prop_assert_eq!(view.state == State::Missed, view.people == 0);
        prop_assert!(view.names.iter().all(|name| name == "Guest" || truth.names.contains(name)));
        prop_assert!(view.people <= truth.people.len());
        prop_assert_eq!(view.names.len(), view.people);
        let ended = view.ended.unwrap();
        let lasted = ended.lasted.unwrap();
        prop_assert_eq!(lasted, ended.at.since(view.started_at.unwrap()), "times of one clock");
        if ended.is_about {
            prop_assert!(polls.contains(&ended.at));
            prop_assert!(lasted <= ended.at.since(at(0)));
        } else {
            prop_assert!(truth.ends.contains(&ended.at));
            prop_assert_eq!(view.started_at, Some(truth.started_at));
            prop_assert!(lasted <= truth.length + Duration::from_secs(2));
        }
        prop_assert!(view.recordings <= truth.artifacts[0] && view.summaries == 0);
        prop_assert!(!view.is_recording && !view.is_ending && view.present == 0);
        prop_assert_eq!(view.refused, None);
    }
}
