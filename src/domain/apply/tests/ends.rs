//! Ending: who may, what is repeated, and what is never left running.

use crate::domain::meeting::Wish;
use crate::domain::{Fact, Job, Refusal, RequestId, State};

use super::facts::*;
use super::relay::{Relay, kinds, published};

#[test]
fn starter_ends_the_meeting_at_once() {
    let mut relay = Relay::opened();
    let applied = relay.tell(60, end_requested("ana"));
    assert!(published(&applied, &Job::EndRoom { tried: 0 }));
    assert!(!relay.owes("CheckRight"));
    assert!(relay.view().is_ending);
    assert_eq!(relay.state(), State::Open, "wanted is not ended");
}

#[test]
fn end_asked_by_another_owes_the_check_of_their_right() {
    let mut relay = Relay::opened();
    let applied = relay.tell(60, end_requested("bob"));
    assert_eq!(kinds(&applied), ["CheckRight"]);
    assert!(!relay.owes("EndRoom") && !relay.view().is_ending);
}

#[test]
fn allowed_end_ends_the_room_and_needs_no_answer() {
    let mut relay = Relay::opened();
    let request = RequestId::from(relay.tell(60, end_requested("bob")).event);
    let meeting = meeting_id(1);
    let applied = relay.tell(61, Fact::EndAllowed { meeting, request });
    assert!(published(&applied, &Job::EndRoom { tried: 0 }));
    assert!(!relay.owes("CheckRight") && !relay.owes("Answer"));
}

#[test]
fn refused_end_ends_nothing_and_is_answered() {
    let mut relay = Relay::opened();
    let request = RequestId::from(relay.tell(60, end_requested("bob")).event);
    let meeting = meeting_id(1);
    let applied = relay.tell(61, Fact::EndRefused { meeting, request });
    assert!(published(&applied, &Job::Answer { request }));
    assert!(!relay.owes("EndRoom") && !relay.owes("CheckRight"));
    assert_eq!(
        relay.meeting().request(request).unwrap().wish,
        Wish::EndRefused
    );
}

#[test]
fn administrators_end_needs_no_check() {
    let mut relay = Relay::opened();
    let meeting = meeting_id(1);
    let applied = relay.tell(60, Fact::EndOrdered { meeting });
    assert!(published(&applied, &Job::EndRoom { tried: 0 }));
}

#[test]
fn end_is_repeated_until_it_is_told() {
    let mut relay = Relay::opened();
    relay.tell(60, end_requested("ana"));
    let applied = relay.tell(61, end_tried(false));
    assert!(published(&applied, &Job::EndRoom { tried: 1 }));
    assert_eq!(relay.due("EndRoom"), Some(76), "15 s after the last try");
    relay.tell(77, end_tried(false));
    assert_eq!(relay.due("EndRoom"), Some(92));
    relay.tell(80, session_ended("A", 0, 76));
    assert!(!relay.owes("EndRoom"));
    assert_eq!(relay.state(), State::Missed);
}

#[test]
fn room_that_is_not_found_is_ended() {
    let mut relay = Relay::opened();
    relay.tell(60, end_requested("ana"));
    relay.tell(61, end_tried(true));
    assert_eq!(relay.state(), State::Missed);
    assert!(!relay.owes("EndRoom") && !relay.owes("PollRoom"));
    assert!(relay.view().ended.unwrap().is_about);
}

#[test]
fn end_before_any_room_is_sent_all_the_same_and_cancels() {
    let mut relay = Relay::started();
    let applied = relay.tell(1, end_requested("ana"));
    assert!(published(&applied, &Job::EndRoom { tried: 0 }));
    assert!(!relay.owes("CreateRoom"));
    relay.tell(2, end_tried(true));
    assert_eq!(relay.state(), State::Cancelled);
    assert!(!relay.owes("EndRoom") && !relay.owes("CreateRoom"));
}

#[test]
fn cancelled_meeting_is_never_too_late() {
    let mut relay = Relay::started();
    relay.tell(1, end_requested("ana"));
    relay.tell(1000, end_tried(true));
    assert_eq!(relay.state(), State::Cancelled);
}

#[test]
fn room_that_shows_up_after_the_cancelling_is_ended_again() {
    let mut relay = Relay::started();
    relay.tell(1, end_requested("ana"));
    relay.tell(2, end_tried(true));
    let applied = relay.tell(3, room_created("A", 0));
    assert!(kinds(&applied).contains(&"EndRoom"));
    assert!(relay.view().is_ending);
    relay.tell(20, end_tried(true));
    assert_eq!(relay.state(), State::Missed);
    assert!(!relay.owes("EndRoom"));
}

#[test]
fn stray_session_of_an_ended_meeting_is_ended() {
    let mut relay = Relay::opened();
    relay.tell(100, session_ended("A", 0, 90));
    let session = session_of("B", 120, 120);
    let applied = relay.tell(130, Fact::SessionSeen { session });
    assert!(published(&applied, &Job::EndRoom { tried: 0 }));
}

#[test]
fn stray_session_of_a_failed_meeting_is_ended() {
    let mut relay = Relay::started();
    let reason = Refusal::GaveUp;
    let meeting = meeting_id(1);
    relay.tell(3, Fact::RoomRefused { meeting, reason });
    let session = session_of("A", 5, 5);
    let applied = relay.tell(9, Fact::SessionSeen { session });
    assert!(published(&applied, &Job::EndRoom { tried: 0 }));
    assert_eq!(relay.state(), State::Failed, "the person was told so");
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
