//! Starting: once for each place, in time or not at all.

use crate::domain::apply::{Effect, Saying};
use crate::domain::meeting::Wish;
use crate::domain::{Fact, Job, Refusal, RequestId, RoomId, State, Via};

use super::facts::*;
use super::relay::{Relay, at, event, kinds, published};

fn new_requested(number: u128, name: &str) -> Fact {
    let Fact::MeetingRequested {
        meeting,
        place,
        by,
        via,
        rule,
        ..
    } = requested_by(number, name)
    else {
        unreachable!("requested_by makes a request");
    };
    Fact::MeetingRequested {
        meeting,
        place,
        by,
        via,
        rule,
        always_new: true,
    }
}

#[test]
fn request_makes_a_meeting_that_owes_its_room() {
    let mut relay = Relay::new();
    let applied = relay.tell(0, requested());
    assert_eq!(applied.effect, Effect::Applied);
    assert_eq!(relay.state(), State::Creating);
    assert_eq!(relay.meeting().version, 1);
    assert!(published(&applied, &Job::CreateRoom));
    assert_eq!(relay.meeting().room.as_str(), "mm-aaaaaaaaaaaaa");
}

#[test]
fn second_start_becomes_an_alias_and_is_answered() {
    for seconds_later in [1, 800] {
        let mut relay = if seconds_later < 10 {
            Relay::started()
        } else {
            Relay::opened()
        };
        let applied = relay.tell(seconds_later, requested_by(2, "bob"));
        assert_eq!(relay.meetings.len(), 1);
        let request = RequestId::from(applied.event);
        assert_eq!(applied.meeting, Some((meeting_id(1), 0)));
        assert_eq!(
            relay.meeting().request(request).unwrap().wish,
            Wish::StartWhileRunning
        );
        assert_eq!(kinds(&applied), ["Answer"]);
        assert_eq!(relay.view().starter, "ana", "the first one keeps it");
    }
}

#[test]
fn second_start_in_another_thread_is_a_meeting_of_its_own() {
    let mut relay = Relay::opened();
    let mut fact = requested_by(2, "bob");
    if let Fact::MeetingRequested { place: at, .. } = &mut fact {
        *at = place(Some("root"));
    }
    relay.tell(5, fact);
    assert_eq!(relay.meetings.len(), 2);
}

#[test]
fn start_new_makes_another_meeting_with_another_room() {
    let mut relay = Relay::opened();
    let applied = relay.tell(5, new_requested(2, "bob"));
    assert_eq!(applied.meeting, Some((meeting_id(2), 0)));
    assert_ne!(relay.meetings[&meeting_id(2)].room, relay.meeting().room);
    assert!(published(&applied, &Job::CreateRoom));
}

#[test]
fn start_after_the_end_is_a_new_meeting() {
    let mut relay = Relay::opened();
    relay.tell(60, session_ended("A", 0, 58));
    relay.tell(70, requested_by(2, "bob"));
    assert_eq!(relay.meetings.len(), 2);
}

#[test]
fn meeting_that_is_being_ended_is_not_offered() {
    let mut relay = Relay::opened();
    relay.tell(60, end_requested("ana"));
    relay.tell(61, requested_by(2, "bob"));
    assert_eq!(relay.meetings.len(), 2);
}

#[test]
fn create_is_owed_no_more_once_a_session_was_seen() {
    let mut relay = Relay::started();
    assert!(relay.owes("CreateRoom"));
    let session = session_of("A", 0, 0);
    relay.tell(1, Fact::SessionSeen { session });
    assert!(!relay.owes("CreateRoom"));
    assert_eq!(relay.state(), State::Open);
}

#[test]
fn request_past_its_worth_has_failed_too_late() {
    let mut relay = Relay::started();
    relay.tell(900, woken(&relay.meeting().clone()));
    assert_eq!(relay.state(), State::Creating, "worth it to the last");
    let version = relay.meeting().version;
    let applied = relay.tell(901, woken(&relay.meeting().clone()));
    assert_eq!(relay.state(), State::Failed);
    assert_eq!(relay.view().refused, Some(Refusal::TooLate));
    assert_eq!(relay.meeting().version, version + 1);
    assert!(!relay.owes("CreateRoom"));
    assert_eq!(kinds(&applied), ["RefreshCard"], "the person is told");
}

#[test]
fn sweep_comes_in_time_to_tell_that_it_is_too_late() {
    let mut relay = Relay::started();
    // After five wake-ups the pause is ten minutes: it would come nine minutes after the worth is over.
    for _ in 0..5 {
        relay.tell(300, woken(&relay.meeting().clone()));
    }
    relay.tell(840, woken(&relay.meeting().clone()));
    assert_eq!(relay.meeting().wake_at, Some(at(901)));
}

#[test]
fn start_offered_nothing_when_the_running_one_is_too_late() {
    let mut relay = Relay::started();
    relay.tell(1000, requested_by(2, "bob"));
    assert_eq!(relay.meetings.len(), 2);
}

#[test]
fn refused_room_fails_the_meeting_and_one_that_came_about_does_not() {
    let refused = || Fact::RoomRefused {
        meeting: meeting_id(1),
        reason: Refusal::Unauthorized,
    };
    let mut relay = Relay::started();
    relay.tell(3, refused());
    assert_eq!(relay.state(), State::Failed);
    assert_eq!(relay.view().refused, Some(Refusal::Unauthorized));
    assert!(!relay.owes("CreateRoom"));

    let mut relay = Relay::opened();
    relay.tell(3, refused());
    assert_eq!(relay.state(), State::Open);
}

#[test]
fn failed_start_is_tried_again_when_its_dead_letter_is_replayed() {
    let job = || Job::CreateRoom.key();
    let meeting = meeting_id(1);
    let reason = Refusal::GaveUp;
    let mut relay = Relay::started();
    relay.tell(3, Fact::RoomRefused { meeting, reason });
    relay.tell(
        3,
        Fact::JobGivenUp {
            meeting,
            job: job(),
        },
    );
    assert!(!relay.owes("CreateRoom"));
    let applied = relay.tell(
        60,
        Fact::JobReplayed {
            meeting,
            job: job(),
        },
    );
    assert_eq!(relay.state(), State::Creating);
    assert!(published(&applied, &Job::CreateRoom));
}

#[test]
fn doubled_request_makes_nothing_and_publishes_what_is_owed_again() {
    let mut relay = Relay::new();
    let request = event(1, 0, requested());
    let first = relay.apply(&request);
    let again = relay.apply(&request);
    assert_eq!(again.effect, Effect::Duplicate);
    assert_eq!(again.meeting, first.meeting);
    assert_eq!(again.publish, first.publish);
    assert_eq!(relay.meeting().requests.len(), 1);
}

#[test]
fn end_where_nothing_runs_is_answered_if_it_can_be() {
    let mut relay = Relay::new();
    let applied = relay.tell(0, end_requested("ana"));
    assert_eq!(applied.tell.unwrap().saying, Saying::NothingToEnd);
    let mute = Fact::EndRequested {
        place: place(None),
        by: person("ana"),
        via: Via::SlashCommand { hook: None },
    };
    assert!(relay.tell(1, mute).tell.is_none());
    assert!(relay.meetings.is_empty());
}

#[test]
fn rooms_that_we_did_not_make_are_foreign() {
    let mut relay = Relay::opened();
    let mut session = session("Z", 5);
    session.room = Some("somebodys-room".parse::<RoomId>().unwrap());
    let before = relay.meeting().clone();
    let applied = relay.tell(9, Fact::SessionSeen { session });
    assert_eq!(applied.effect, Effect::Foreign);
    assert!(applied.meeting.is_none() && applied.publish.is_empty());
    assert_eq!(*relay.meeting(), before);
}
