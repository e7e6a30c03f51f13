//! Which of two facts counts, and what is published late.

use crate::domain::{Job, State};

use super::interleavings::facts::*;
use super::interleavings::relay::{Relay, at, published, secs};

#[test]
fn session_ended_beats_room_finished_which_beats_the_poll_in_every_order() {
    let facts = [
        session_ended("A", 0, 90),
        room_finished("A", 95),
        polled("A", true),
    ];
    let best = |known: &[usize]| {
        if known.contains(&0) {
            (peer(90), false)
        } else if known.contains(&1) {
            (peer(95), false)
        } else {
            (at(300), true)
        }
    };
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut relay = Relay::opened();
        for count in 1..=3 {
            relay.tell(300, facts[order[count - 1]].clone());
            let ended = relay.view().ended.unwrap();
            assert_eq!((ended.at, ended.is_about), best(&order[..count]));
        }
    }
}

#[test]
fn start_is_the_create_answers_else_what_was_announced() {
    let mut relay = Relay::started();
    relay.tell(5, joined("A", "PA_1", "u-bob", "Bob", 4));
    assert_eq!(relay.view().started_at, None, "LiveKit's time is another");
    relay.tell(6, session_ended("A", 1, 60));
    assert_eq!(relay.view().started_at, Some(peer(1)));
    relay.tell(7, room_created("A", 0));
    assert_eq!(relay.view().started_at, Some(peer(0)));
}

#[test]
fn f18_an_end_before_the_beginning_gives_way_to_our_clock() {
    let mut relay = Relay::opened();
    relay.tell(60, session_ended("A", 0, -30));
    let view = relay.view();
    let (began, ended) = (view.started_at.unwrap(), view.ended.unwrap());
    assert!(ended.at > began);
    assert_eq!(ended.lasted, Some(ended.at.since(began)));
}

#[test]
fn late_event_of_an_ended_session_ends_nothing_again() {
    let mut relay = Relay::opened();
    relay.tell(100, session_ended("A", 0, 90));
    relay.tell(101, joined("A", "PA_1", "u-bob", "Bob", 20));
    relay.tell(102, room_finished("A", 91));
    assert!(!relay.owes("EndRoom"));
    assert_eq!(relay.state(), State::Ended);
}

#[test]
fn job_that_has_come_near_is_published_with_the_next_fact() {
    let mut relay = Relay::opened();
    relay.policy.publish_ahead = secs(30);
    relay.show_card();
    relay.tell(3, polled("A", false));
    assert_eq!(relay.due("PollRoom"), Some(123));
    assert_eq!(relay.meeting().wake_at, Some(at(123)));
    // Facts that go on coming put the wake-up off, so one of them must bring the job.
    let job = Job::PollRoom { polled: 1 };
    let far = relay.tell(90, joined("A", "PA_1", "u-bob", "Bob", 80));
    assert!(!published(&far, &job));
    let near = relay.tell(100, joined("A", "PA_2", "u-cem", "Cem", 90));
    assert!(published(&near, &job));
    let then = relay.tell(101, joined("A", "PA_3", "u-dee", "Dee", 95));
    assert!(!published(&then, &job), "once");
}
