//! Jobs given up, and what is wanted again afterwards.

use crate::domain::meeting::RequestPurpose;
use crate::domain::{Fact, PostKey, PostRow, Refusal, State};

use super::bench::{
    Bench, at, created, end, event, keys, meeting, polled, request, request_id, session_ended,
};

fn given_up(job: &str) -> Fact {
    let (meeting, job) = (meeting(1), job.to_owned());
    Fact::JobGivenUp { meeting, job }
}

/// A meeting that runs on because its end, wanted by ana, was given up.
fn not_ended() -> Bench {
    let mut bench = Bench::open();
    bench.apply(&end(2, "ana", at(5)));
    bench.learn(given_up("EndRoom:0"), at(60));
    bench
}

#[test]
fn f19_end_that_was_given_up_is_told_and_the_card_does_not_go_on_announcing_it() {
    let bench = not_ended();
    assert_eq!(bench.state(), State::Open);
    assert!(!bench.view().is_ending);
    let owes = bench.owes();
    assert!(
        owes.contains(&format!("Answer:{}", request_id(2))),
        "{owes:?}"
    );
    assert!(!owes.contains(&"EndRoom:0".to_owned()), "{owes:?}");
}

#[test]
fn f19_end_wanted_again_is_owed_again_whoever_wants_it() {
    let (id, request) = (meeting(1), request_id(2));
    let by_command = end(3, "ana", at(90));
    let allowed = Fact::EndAllowed {
        meeting: id,
        request,
    };
    for again in [
        by_command,
        event(allowed, at(90)),
        event(Fact::EndOrdered { meeting: id }, at(90)),
    ] {
        let mut bench = not_ended();
        let applied = bench.apply(&again);
        assert!(
            keys(&applied.publish).contains(&"EndRoom:0".to_owned()),
            "{again:?}"
        );
        assert_eq!(bench.due("EndRoom:0"), 90, "at once, and not yet old");
        assert!(bench.view().is_ending);
        let owes = bench.owes();
        assert!(
            owes.iter().all(|job| !job.starts_with("Answer")),
            "{owes:?}"
        );
    }
}

#[test]
fn f19_meeting_whose_end_was_given_up_is_offered() {
    let mut bench = not_ended();
    bench.apply(&request(3, "bob", at(90)));
    assert_eq!(bench.meetings.len(), 1);
    let purpose = bench.meeting().request(request_id(3)).unwrap().purpose;
    assert_eq!(purpose, RequestPurpose::StartWhileRunning);
}

#[test]
fn f19_end_that_was_promised_late_and_then_given_up_is_told_too() {
    let mut bench = Bench::open();
    let mut asked = end(2, "ana", at(5));
    if let Fact::EndRequested { told, .. } = &mut asked.fact {
        *told = None;
    }
    bench.apply(&asked);
    let answer = format!("Answer:{}", request_id(2));
    let answered = |bench: &mut Bench, rendered| {
        assert!(bench.owes().contains(&answer), "{:?}", bench.owes());
        let row = PostRow {
            answered: true,
            rendered,
            ..PostRow::default()
        };
        let key = PostKey::Answer(request_id(2));
        bench.meetings[0].posts.insert(key, row);
        assert!(!bench.owes().contains(&answer), "{:?}", bench.owes());
    };
    answered(&mut bench, 0);
    bench.learn(given_up("EndRoom:0"), at(60));
    let version = bench.meeting().version;
    answered(&mut bench, version);
}

#[test]
fn f19_right_that_cannot_be_found_out_is_told() {
    let mut bench = Bench::open();
    bench.apply(&end(2, "bob", at(5)));
    bench.learn(given_up(&format!("CheckRight:{}", request_id(2))), at(60));
    let answer = format!("Answer:{}", request_id(2));
    assert!(bench.owes().contains(&answer), "{:?}", bench.owes());
    bench.apply(&end(3, "bob", at(90)));
    let check = format!("CheckRight:{}", request_id(3));
    assert!(bench.owes().contains(&check), "{:?}", bench.owes());
}

#[test]
fn f19_room_that_was_given_up_is_owed_again_by_a_second_start() {
    let mut bench = Bench::requested();
    bench.learn(given_up("CreateRoom:room"), at(1));
    let applied = bench.apply(&request(2, "bob", at(5)));
    assert!(keys(&applied.publish).contains(&"CreateRoom:room".to_owned()));
}

#[test]
fn f19_poll_that_was_given_up_does_not_swallow_the_next() {
    let mut bench = Bench::open();
    bench.learn(given_up("PollRoom:0"), at(61));
    assert_eq!(bench.due("PollRoom:1"), 181);
    bench.learn(polled(&"s1".parse().unwrap(), false), at(181));
    bench.learn(given_up("PollRoom:1"), at(182));
    assert_eq!(
        bench.due("PollRoom:2"),
        301,
        "that one was answered already"
    );
    bench.learn(session_ended("s1", at(200)), at(200));
    bench.learn(given_up("PollArtifacts:0"), at(256));
    assert_eq!(bench.due("PollArtifacts:1"), 320);
}

#[test]
fn f20_start_that_became_too_late_says_what_held_it_up() {
    let mut bench = Bench::requested();
    let held_up = |reason| Fact::RoomRefused {
        meeting: meeting(1),
        reason,
        for_now: true,
    };
    bench.learn(held_up(Refusal::Unauthorized), at(1));
    assert_eq!(
        (bench.state(), bench.view().refused),
        (State::Creating, None)
    );
    assert!(bench.owes().contains(&"CreateRoom:room".to_owned()));
    let woken = Fact::Woken {
        meeting: meeting(1),
        round: 0,
    };
    bench.learn(woken, at(901));
    assert_eq!(bench.state(), State::Failed);
    assert_eq!(bench.view().refused, Some(Refusal::Unauthorized));
    bench.learn(created("s1", at(800)), at(899));
    assert_eq!(bench.state(), State::Open, "only we were late");
}
