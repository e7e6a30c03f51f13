//! What is owed, published, repeated and woken for.

use std::time::Duration;

use crate::domain::apply::{Applied, Effect};
use crate::domain::event::SessionRef;
use crate::domain::owed::is_owed;
use crate::domain::post::Frozen;
use crate::domain::{ArtifactKind, Event, Fact, Job, PostKey, PostRow, Refusal, Timestamp};

use super::bench::{
    Bench, MINUTE, at, created, event, joined, keys, meeting, policy, polled, refused, request,
    request_id, session, session_ended,
};

pub(super) fn woken(round: u32) -> Fact {
    let meeting = meeting(1);
    Fact::Woken { meeting, round }
}

pub(super) fn given_up(job: &str) -> Fact {
    let (meeting, job) = (meeting(1), job.to_owned());
    Fact::JobGivenUp { meeting, job }
}

fn replayed(job: &str) -> Fact {
    Fact::JobReplayed {
        meeting: meeting(1),
        job: job.to_owned(),
        reset_age: false,
    }
}

pub(super) fn artifact(id: &str, kind: ArtifactKind) -> Fact {
    let (session, artifact) = (session("s1", at(100)), id.parse().unwrap());
    Fact::ArtifactCreated {
        session,
        artifact,
        kind,
    }
}

/// The card stands in the channel and shows `rendered`.
pub(super) fn card(bench: &mut Bench, rendered: u64, frozen: Option<Frozen>) {
    let row = PostRow {
        post: Some("post".parse().unwrap()),
        rendered,
        frozen,
        ..PostRow::default()
    };
    bench.meetings[0].posts.insert(PostKey::Card, row);
}

fn pause(applied: &Applied, bench: &Bench, now: Timestamp) -> Duration {
    assert_eq!(applied.effect, Effect::Applied);
    bench.meeting().wake_at.unwrap().since(now)
}

#[test]
fn only_what_is_newly_owed_is_published() {
    let mut bench = Bench::requested();
    let applied = bench.learn(given_up("Answer:x"), at(1));
    assert!(applied.publish.is_empty(), "the rest was published before");
    assert_eq!(bench.owes(), ["CreateRoom:room", "RefreshCard:1"]);
}

#[test]
fn redelivered_event_publishes_again_what_is_owed() {
    let mut bench = Bench::requested();
    let applied = bench.apply(&request(1, "ana", at(0)));
    assert_eq!(applied.effect, Effect::Duplicate);
    assert_eq!(keys(&applied.publish), ["CreateRoom:room", "RefreshCard:1"]);
    assert_eq!(applied.meeting, Some((meeting(1), 0)));
    assert_eq!(bench.meeting().requests.len(), 1);
}

#[test]
fn double_under_another_id_publishes_nothing() {
    let mut bench = Bench::requested();
    let double = Event {
        id: request(2, "ana", at(0)).id,
        ..request(1, "ana", at(0))
    };
    let applied = bench.apply(&double);
    assert_eq!(applied.effect, Effect::Duplicate);
    assert!(applied.publish.is_empty(), "the first one does");
    assert_eq!(bench.owes(), ["CreateRoom:room", "RefreshCard:1"]);
}

#[test]
fn far_jobs_are_not_published_but_woken_for() {
    let mut bench = Bench::open();
    let version = bench.meeting().version;
    card(&mut bench, version, None);
    let seen = event(
        Fact::SessionSeen {
            session: session("s1", at(1)),
        },
        at(2),
    );
    for effect in [Effect::Applied, Effect::Duplicate] {
        let applied = bench.apply(&seen);
        assert_eq!(applied.effect, effect);
        assert!(applied.publish.is_empty(), "the poll is due in a minute");
    }
    assert_eq!(bench.owes(), ["PollRoom:0"]);
    assert_eq!(bench.meeting().wake_at, Some(at(61)));
    let applied = bench.learn(woken(0), at(61));
    assert_eq!(keys(&applied.publish), ["PollRoom:0"]);
    assert_eq!(applied.meeting, Some((meeting(1), 1)));
}

#[test]
fn waking_raises_the_round_and_doubles_the_pause() {
    let mut bench = Bench::requested();
    assert_eq!(bench.meeting().wake_at, Some(at(60)));
    for (round, minutes) in [(0, 2), (1, 4), (2, 4)] {
        let now = at(60 + 10 * i64::from(round));
        let applied = bench.learn(woken(round), now);
        assert_eq!(keys(&applied.publish), ["CreateRoom:room", "RefreshCard:1"]);
        assert_eq!(applied.meeting, Some((meeting(1), round + 1)));
        assert_eq!(pause(&applied, &bench, now), minutes * MINUTE);
    }
    let applied = bench.apply(&request(2, "bob", at(100)));
    assert_eq!(
        pause(&applied, &bench, at(100)),
        MINUTE,
        "a new fact begins anew"
    );
}

#[test]
fn waking_of_an_older_round_does_not_raise_it_again() {
    let mut bench = Bench::requested();
    bench.learn(woken(0), at(60));
    let applied = bench.learn(woken(0), at(61));
    assert_eq!(applied.meeting, Some((meeting(1), 1)));
    assert_eq!(bench.meeting().wakes, 1);
}

#[test]
fn meeting_that_owes_nothing_sleeps() {
    let mut bench = Bench::requested();
    let (meeting, reason) = (meeting(1), Refusal::Refused);
    bench.learn(refused(meeting, reason), at(1));
    let version = bench.meeting().version;
    card(&mut bench, version, None);
    bench.learn(woken(0), at(60));
    assert!(bench.owes().is_empty());
    assert_eq!(bench.meeting().wake_at, None);
}

#[test]
fn job_given_up_is_owed_again_only_when_it_is_replayed() {
    let mut bench = Bench::requested();
    bench.learn(given_up("CreateRoom:room"), at(1));
    assert_eq!(bench.owes(), ["RefreshCard:1"]);
    assert_eq!(
        keys(&bench.learn(woken(0), at(60)).publish),
        ["RefreshCard:1"]
    );
    let (meeting, job) = (meeting(1), "CreateRoom:room".to_owned());
    let applied = bench.learn(
        Fact::JobReplayed {
            meeting,
            job,
            reset_age: false,
        },
        at(61),
    );
    assert_eq!(keys(&applied.publish), ["CreateRoom:room"]);
}

#[test]
fn card_given_up_is_tried_again_when_it_changes() {
    let mut bench = Bench::requested();
    bench.learn(given_up("RefreshCard:1"), at(1));
    assert_eq!(bench.owes(), ["CreateRoom:room"]);
    bench.learn(created("s1", at(2)), at(2));
    assert_eq!(bench.due("RefreshCard:2"), 2 + 60);
    let wake_at = bench.meeting().wake_at.unwrap();
    assert_eq!(wake_at, at(2 + 60));
    let round = bench.meeting().round;
    let applied = bench.learn(woken(round), wake_at);
    assert!(keys(&applied.publish).contains(&"RefreshCard:2".to_owned()));
}

#[test]
fn version_rises_only_when_the_card_looks_different() {
    let mut bench = Bench::open();
    assert_eq!(bench.meeting().version, 2);
    bench.learn(
        Fact::SessionSeen {
            session: session("s1", at(1)),
        },
        at(2),
    );
    bench.learn(polled(&"s1".parse().unwrap(), false), at(3));
    bench.learn(woken(0), at(4));
    assert_eq!(bench.meeting().version, 2);
    bench.learn(joined(session("s1", at(5)), "PA_1", "Ana"), at(5));
    assert_eq!(
        (bench.meeting().version, bench.meeting().changed_at),
        (3, at(5))
    );
}

#[test]
fn room_is_polled_while_it_runs() {
    let mut bench = Bench::open();
    assert_eq!(bench.due("PollRoom:0"), 61);
    bench.learn(polled(&"s1".parse().unwrap(), false), at(61));
    assert_eq!(bench.due("PollRoom:1"), 181);
    bench.learn(session_ended("s1", at(90)), at(91));
    assert!(bench.owes().iter().all(|job| !job.starts_with("PollRoom")));
}

#[test]
fn artifacts_are_asked_for_step_by_step_after_the_end() {
    let mut bench = Bench::open();
    bench.learn(session_ended("s1", at(90)), at(100));
    for (step, due) in [(0, 155), (1, 220), (2, 400)] {
        assert_eq!(bench.due(&format!("PollArtifacts:{step}")), due);
        let meeting = meeting(1);
        bench.learn(Fact::ArtifactsPolled { meeting, step }, at(due));
    }
    assert_eq!(bench.owes(), ["RefreshCard:3"]);
}

#[test]
fn only_recordings_and_read_summaries_are_posted_and_only_under_a_card() {
    let mut bench = Bench::open();
    bench.learn(artifact("rec", ArtifactKind::Recording), at(100));
    bench.learn(artifact("sum", ArtifactKind::Summary), at(100));
    bench.learn(artifact("tra", ArtifactKind::Transcript), at(100));
    bench.learn(artifact("ana", ArtifactKind::Analytics), at(100));
    let posts = |bench: &Bench| -> Vec<String> {
        let jobs = bench.owes();
        jobs.into_iter()
            .filter(|job| job.contains("Artifact:"))
            .collect()
    };
    assert_eq!(posts(&bench), ["FetchArtifact:sum"]);
    let version = bench.meeting().version;
    card(&mut bench, version, None);
    assert_eq!(posts(&bench), ["FetchArtifact:sum", "PostArtifact:rec"]);
    let (meeting, artifact, text) = (meeting(1), "sum".parse().unwrap(), "text".to_owned());
    let applied = bench.learn(
        Fact::SummaryRead {
            meeting,
            artifact,
            text,
        },
        at(101),
    );
    assert!(keys(&applied.publish).contains(&"PostArtifact:sum".to_owned()));
    let row = PostRow {
        post: Some("reply".parse().unwrap()),
        ..PostRow::default()
    };
    bench.meetings[0]
        .posts
        .insert(PostKey::Artifact("rec".parse().unwrap()), row);
    assert_eq!(posts(&bench), ["PostArtifact:sum"]);
}

#[test]
fn card_is_owed_as_long_as_it_shows_an_older_version() {
    let mut bench = Bench::open();
    card(&mut bench, 1, None);
    assert!(bench.owes().contains(&"RefreshCard:2".to_owned()));
    assert!(
        is_owed(
            bench.meeting(),
            &policy().schedule,
            &Job::RefreshCard { version: 2 }
        )
        .is_some()
    );
    card(&mut bench, 2, None);
    assert_eq!(bench.owes(), ["PollRoom:0"]);
    assert_eq!(
        is_owed(bench.meeting(), &policy().schedule, &Job::CreateRoom),
        None
    );
}

#[test]
fn deleted_card_owes_nothing_more() {
    let mut bench = Bench::open();
    bench.learn(artifact("rec", ArtifactKind::Recording), at(100));
    card(&mut bench, 1, Some(Frozen::Deleted));
    assert_eq!(bench.owes(), ["PollRoom:0"]);
}

#[test]
fn card_that_cannot_be_changed_owes_one_reply_when_the_meeting_is_over() {
    let mut bench = Bench::open();
    card(&mut bench, 1, Some(Frozen::NotEditable));
    assert_eq!(bench.owes(), ["PollRoom:0"]);
    bench.learn(session_ended("s1", at(90)), at(91));
    assert!(bench.owes().contains(&"RefreshCard:3".to_owned()));
    let row = PostRow {
        post: Some("reply".parse().unwrap()),
        ..PostRow::default()
    };
    bench.meetings[0].posts.insert(PostKey::Final, row);
    assert_eq!(bench.owes(), ["PollArtifacts:0"]);
}

#[test]
fn doubles_are_looked_for_at_their_time() {
    let mut bench = Bench::open();
    let row = PostRow {
        tidy_at: Some(at(70)),
        ..PostRow::default()
    };
    bench.meetings[0].posts.insert(PostKey::Card, row);
    assert_eq!(bench.due("TidyPosts:card"), 70);
}

#[test]
fn answered_request_is_answered_no_more() {
    let mut bench = Bench::open();
    bench.apply(&request(2, "bob", at(5)));
    let answer = format!("Answer:{}", request_id(2));
    assert!(bench.owes().contains(&answer));
    let row = PostRow {
        answered: true,
        ..PostRow::default()
    };
    bench.meetings[0]
        .posts
        .insert(PostKey::Answer(request_id(2)), row);
    assert!(!bench.owes().contains(&answer));
}

#[test]
fn summary_read_twice_keeps_its_first_text() {
    let mut bench = Bench::open();
    bench.learn(artifact("sum", ArtifactKind::Summary), at(100));
    for text in ["first", "second"] {
        let (meeting, artifact, text) = (meeting(1), "sum".parse().unwrap(), text.to_owned());
        bench.learn(
            Fact::SummaryRead {
                meeting,
                artifact,
                text,
            },
            at(101),
        );
    }
    let kept = bench.meeting().artifacts.values().next().unwrap();
    assert_eq!(kept.text.as_deref(), Some("first"));
    assert_eq!(bench.view().summaries, 1);
}

#[test]
fn artifact_found_by_asking_is_the_one_that_was_told() {
    let mut bench = Bench::open();
    bench.learn(artifact("rec", ArtifactKind::Recording), at(100));
    let nameless = SessionRef {
        room: None,
        ..session("s1", at(1))
    };
    let (artifact, kind) = ("rec".parse().unwrap(), ArtifactKind::Recording);
    bench.learn(
        Fact::ArtifactCreated {
            session: nameless,
            artifact,
            kind,
        },
        at(200),
    );
    assert_eq!(bench.view().recordings, 1);
}

#[test]
fn f6_a_refused_card_does_not_come_back_at_once_in_another_version() {
    let mut bench = Bench::open();
    bench.learn(given_up("RefreshCard:2"), at(2));
    let applied = bench.learn(joined(session("s1", at(3)), "p1", "Ana"), at(3));
    assert!(
        keys(&applied.publish)
            .iter()
            .all(|key| !key.starts_with("RefreshCard"))
    );
    assert_eq!(bench.due("RefreshCard:3"), 3 + 60);
    // Each version that is refused makes the pause longer, up to a bound.
    for (version, pause) in [(3, 120), (4, 240), (5, 480), (6, 600), (7, 600)] {
        bench.learn(given_up(&format!("RefreshCard:{version}")), at(3));
        let participant = format!("q{version}");
        bench.learn(joined(session("s1", at(4)), &participant, "Bob"), at(4));
        assert_eq!(
            bench.due(&format!("RefreshCard:{}", version + 1)),
            4 + pause
        );
    }
    // A person's replay counts at once.
    let mut bench = Bench::open();
    bench.learn(given_up("RefreshCard:2"), at(2));
    bench.learn(joined(session("s1", at(3)), "p1", "Ana"), at(3));
    let applied = bench.learn(replayed("RefreshCard:2"), at(4));
    assert!(keys(&applied.publish).contains(&"RefreshCard:3".to_owned()));
    assert_eq!(bench.due("RefreshCard:3"), 3);
}
