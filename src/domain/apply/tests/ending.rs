//! Who ends a meeting, and how its end becomes known.

use crate::domain::apply::{Effect, Saying};
use crate::domain::meeting::RequestPurpose;
use crate::domain::{Fact, State, TriggerSource};

use super::bench::{
    Bench, at, command, created, end, joined, keys, meeting, person, place, request_id, session,
    session_ended,
};

fn tried(gone: bool) -> Fact {
    let meeting = meeting(1);
    Fact::EndTried { meeting, gone }
}

#[test]
fn starter_ends_the_meeting_at_once() {
    let mut bench = Bench::open();
    let applied = bench.apply(&end(2, "ana", at(5)));
    assert_eq!(keys(&applied.publish), ["EndRoom:0", "RefreshCard:3"]);
    assert!(bench.view().is_ending);
    assert_eq!(bench.state(), State::Open, "nothing has ended yet");
}

#[test]
fn end_by_another_waits_for_their_right() {
    let mut bench = Bench::open();
    let applied = bench.apply(&end(2, "bob", at(5)));
    let check = format!("CheckRight:{}", request_id(2));
    assert_eq!(keys(&applied.publish).join(" "), check);
    assert!(!bench.view().is_ending);
    let (meeting, request) = (meeting(1), request_id(2));
    let applied = bench.learn(Fact::EndAllowed { meeting, request }, at(6));
    assert_eq!(keys(&applied.publish), ["EndRoom:0", "RefreshCard:3"]);
    assert!(!bench.owes().contains(&check));
}

#[test]
fn refused_end_is_answered_and_ends_nothing() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "bob", at(5)));
    let (meeting, request) = (meeting(1), request_id(2));
    let applied = bench.learn(Fact::EndRefused { meeting, request }, at(6));
    assert_eq!(keys(&applied.publish), [format!("Answer:{request}")]);
    assert_eq!(
        bench.meeting().request(request).unwrap().purpose,
        RequestPurpose::EndRefused
    );
    assert!(bench.meeting().end.is_none());
}

#[test]
fn person_who_waits_for_the_name_of_what_ends_is_answered_when_it_is_over() {
    let mut bench = Bench::open();
    let answer = format!("Answer:{}", request_id(2));
    let mut asked = end(2, "bob", at(5));
    if let Fact::EndRequested { told, .. } = &mut asked.fact {
        *told = None;
    }
    bench.apply(&asked);
    assert!(!bench.owes().contains(&answer));
    let applied = bench.learn(session_ended("s1", at(6)), at(6));
    assert!(keys(&applied.publish).contains(&answer));
}

#[test]
fn right_is_not_asked_about_a_meeting_that_is_over() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "bob", at(5)));
    bench.learn(session_ended("s1", at(6)), at(6));
    assert!(
        bench
            .owes()
            .iter()
            .all(|job| !job.starts_with("CheckRight"))
    );
}

#[test]
fn administrator_ends_by_command_line() {
    let mut bench = Bench::open();
    let applied = bench.learn(
        Fact::EndOrdered {
            meeting: meeting(1),
        },
        at(5),
    );
    assert!(keys(&applied.publish).contains(&"EndRoom:0".to_owned()));
}

#[test]
fn end_is_repeated_until_plugnmeet_says_so() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "ana", at(5)));
    bench.learn(tried(false), at(6));
    assert_eq!(bench.due("EndRoom:1"), 21);
    bench.learn(tried(false), at(21));
    assert_eq!(bench.due("EndRoom:2"), 36);
    bench.learn(session_ended("s1", at(30)), at(31));
    assert!(bench.owes().iter().all(|job| !job.starts_with("EndRoom")));
    assert_eq!(bench.state(), State::Missed);
}

#[test]
fn poll_that_saw_the_end_does_not_stop_telling_plugnmeet() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "ana", at(5)));
    bench.learn(tried(false), at(6));
    let (meeting, sid) = (meeting(1), "s1".parse().unwrap());
    let ended = true;
    bench.learn(
        Fact::RoomPolled {
            meeting,
            sid,
            ended,
        },
        at(7),
    );
    assert_eq!(bench.state(), State::Missed);
    assert_eq!(bench.due("EndRoom:1"), 21);
    bench.learn(tried(true), at(21));
    assert!(bench.owes().iter().all(|job| !job.starts_with("EndRoom")));
}

#[test]
fn end_that_was_given_up_before_any_room_cancels_the_meeting_until_it_is_replayed() {
    let mut bench = Bench::requested();
    bench.apply(&end(2, "ana", at(1)));
    let (meeting, job) = (meeting(1), "EndRoom:0".to_owned());
    let given_up = Fact::JobGivenUp {
        meeting,
        job: job.clone(),
    };
    bench.learn(given_up, at(9));
    assert_eq!(bench.state(), State::Cancelled);
    assert!(!bench.view().state.is_running(), "its place is free again");
    let reset_age = true;
    bench.learn(
        Fact::JobReplayed {
            meeting,
            job,
            reset_age,
        },
        at(20),
    );
    assert!(bench.owes().contains(&"EndRoom:0".to_owned()));
    bench.learn(tried(true), at(21));
    assert_eq!(bench.state(), State::Cancelled);
}

#[test]
fn answer_that_the_room_is_gone_ends_the_meeting_about_then() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "ana", at(5)));
    bench.learn(tried(true), at(61));
    let ended = bench.view().ended.unwrap();
    assert!(ended.is_about);
    assert_eq!(ended.at, at(61));
}

#[test]
fn end_before_any_room_cancels_the_meeting() {
    let mut bench = Bench::requested();
    bench.apply(&end(2, "ana", at(1)));
    assert_eq!(bench.state(), State::Creating);
    assert_eq!(
        bench.owes(),
        ["EndRoom:0", "RefreshCard:2"],
        "a room is wanted no more"
    );
    bench.learn(tried(true), at(2));
    assert_eq!(bench.state(), State::Cancelled);
    assert_eq!(bench.owes(), ["RefreshCard:3"]);
}

#[test]
fn cancelled_meeting_does_not_fail_when_its_worth_passes() {
    let mut bench = Bench::requested();
    bench.apply(&end(2, "ana", at(1)));
    bench.learn(
        Fact::Woken {
            meeting: meeting(1),
            round: 0,
        },
        at(2000),
    );
    assert_eq!(bench.view().refused, None);
    bench.learn(tried(true), at(2001));
    assert_eq!(bench.state(), State::Cancelled);
}

#[test]
fn room_that_shows_up_after_the_cancellation_is_ended() {
    let mut bench = Bench::requested();
    bench.apply(&end(2, "ana", at(1)));
    bench.learn(tried(true), at(2));
    let applied = bench.learn(created("s1", at(3)), at(3));
    assert!(
        keys(&applied.publish)
            .iter()
            .any(|job| job.starts_with("RefreshCard"))
    );
    assert_eq!(bench.due("EndRoom:1"), 17);
    bench.learn(session_ended("s1", at(20)), at(20));
    assert_eq!(bench.state(), State::Missed);
}

#[test]
fn session_that_shows_up_on_an_ended_meeting_is_ended() {
    let mut bench = Bench::open();
    bench.learn(joined(session("s1", at(5)), "PA_1", "Ana"), at(5));
    bench.learn(session_ended("s1", at(60)), at(60));
    assert_eq!(bench.state(), State::Ended);
    let applied = bench.learn(
        Fact::SessionSeen {
            session: session("s2", at(90)),
        },
        at(90),
    );
    assert!(keys(&applied.publish).contains(&"EndRoom:0".to_owned()));
    assert!(bench.view().is_ending);
}

#[test]
fn nothing_to_end_is_told_and_again_when_redelivered() {
    let mut bench = Bench::new();
    let event = end(2, "bob", at(5));
    for effect in [Effect::Applied, Effect::Duplicate] {
        let applied = bench.apply(&event);
        assert_eq!(applied.effect, effect);
        assert!(applied.meeting.is_none() && applied.publish.is_empty());
        let tell = applied.tell.unwrap();
        assert_eq!(
            (tell.saying, tell.to),
            (Saying::NothingToEnd, person("bob"))
        );
        assert_eq!(tell.request, request_id(2));
    }
}

#[test]
fn nothing_is_told_where_nobody_hears() {
    let mut bench = Bench::new();
    for via in [
        TriggerSource::SlashCommand { hook: None },
        TriggerSource::OutgoingWebhook {
            post: "p".parse().unwrap(),
            caught_up: false,
            placed: false,
        },
    ] {
        let (place, by) = (place(), person("bob"));
        let fact = Fact::EndRequested {
            place,
            by,
            via,
            words: String::new(),
            told: None,
        };
        let applied = bench.learn(fact, at(1));
        assert_eq!(applied.tell, None);
    }
    assert!(bench.meetings.is_empty());
    assert!(matches!(
        command(),
        TriggerSource::SlashCommand { hook: Some(_) }
    ));
}

#[test]
fn first_wish_to_end_counts() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "ana", at(5)));
    bench.learn(
        Fact::EndOrdered {
            meeting: meeting(1),
        },
        at(9),
    );
    assert_eq!(bench.meeting().end.as_ref().unwrap().wanted_at, at(5));
    assert_eq!(bench.due("EndRoom:0"), 5);
}
