//! The card is always true: late, doubled and reordered webhooks converge to the same card; after lost ones it
//! still ends and says nothing untrue.
//!
//! Beside plugNmeet's story (`converging`) people and the relay act here: second starts, wishes to end, refused
//! creates, wake-ups; and the card is held against the truth after every single event.

pub(super) mod facts;
mod life;
mod notices;
pub(super) mod relay;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::domain::meeting::CardView;
use crate::domain::{Event, Fact, Job, State};

use self::facts::*;
use self::life::{FIRST_END, Life, SECOND, Step, lives};
use self::relay::{Relay, at, mins};

/// Every event of a life is received before this second.
const AFTER_ALL: i64 = 9_000;

/// A life, an order of its events in which some stand more than once, and which webhooks are lost.
#[derive(Debug, Clone)]
struct Run {
    life: Life,
    order: Vec<Step>,
}

fn runs(loses: bool) -> impl Strategy<Value = Run> {
    let dice = prop::collection::vec(any::<Index>(), 0..20);
    let lost = prop::collection::vec(any::<bool>(), 200);
    (lives(), dice, lost).prop_flat_map(move |(life, dice, lost)| {
        let mut steps = life.steps();
        steps.remove(0);
        let mut kept = steps
            .iter()
            .zip(lost)
            .filter(|(step, is_lost)| !(loses && step.is_webhook && *is_lost))
            .map(|(step, _)| step.clone())
            .collect::<Vec<_>>();
        let doubles: Vec<Step> = dice.iter().map(|dice| dice.get(&kept).clone()).collect();
        kept.extend(doubles);
        (Just(life), Just(kept).prop_shuffle()).prop_map(|(life, order)| Run { life, order })
    })
}

/// Feeds the request, then `order`. A step whose needs are not met waits until they are, because the job that
/// reports it is owed only then; one whose needs are never met did not happen. `look` sees every state between.
fn play(
    life: &Life,
    order: &[Step],
    mut look: impl FnMut(&Relay, &[Event]) -> Result<(), TestCaseError>,
) -> Result<Relay, TestCaseError> {
    let mut relay = Relay::new();
    let mut heard = Vec::new();
    relay.apply(&patient(&life.steps()[0].event));
    let mut waiting: Vec<&Step> = order.iter().collect();
    while let Some(next) = waiting.iter().position(|step| step.needs.are_met(&relay)) {
        let step = waiting.remove(next);
        // Nothing is applied before it was received.
        relay.now = at(AFTER_ALL + heard.len() as i64);
        relay.apply(&step.event);
        heard.push(step.event.clone());
        look(&relay, &heard)?;
    }
    Ok(relay)
}

/// The request with a rule whose worth does not pass: what that does to a meeting is claimed in `starts`.
fn patient(request: &Event) -> Event {
    let mut request = request.clone();
    if let Fact::MeetingRequested { rule, .. } = &mut request.fact {
        rule.start_deadline = mins(10_000);
    }
    request
}

fn play_to_the_end(life: &Life, order: &[Step]) -> Result<CardView, TestCaseError> {
    Ok(play(life, order, |_, _| Ok(()))?.view())
}

/// Does the conference jobs that are owed, on a plugNmeet that runs nothing any more.
fn settle(relay: &mut Relay) {
    for pass in 0..50 {
        let seconds = 10_000 + pass * 200;
        let Some(fact) = relay.owed().iter().find_map(|owed| match &owed.job {
            Job::PollRoom { .. } => {
                let newest = relay.meeting().newest_session()?.sid.clone();
                Some(polled(newest.as_str(), true))
            }
            Job::EndRoom { .. } => Some(end_tried(true)),
            Job::FetchArtifact { artifact } => Some(summary_read(artifact.as_str())),
            _ => None,
        }) else {
            return;
        };
        relay.tell(seconds, fact);
    }
}

fn is_end_of(event: &Event, sid: &str) -> bool {
    match &event.fact {
        Fact::SessionEnded { session, .. } => session.sid.as_str() == sid,
        Fact::RoomPolled {
            sid: polled, ended, ..
        } => *ended && polled.as_str() == sid,
        _ => false,
    }
}

/// Everybody of the meeting (no bots, nobody of a breakout room) whose coming or going was told.
fn told_people(heard: &[Event]) -> BTreeSet<&str> {
    heard
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::PersonJoined {
                session, identity, ..
            }
            | Fact::PersonLeft {
                session, identity, ..
            } => (session.room.as_ref() == Some(&room())).then_some(identity.as_str()),
            _ => None,
        })
        .filter(|identity| identity.starts_with("u-") || identity.starts_with("g-"))
        .collect()
}

/// Nothing untrue: everything shown was, and was told.
fn check_truth(life: &Life, relay: &Relay, heard: &[Event]) -> Result<(), TestCaseError> {
    let view = relay.view();
    let people = life.people();
    let truths: BTreeSet<&str> = people.values().copied().chain(["Guest"]).collect();
    for name in &view.names {
        prop_assert!(truths.contains(name.as_str()), "{name} never joined");
    }
    prop_assert_eq!(
        view.people,
        told_people(heard).len(),
        "everybody told of, once"
    );
    prop_assert!(view.present <= view.people);
    prop_assert!(view.recordings <= life.recordings());
    prop_assert!(view.summaries <= life.summaries());
    let is_over = !view.state.is_running();
    prop_assert!(!is_over || (view.present == 0 && !view.is_recording && !view.is_ending));

    let is_known = |sid: &str| {
        relay
            .meeting()
            .sessions
            .iter()
            .any(|s| s.sid.as_str() == sid)
    };
    if let Some(newest) = ["B", "A"].into_iter().find(|sid| is_known(sid)) {
        let is_told = heard.iter().any(|event| is_end_of(event, newest));
        let is_refused = view.state == State::Failed;
        prop_assert!(
            !is_over || is_told || is_refused,
            "shown ended while it runs"
        );
        let has_people = view.people > 0;
        prop_assert_eq!(
            matches!(view.state, State::Live | State::Ended),
            has_people && !is_refused
        );
    } else {
        prop_assert!(matches!(view.state, State::Creating | State::Failed));
    }
    if let Some(ended) = view.ended.filter(|ended| !ended.is_about) {
        let ends = [0, 1, 7].map(|late| [FIRST_END + late, SECOND.1 + late].map(peer));
        prop_assert!(ends.as_flattened().contains(&ended.at));
        prop_assert!(ended.lasted.is_none_or(|lasted| lasted.as_secs() <= 607));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_interleaving_and_doubling_gives_the_same_card(run in runs(false)) {
        let orderly = play_to_the_end(&run.life, &run.life.steps()[1..])?;
        let view = play_to_the_end(&run.life, &run.order)?;
        prop_assert_eq!(&view, &orderly);

        let people = run.life.people();
        let state = if people.is_empty() { State::Missed } else { State::Ended };
        prop_assert_eq!(view.state, state);
        prop_assert_eq!(view.people, people.len());
        prop_assert_eq!(view.recordings, run.life.recordings());
        prop_assert_eq!(view.summaries, run.life.summaries());
        prop_assert_eq!(view.started_at, Some(peer(0)));
        let ended = view.ended.unwrap();
        prop_assert_eq!(ended.at, run.life.ended_at());
        prop_assert!(!ended.is_about);
        prop_assert_eq!(ended.lasted, Some(run.life.ended_at().since(peer(0))));
        prop_assert_eq!(view.starter, "ana");
        prop_assert!(view.refused.is_none());
    }

    #[test]
    fn nothing_untrue_is_shown_in_between(run in runs(false)) {
        play(&run.life, &run.order, |relay, heard| check_truth(&run.life, relay, heard))?;
    }

    #[test]
    fn card_ends_and_says_nothing_untrue_whatever_webhooks_are_lost(run in runs(true)) {
        let mut relay = play(&run.life, &run.order, |relay, heard| check_truth(&run.life, relay, heard))?;
        settle(&mut relay);
        let view = relay.view();
        let state = if view.people == 0 { State::Missed } else { State::Ended };
        prop_assert_eq!(view.state, state);
        prop_assert!(view.ended.is_some() && view.present == 0 && !view.is_recording);
        // Artifacts are asked for, so lost webhooks hide none.
        prop_assert_eq!(view.recordings, run.life.recordings());
        prop_assert_eq!(view.summaries, run.life.summaries());
        // The making of the room is our own knowledge, and so is when it was seen gone.
        let (began, ended) = (view.started_at.unwrap(), view.ended.unwrap());
        prop_assert!(ended.is_about || began == peer(0));
        prop_assert_eq!(ended.lasted, Some(ended.at.since(began)), "times of one clock");
        let truths = run.life.people();
        prop_assert!(view.people <= truths.len());
    }

    #[test]
    fn order_of_a_lossy_meeting_does_not_matter_either(run in runs(true)) {
        let mut sorted = run.order.clone();
        sorted.sort_by_key(|step| step.event.received_at);
        let view = play_to_the_end(&run.life, &run.order)?;
        prop_assert_eq!(view, play_to_the_end(&run.life, &sorted)?);
    }

    #[test]
    fn order_of_a_running_meeting_does_not_matter_either(run in runs(true)) {
        // Who is present, what is recorded and whether the end is wanted show only while it runs.
        // (After a refusal the order decides whether the room is ended as a stray one.)
        let mut order = run.order.clone();
        order.retain(|step| {
            let is_refusal = matches!(step.event.fact, Fact::RoomRefused { .. });
            !is_refusal && !is_end_of(&step.event, "A") && !is_end_of(&step.event, "B")
        });
        let view = play_to_the_end(&run.life, &order)?;
        prop_assert!(view.state.is_running());
        order.sort_by_key(|step| step.event.received_at);
        prop_assert_eq!(view, play_to_the_end(&run.life, &order)?);
    }

    #[test]
    fn every_running_state_is_looked_after(run in runs(true)) {
        // Whatever was lost and in whatever order the rest came: a meeting that is not over has a wake-up.
        play(&run.life, &run.order, |relay, _| {
            let meeting = relay.meeting();
            prop_assert!(!meeting.state().is_running() || meeting.wake_at.is_some());
            prop_assert_eq!(relay.owed().is_empty(), meeting.wake_at.is_none());
            Ok(())
        })?;
    }
}
