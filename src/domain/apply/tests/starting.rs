//! Starts, second starts, and starts that fail.

use crate::domain::meeting::RequestPurpose;
use crate::domain::{Conversation, Fact, Refusal, State};

use super::bench::{
    Bench, MINUTE, at, created, end, keys, meeting, place, request, request_id, session, start,
};

fn refused(reason: Refusal) -> Fact {
    let meeting = meeting(1);
    Fact::RoomRefused {
        meeting,
        reason,
        for_now: false,
    }
}

fn woken(round: u32) -> Fact {
    let meeting = meeting(1);
    Fact::Woken { meeting, round }
}

#[test]
fn request_founds_a_meeting_that_wants_a_room_and_then_a_card() {
    let mut bench = Bench::new();
    let applied = bench.apply(&request(1, "ana", at(0)));
    assert_eq!(keys(&applied.publish), ["CreateRoom:room", "RefreshCard:1"]);
    assert_eq!(applied.publish[0].due, at(0));
    assert_eq!(applied.publish[1].due, at(2), "a quick room comes first");
    assert_eq!(applied.meeting, Some((meeting(1), 0)));
    assert_eq!(bench.state(), State::Creating);
    assert_eq!(bench.meeting().starter().unwrap().user_name, "ana");
}

#[test]
fn person_who_read_of_a_meeting_that_was_over_is_told_of_the_new_one() {
    for (named, is_answered) in [(None, false), (Some(meeting(9)), true)] {
        let mut bench = Bench::new();
        let mut asked = request(1, "ana", at(0));
        if let Fact::MeetingRequested { told, .. } = &mut asked.fact {
            *told = named;
        }
        let publish = keys(&bench.apply(&asked).publish);
        let answer = format!("Answer:{}", request_id(1));
        assert_eq!(publish.contains(&answer), is_answered, "{publish:?}");
    }
}

#[test]
fn card_is_due_at_once_when_the_room_is_there() {
    let mut bench = Bench::requested();
    let applied = bench.learn(created("s1", at(1)), at(1));
    assert_eq!(keys(&applied.publish), ["RefreshCard:2"]);
    assert_eq!(applied.publish[0].due, at(1));
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn second_start_becomes_an_alias_of_the_running_meeting() {
    let mut bench = Bench::requested();
    let applied = bench.apply(&request(2, "bob", at(5)));
    assert_eq!(bench.meetings.len(), 1);
    assert_eq!(applied.meeting, Some((meeting(1), 0)));
    assert_eq!(
        keys(&applied.publish),
        [format!("Answer:{}", request_id(2))]
    );
    let alias = bench.meeting().request(request_id(2)).unwrap();
    assert_eq!(alias.purpose, RequestPurpose::StartWhileRunning);
    assert_eq!(bench.view().starter, "ana");
}

#[test]
fn start_new_makes_another_meeting_all_the_same() {
    let mut bench = Bench::open();
    bench.apply(&start(2, "bob", at(5), true, place()));
    assert_eq!(bench.meetings.len(), 2);
    assert_ne!(bench.meetings[0].room, bench.meetings[1].room);
    assert_eq!(bench.meeting().requests.len(), 1);
}

#[test]
fn each_thread_has_its_own_meeting() {
    let mut bench = Bench::open();
    let thread = Some("root".parse().unwrap());
    bench.apply(&start(
        2,
        "bob",
        at(5),
        false,
        Conversation { thread, ..place() },
    ));
    assert_eq!(bench.meetings.len(), 2);
}

#[test]
fn meeting_that_is_being_ended_is_not_offered() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "ana", at(5)));
    bench.apply(&request(3, "bob", at(6)));
    assert_eq!(bench.meetings.len(), 2);
}

#[test]
fn meeting_whose_room_never_came_is_not_offered() {
    let mut bench = Bench::requested();
    bench.apply(&request(2, "bob", at(901)));
    assert_eq!(bench.meetings.len(), 2);
}

#[test]
fn request_fails_when_its_worth_has_passed() {
    let mut bench = Bench::requested();
    bench.learn(woken(0), at(900));
    assert_eq!(bench.state(), State::Creating);
    let applied = bench.learn(woken(1), at(901));
    assert_eq!(bench.state(), State::Failed);
    assert_eq!(bench.view().refused, Some(Refusal::TooLate));
    assert_eq!(
        keys(&applied.publish),
        ["RefreshCard:2"],
        "no room is made any more"
    );
}

#[test]
fn request_that_lay_too_long_fails_at_once() {
    let mut bench = Bench::new();
    bench.now = at(0).plus(16 * MINUTE);
    let applied = bench.apply(&request(1, "ana", at(0)));
    assert_eq!(bench.view().refused, Some(Refusal::TooLate));
    assert_eq!(keys(&applied.publish), ["RefreshCard:1"]);
}

#[test]
fn waiting_request_is_woken_in_time_even_if_it_owes_nothing() {
    let mut bench = Bench::requested();
    for job in ["CreateRoom:room", "RefreshCard:1"] {
        let (meeting, job) = (meeting(1), job.to_owned());
        bench.learn(Fact::JobGivenUp { meeting, job }, at(3));
    }
    assert!(bench.owes().is_empty());
    assert_eq!(bench.meeting().wake_at, Some(at(901)));
}

#[test]
fn refusal_fails_the_meeting_with_its_first_reason() {
    let mut bench = Bench::requested();
    bench.learn(refused(Refusal::Unauthorized), at(1));
    bench.learn(refused(Refusal::GaveUp), at(2));
    assert_eq!(bench.state(), State::Failed);
    assert_eq!(bench.view().refused, Some(Refusal::Unauthorized));
    assert_eq!(bench.owes(), ["RefreshCard:2"]);
}

#[test]
fn refusal_of_a_room_that_is_there_is_no_failure() {
    let mut bench = Bench::open();
    bench.learn(refused(Refusal::Refused), at(2));
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn room_that_shows_up_after_the_failure_is_ended_and_the_card_says_so() {
    for came in [
        created("s1", at(1000)),
        Fact::SessionSeen {
            session: session("s1", at(1000)),
        },
    ] {
        let mut bench = Bench::requested();
        bench.learn(woken(0), at(901));
        let applied = bench.learn(came, at(1000));
        assert_eq!(
            bench.state(),
            State::Open,
            "it is there, so it did not fail"
        );
        assert!(bench.view().is_ending);
        assert!(keys(&applied.publish).contains(&"EndRoom:0".to_owned()));
    }
}

#[test]
fn replayed_create_gives_a_failed_meeting_another_chance() {
    let mut bench = Bench::requested();
    let (meeting, job) = (meeting(1), "CreateRoom:room".to_owned());
    bench.learn(
        Fact::JobGivenUp {
            meeting,
            job: job.clone(),
        },
        at(1),
    );
    bench.learn(refused(Refusal::GaveUp), at(1));
    let applied = bench.learn(
        Fact::JobReplayed {
            meeting,
            job,
            reset_age: false,
        },
        at(60),
    );
    assert_eq!(bench.state(), State::Creating);
    assert!(keys(&applied.publish).contains(&"CreateRoom:room".to_owned()));
}

#[test]
fn worth_without_measure_stops_nothing() {
    let mut bench = Bench::new();
    let mut request = request(1, "ana", at(0));
    if let Fact::MeetingRequested { rule, .. } = &mut request.fact {
        rule.start_deadline = std::time::Duration::MAX;
    }
    let applied = bench.apply(&request);
    assert_eq!(keys(&applied.publish), ["CreateRoom:room", "RefreshCard:1"]);
}
