//! Which session decides, and what time counts.

use crate::domain::event::SessionRef;
use crate::domain::meeting::Ended;
use crate::domain::{ArtifactKind, EndSaid, Event, Fact, RoomId, State};

use super::facts::*;
use super::relay::{Relay, at, event, secs};

fn seen(sid: &str, created: i64) -> Fact {
    let session = session_of(sid, created, created);
    Fact::SessionSeen { session }
}

fn breakout(sid: &str, said: i64) -> SessionRef {
    SessionRef {
        room: Some(format!("{}-1", room()).parse::<RoomId>().unwrap()),
        ..session(sid, said)
    }
}

#[test]
fn newer_session_of_the_room_decides() {
    for is_reversed in [false, true] {
        let mut facts = [
            seen("B", 100),
            session_ended("A", 0, 90),
            room_finished("A", 91),
        ];
        if is_reversed {
            facts.reverse();
        }
        let mut relay = Relay::opened();
        for fact in facts {
            relay.tell(110, fact);
        }
        assert_eq!(relay.state(), State::Open, "B runs");
        assert!(relay.view().ended.is_none());
        relay.tell(200, session_ended("B", 100, 190));
        let ended = relay.view().ended.unwrap();
        assert_eq!((ended.at, ended.lasted), (peer(190), Some(secs(190))));
    }
}

#[test]
fn older_session_heard_of_later_changes_nothing() {
    let mut relay = Relay::started();
    relay.tell(110, room_created("B", 100));
    relay.tell(111, seen("A", 0));
    relay.tell(112, session_ended("B", 100, 108));
    assert_eq!(relay.state(), State::Missed);
}

#[test]
fn equal_creation_times_leave_it_to_the_create_answer_that_came_last() {
    for (first, last) in [("A", "B"), ("B", "A")] {
        let mut relay = Relay::started();
        relay.tell(2, room_created(first, 0));
        relay.tell(3, room_created(last, 0));
        let newest = relay.meeting().newest_session().unwrap().sid.clone();
        assert_eq!(newest.as_str(), last);
    }
}

#[test]
fn poll_end_is_about_and_on_our_clock() {
    let mut relay = Relay::opened();
    relay.tell(62, polled("A", false));
    assert_eq!(relay.state(), State::Open);
    relay.tell(182, polled("A", true));
    let view = relay.view();
    assert_eq!(view.state, State::Missed);
    let lasted = Some(secs(180));
    assert_eq!(
        view.ended,
        Some(Ended {
            at: at(182),
            is_about: true,
            lasted
        })
    );
    assert_eq!(view.started_at, Some(peer(0)), "on plugNmeet's");
}

#[test]
fn earliest_poll_that_saw_the_end_counts() {
    let mut relay = Relay::opened();
    relay.tell(302, polled("A", true));
    let earlier: Event = event(1, 182, polled("A", true));
    relay.apply(&earlier);
    assert_eq!(relay.view().ended.unwrap().at, at(182));
}

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
fn duration_is_floored_at_zero() {
    let mut relay = Relay::opened();
    relay.tell(60, session_ended("A", 0, -30));
    assert_eq!(relay.view().ended.unwrap().lasted, Some(secs(0)));
}

#[test]
fn missed_is_derived_and_corrected_by_a_late_joining() {
    let mut relay = Relay::opened();
    relay.tell(60, session_ended("A", 0, 55));
    assert_eq!(relay.state(), State::Missed);
    let version = relay.meeting().version;
    relay.tell(61, joined("A", "PA_1", "u-bob", "Bob", 20));
    assert_eq!(relay.state(), State::Ended);
    assert_eq!(
        (relay.view().names, relay.view().present),
        (vec!["Bob".to_owned()], 0)
    );
    assert!(relay.meeting().version > version && relay.owes("RefreshCard"));
}

#[test]
fn recorders_streams_telephones_and_agents_are_no_people() {
    let mut relay = Relay::opened();
    let bots = [
        "RECORDER_BOT",
        "RTMP_BOT",
        "ingres_1",
        "sip_1",
        "pnm_agent-1",
        "pnm_tts_agent-1",
    ];
    for (number, bot) in bots.into_iter().enumerate() {
        relay.tell(5, joined("A", &format!("PA_{number}"), bot, "Bot", 3));
    }
    assert_eq!((relay.state(), relay.view().people), (State::Open, 0));
}

#[test]
fn rejoining_person_is_one_and_present_again() {
    let mut relay = Relay::opened();
    relay.tell(5, left("A", "PA_1", "u-bob", "Bob", 20));
    assert_eq!(
        (relay.view().people, relay.view().present),
        (1, 0),
        "left before joined"
    );
    relay.tell(6, joined("A", "PA_1", "u-bob", "Bob", 10));
    assert_eq!((relay.view().people, relay.view().present), (1, 0));
    relay.tell(7, joined("A", "PA_2", "u-bob", "Robert", 30));
    assert_eq!((relay.view().people, relay.view().present), (1, 1));
    assert_eq!(relay.view().names, ["Bob"], "the first name stays");
}

#[test]
fn breakout_rooms_never_change_the_card() {
    let mut relay = Relay::opened();
    let view = relay.view();
    let session = breakout("X", 30);
    relay.tell(31, Fact::SessionSeen { session });
    let (said, ended_at) = (EndSaid::SessionEnded, peer(50));
    let session = breakout("X", 50);
    relay.tell(
        51,
        Fact::SessionEnded {
            session,
            said,
            ended_at,
        },
    );
    assert_eq!(relay.view(), view);
    assert_eq!(relay.state(), State::Open);
}

#[test]
fn breakout_named_by_its_metadata_is_remembered_for_its_later_artifacts() {
    let mut relay = Relay::opened();
    let odd = SessionRef {
        room: Some("some-other-name".parse::<RoomId>().unwrap()),
        breakout_of: Some(room()),
        ..session("X", 30)
    };
    relay.tell(31, Fact::SessionSeen { session: odd });
    let bare = SessionRef {
        room: None,
        ..session("X", 60)
    };
    let applied = relay.tell(
        61,
        Fact::ArtifactCreated {
            session: bare,
            artifact: "rec-1".parse().unwrap(),
            kind: ArtifactKind::Recording,
        },
    );
    assert_eq!(
        applied.meeting,
        Some((meeting_id(1), 0)),
        "known, not foreign"
    );
    assert_eq!(relay.view().recordings, 0);
    assert_eq!(relay.meeting().sessions.len(), 1);
}

#[test]
fn event_that_names_only_a_session_finds_its_meeting() {
    let mut relay = Relay::opened();
    let bare = SessionRef {
        room: None,
        ..session("A", 60)
    };
    relay.tell(
        61,
        Fact::ArtifactCreated {
            session: bare,
            artifact: "rec-1".parse().unwrap(),
            kind: ArtifactKind::Recording,
        },
    );
    assert_eq!(relay.view().recordings, 1);
}
