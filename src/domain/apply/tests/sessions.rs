//! What plugNmeet says: sessions, people, breakout rooms, strangers.

use crate::domain::apply::Effect;
use crate::domain::event::SessionRef;
use crate::domain::{ArtifactKind, EndSaid, Fact, State, Timestamp};

use super::bench::{
    Bench, at, created, event, joined, meeting, polled, room, session, session_ended,
};

/// plugNmeet's clock, an hour before ours.
fn theirs(seconds: i64) -> Timestamp {
    at(seconds - 3600)
}

fn left(session: SessionRef, participant: &str) -> Fact {
    Fact::PersonLeft {
        session,
        participant: participant.parse().unwrap(),
        identity: format!("user-{participant}").parse().unwrap(),
        name: String::new(),
        never_joined: false,
    }
}

fn finished(sid: &str, ended_at: Timestamp) -> Fact {
    let (session, said) = (session(sid, ended_at), EndSaid::RoomFinished);
    Fact::SessionEnded {
        session,
        said,
        ended_at,
    }
}

fn artifact(sid: &str, id: &str, said_at: Timestamp) -> Fact {
    let (session, artifact) = (session(sid, said_at), id.parse().unwrap());
    let kind = ArtifactKind::Recording;
    Fact::ArtifactCreated {
        session,
        artifact,
        kind,
    }
}

#[test]
fn times_are_set_against_times_of_the_same_clock() {
    let mut bench = Bench::requested();
    bench.learn(created("s1", theirs(1)), at(2));
    bench.learn(session_ended("s1", theirs(1441)), at(1442));
    let view = bench.view();
    assert_eq!(view.started_at, Some(theirs(1)));
    let ended = view.ended.unwrap();
    assert_eq!(
        (ended.at, ended.lasted.unwrap().as_secs()),
        (theirs(1441), 1440)
    );
}

#[test]
fn end_by_poll_is_about_until_the_true_one_is_told() {
    let mut bench = Bench::requested();
    bench.learn(created("s1", theirs(1)), at(2));
    bench.learn(polled(&"s1".parse().unwrap(), true), at(1500));
    bench.learn(polled(&"s1".parse().unwrap(), true), at(1700));
    let ended = bench.view().ended.unwrap();
    assert!(ended.is_about);
    assert_eq!(
        (ended.at, ended.lasted.unwrap().as_secs()),
        (at(1500), 1498)
    );
    bench.learn(finished("s1", theirs(1443)), at(1800));
    assert_eq!(bench.view().ended.unwrap().at, theirs(1443));
    bench.learn(session_ended("s1", theirs(1441)), at(1801));
    let ended = bench.view().ended.unwrap();
    assert_eq!((ended.at, ended.is_about), (theirs(1441), false));
}

#[test]
fn poll_that_finds_the_room_running_says_nothing_new() {
    let mut bench = Bench::open();
    let before = (bench.meeting().version, bench.view());
    bench.learn(polled(&"s1".parse().unwrap(), false), at(61));
    assert_eq!((bench.meeting().version, bench.view()), before);
    assert_eq!(bench.due("PollRoom:1"), 181);
}

#[test]
fn newer_session_of_the_room_ends_the_older_one() {
    let mut bench = Bench::open();
    bench.learn(joined(session("s1", at(5)), "PA_1", "Ana"), at(5));
    assert_eq!(bench.view().present, 1);
    let newer = SessionRef {
        created_at: Some(at(60)),
        ..session("s2", at(60))
    };
    bench.learn(Fact::SessionSeen { session: newer }, at(60));
    assert_eq!((bench.state(), bench.view().present), (State::Live, 0));
    bench.learn(session_ended("s1", at(90)), at(90));
    assert_eq!(bench.state(), State::Live, "the older one's end is no end");
    bench.learn(session_ended("s2", at(120)), at(120));
    let view = bench.view();
    assert_eq!(view.state, State::Ended);
    assert_eq!(
        view.ended.unwrap().lasted.unwrap().as_secs(),
        119,
        "since the first one's making"
    );
}

#[test]
fn of_sessions_made_at_the_same_second_the_one_answered_last_is_newer() {
    for (first, second) in [("s1", "s2"), ("s2", "s1")] {
        let mut bench = Bench::requested();
        bench.learn(created(first, at(1)), at(1));
        bench.learn(created(second, at(1)), at(2));
        assert_eq!(
            bench.meeting().newest_session().unwrap().sid.as_str(),
            second
        );
    }
}

#[test]
fn two_answers_about_one_session_agree_in_any_order() {
    for (first, second) in [(1, 3), (3, 1)] {
        let mut bench = Bench::requested();
        bench.learn(created("s1", at(first)), at(4));
        bench.learn(created("s1", at(second)), at(5));
        assert_eq!(bench.view().started_at, Some(at(1)));
    }
}

#[test]
fn artifact_brings_no_room_back_to_life() {
    let mut bench = Bench::open();
    bench.learn(session_ended("s1", at(60)), at(60));
    bench.learn(artifact("s-unknown", "rec-1", at(3600)), at(3600));
    let view = bench.view();
    assert_eq!(
        (view.state, view.recordings, view.is_ending),
        (State::Missed, 1, false)
    );
    bench.learn(artifact("s1", "rec-2", at(3700)), at(3700));
    bench.learn(artifact("s1", "rec-2", at(3800)), at(3800));
    assert_eq!(bench.view().recordings, 2);
}

#[test]
fn meeting_is_missed_until_somebody_turns_out_to_have_come() {
    let mut bench = Bench::open();
    bench.learn(session_ended("s1", at(60)), at(60));
    assert_eq!(bench.state(), State::Missed);
    bench.learn(left(session("s1", at(50)), "PA_1"), at(61));
    let view = bench.view();
    assert_eq!((view.state, view.people), (State::Ended, 1));
    assert_eq!(view.names, ["Guest"]);
}

#[test]
fn leaving_may_come_before_joining() {
    let mut bench = Bench::open();
    bench.learn(left(session("s1", at(9)), "PA_1"), at(10));
    bench.learn(joined(session("s1", at(5)), "PA_1", "Ana"), at(11));
    let view = bench.view();
    assert_eq!((view.people, view.present), (1, 0));
    assert_eq!(view.names, ["Ana"]);
}

#[test]
fn person_who_comes_back_is_one_person() {
    let mut bench = Bench::open();
    for (participant, seconds) in [("PA_1", 5), ("PA_2", 20)] {
        let mut fact = joined(session("s1", at(seconds)), participant, "Ana");
        if let Fact::PersonJoined { identity, .. } = &mut fact {
            *identity = "user-ana".parse().unwrap();
        }
        bench.learn(fact, at(seconds));
    }
    bench.learn(left(session("s1", at(10)), "PA_1"), at(21));
    let view = bench.view();
    assert_eq!((view.people, view.present), (1, 1));
    assert_eq!(view.names, ["Ana"]);
}

#[test]
fn people_stand_in_the_order_in_which_they_came() {
    let mut bench = Bench::open();
    for (participant, name, seconds) in [
        ("PA_1", "Zoe", 30),
        ("PA_2", "Ana", 20),
        ("PA_3", "Bob", 10),
    ] {
        bench.learn(
            joined(session("s1", at(seconds)), participant, name),
            at(40),
        );
    }
    assert_eq!(bench.view().names, ["Bob", "Ana", "Zoe"]);
}

#[test]
fn bots_are_no_people() {
    let mut bench = Bench::open();
    for (number, bot) in [
        "RECORDER_BOT",
        "RTMP_BOT",
        "ingres_1",
        "sip_1",
        "pnm_agent-1",
        "pnm_tts_agent-1",
    ]
    .into_iter()
    .enumerate()
    {
        let mut fact = joined(session("s1", at(5)), &format!("PA_{number}"), "Bot");
        if let Fact::PersonJoined { identity, .. } = &mut fact {
            *identity = bot.parse().unwrap();
        }
        bench.learn(fact, at(5));
    }
    assert_eq!((bench.state(), bench.view().people), (State::Open, 0));
}

#[test]
fn recording_is_shown_while_it_runs() {
    let switched = |record: &str, on| Fact::RecordingSwitched {
        session: session("s1", at(9)),
        record: record.parse().unwrap(),
        on,
    };
    let mut bench = Bench::open();
    bench.learn(switched("r1", true), at(10));
    assert!(bench.view().is_recording);
    bench.learn(switched("r1", false), at(11));
    assert!(!bench.view().is_recording);
    bench.learn(switched("r2", false), at(12));
    bench.learn(switched("r2", true), at(13));
    assert!(!bench.view().is_recording, "whatever the order");
    bench.learn(switched("r3", true), at(14));
    bench.learn(session_ended("s1", at(60)), at(60));
    assert!(
        !bench.view().is_recording,
        "an ended meeting records nothing"
    );
}

#[test]
fn rooms_of_others_are_foreign() {
    let mut bench = Bench::open();
    let before = bench.meeting().clone();
    let theirs = SessionRef {
        room: Some("mm-somebody".parse().unwrap()),
        ..session("x1", at(5))
    };
    let nameless = SessionRef {
        room: None,
        ..session("x2", at(5))
    };
    for session in [theirs, nameless] {
        let applied = bench.learn(Fact::SessionSeen { session }, at(5));
        assert_eq!(applied.effect, Effect::Foreign);
        assert!(applied.publish.is_empty() && applied.meeting.is_none());
    }
    assert_eq!(*bench.meeting(), before);
}

#[test]
fn session_without_its_rooms_name_is_known_by_its_sid() {
    let mut bench = Bench::open();
    let session = SessionRef {
        room: None,
        ..session("s1", at(5))
    };
    let applied = bench.learn(joined(session, "PA_1", "Ana"), at(5));
    assert_eq!(applied.effect, Effect::Applied);
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn breakout_rooms_change_no_card() {
    let mut bench = Bench::open();
    let before = (bench.meeting().version, bench.view());
    let by_metadata = SessionRef {
        room: Some("own-name".parse().unwrap()),
        breakout_of: Some(room()),
        ..session("b1", at(9))
    };
    let by_name = SessionRef {
        room: Some(format!("{}-2", room()).parse().unwrap()),
        ..session("b2", at(9))
    };
    let later = SessionRef {
        breakout_of: None,
        ..by_metadata.clone()
    };
    let nameless = SessionRef {
        room: None,
        ..later.clone()
    };
    for (number, session) in [by_metadata, by_name, later, nameless]
        .into_iter()
        .enumerate()
    {
        bench.learn(
            joined(session.clone(), &format!("PA_{number}"), "Bob"),
            at(10),
        );
        let (said, ended_at) = (EndSaid::SessionEnded, at(11));
        bench.learn(
            Fact::SessionEnded {
                session: session.clone(),
                said,
                ended_at,
            },
            at(11),
        );
        let (artifact, kind) = (
            format!("art-{number}").parse().unwrap(),
            ArtifactKind::Recording,
        );
        let applied = bench.learn(
            Fact::ArtifactCreated {
                session,
                artifact,
                kind,
            },
            at(12),
        );
        assert_eq!(applied.effect, Effect::Applied);
        assert!(applied.publish.is_empty());
    }
    assert_eq!((bench.meeting().version, bench.view()), before);
    assert_eq!(bench.meeting().breakouts.len(), 2);
}

#[test]
fn room_that_was_there_in_time_is_no_stray_when_its_event_waited() {
    let mut bench = Bench::requested();
    let (meeting, round) = (meeting(1), 0);
    bench.learn(Fact::Woken { meeting, round }, at(2000));
    assert_eq!(bench.state(), State::Failed);
    bench.apply(&event(created("s1", at(5)), at(5)));
    assert_eq!(bench.state(), State::Open);
    assert!(bench.meeting().end.is_none(), "people may be inside");
}

/// Lost before it was made.
fn failed(session: SessionRef, participant: &str) -> Fact {
    match left(session, participant) {
        Fact::PersonLeft {
            session,
            participant,
            identity,
            name,
            ..
        } => Fact::PersonLeft {
            session,
            participant,
            identity,
            name,
            never_joined: true,
        },
        fact => fact,
    }
}

#[test]
fn f11_a_connection_that_was_never_made_is_no_presence() {
    let mut bench = Bench::open();
    bench.learn(failed(session("s1", at(60)), "p1"), at(60));
    assert_eq!((bench.state(), bench.view().people), (State::Open, 0));
    bench.learn(session_ended("s1", at(100)), at(100));
    assert_eq!(bench.state(), State::Missed);
    assert!(bench.view().nobody_came());

    // Whatever else is told of the connection counts, in any order.
    let facts = [
        joined(session("s1", at(50)), "p1", "Ana"),
        left(session("s1", at(70)), "p1"),
        failed(session("s1", at(60)), "p1"),
    ];
    for (one, other) in [(0, 2), (2, 0), (1, 2), (2, 1)] {
        let mut bench = Bench::open();
        for place in [one, other] {
            bench.learn(facts[place].clone(), at(80));
        }
        assert_eq!(bench.view().people, 1, "{one} {other}");
    }
}

#[test]
fn f18_times_that_contradict_each_other_give_way_to_ours() {
    // What was made is made by a clock ten minutes ahead, what ended by one that is right.
    let mut bench = Bench::requested();
    bench.learn(created("s1", at(600)), at(1));
    bench.learn(session_ended("s1", at(300)), at(301));
    let view = bench.view();
    let ended = view.ended.unwrap();
    assert_eq!((view.started_at, ended.at), (Some(at(1)), at(301)));
    assert_eq!(ended.lasted.unwrap().as_secs(), 300);
    assert!(view.nobody_came(), "the end was told all the same");

    // An end before the beginning, both within what clocks may differ by.
    let mut bench = Bench::requested();
    bench.learn(created("s1", at(100)), at(1));
    bench.learn(session_ended("s1", at(40)), at(41));
    let view = bench.view();
    let ended = view.ended.unwrap();
    assert_eq!((view.started_at, ended.at), (Some(at(1)), at(41)));

    // A clock that was never set.
    let mut bench = Bench::requested();
    bench.learn(created("s1", Timestamp::from_seconds(17)), at(1));
    bench.learn(session_ended("s1", Timestamp::from_seconds(77)), at(61));
    let view = bench.view();
    let ended = view.ended.unwrap();
    assert_eq!((view.started_at, ended.at), (Some(at(1)), at(61)));
}

#[test]
fn f18_an_end_that_only_a_poll_saw_stands_beside_a_beginning_of_our_clock() {
    let mut bench = Bench::requested();
    bench.learn(created("s1", theirs(1)), at(2));
    let sid = bench.meeting().sessions[0].sid.clone();
    bench.learn(polled(&sid, true), at(602));
    let view = bench.view();
    let ended = view.ended.unwrap();
    assert_eq!((view.started_at, ended.at), (Some(at(2)), at(602)));
    assert_eq!(ended.lasted.unwrap().as_secs(), 600);
}

#[test]
fn f18_no_end_is_shown_before_the_request_where_the_beginning_was_not_told() {
    let mut bench = Bench::requested();
    bench.learn(joined(session("s1", at(10)), "p1", "Ana"), at(10));
    bench.learn(finished("s1", at(-500)), at(60));
    let view = bench.view();
    assert_eq!((view.started_at, view.ended.unwrap().at), (None, at(60)));
}
