//! When things are published, and what the sweep does.

use crate::domain::{ArtifactKind, Fact, Job};

use super::facts::*;
use super::relay::{Relay, at, event, kinds, mins, published, secs};

#[test]
fn only_what_is_newly_owed_is_published() {
    let mut relay = Relay::new();
    let applied = relay.tell(0, requested());
    assert_eq!(kinds(&applied), ["CreateRoom", "RefreshCard"]);
    let applied = relay.tell(2, room_created("A", 0));
    assert_eq!(kinds(&applied), ["PollRoom", "RefreshCard"]);
    let session = session_of("A", 0, 0);
    let applied = relay.tell(3, Fact::SessionSeen { session });
    assert!(applied.publish.is_empty(), "told nothing new");
}

#[test]
fn double_publishes_what_is_owed_again() {
    let mut relay = Relay::started();
    let created = event(1, 2, room_created("A", 0));
    let first = relay.apply(&created);
    let before = relay.meeting().clone();
    let again = relay.apply(&created);
    assert_eq!(first.publish, again.publish);
    assert_eq!(*relay.meeting(), before);
}

#[test]
fn room_is_polled_a_minute_after_it_is_known_then_every_two() {
    let mut relay = Relay::opened();
    assert_eq!(relay.due("PollRoom"), Some(62));
    let applied = relay.tell(62, polled("A", false));
    assert!(published(&applied, &Job::PollRoom { polled: 1 }));
    assert_eq!(relay.due("PollRoom"), Some(182));
    relay.tell(182, polled("A", false));
    assert_eq!(relay.due("PollRoom"), Some(302));
    relay.tell(302, polled("A", true));
    assert!(!relay.owes("PollRoom"));
}

#[test]
fn artifacts_are_asked_for_on_schedule_after_the_end_is_known() {
    let mut relay = Relay::opened();
    assert!(!relay.owes("PollArtifacts"));
    relay.tell(100, session_ended("A", 0, 50));
    let schedule = relay.policy.schedule.artifact_polls.clone();
    for (step, after) in (0_u32..).zip(schedule.iter()) {
        let due = 100 + i64::try_from(after.as_secs()).unwrap();
        assert_eq!(relay.due("PollArtifacts"), Some(due));
        relay.tell(due, artifacts_polled(step));
    }
    assert!(!relay.owes("PollArtifacts"), "they have an end");
}

#[test]
fn jobs_far_off_are_not_published_but_woken_for() {
    let mut relay = Relay::opened();
    relay.tell(100, session_ended("A", 0, 50));
    relay.show_card();
    for step in 0..3 {
        relay.tell(200, artifacts_polled(step));
    }
    let applied = relay.tell(200, artifacts_polled(3));
    assert!(applied.publish.is_empty());
    assert_eq!(relay.meeting().wake_at, Some(at(3700)), "when it is due");
    let applied = relay.tell(3700, woken(&relay.meeting().clone()));
    assert!(published(&applied, &Job::PollArtifacts { step: 4 }));
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

#[test]
fn sweep_raises_the_round_publishes_all_and_doubles_its_pause() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.tell(10, end_requested("ana"));
    relay.tell(10, end_tried(false));
    let mut now = 100;
    for (round, pause) in (1_u32..).zip([2, 4, 8, 10, 10, 10]) {
        let applied = relay.tell(now, woken(&relay.meeting().clone()));
        assert_eq!(applied.meeting, Some((meeting_id(1), round)));
        assert!(published(&applied, &Job::EndRoom { tried: 1 }));
        let wake_at = at(now).plus(mins(pause));
        assert_eq!(relay.meeting().wake_at, Some(wake_at), "round {round}");
        now += 1000;
    }
}

#[test]
fn new_fact_starts_the_pauses_at_one_minute_again() {
    let mut relay = Relay::started();
    assert_eq!(relay.meeting().wake_at, Some(at(60)));
    for seconds in [60, 180] {
        relay.tell(seconds, woken(&relay.meeting().clone()));
    }
    assert_eq!(relay.meeting().wake_at, Some(at(180).plus(mins(4))));
    relay.tell(200, end_requested("bob"));
    assert_eq!(relay.meeting().wake_at, Some(at(260)));
    assert_eq!(relay.meeting().round, 2, "the round stays");
}

#[test]
fn stale_wake_up_changes_nothing() {
    let mut relay = Relay::started();
    let stale = woken(relay.meeting());
    relay.tell(60, stale.clone());
    let before = relay.meeting().clone();
    // Another replica's sweep that looked at the same moment.
    let applied = relay.tell(60, stale);
    assert_eq!(*relay.meeting(), before);
    assert_eq!(applied.meeting, Some((meeting_id(1), 1)));
}

#[test]
fn meeting_that_owes_nothing_is_not_woken() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.policy.schedule.artifact_polls = [].into();
    relay.tell(60, session_ended("A", 0, 50));
    relay.show_card();
    relay.tell(61, room_finished("A", 51));
    assert!(relay.owed().is_empty());
    assert_eq!(relay.meeting().wake_at, None);
}

#[test]
fn job_given_up_is_not_owed_until_it_is_replayed() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.tell(5, artifact("A", "rec-1", ArtifactKind::Recording, 4));
    let artifact = "rec-1".parse().unwrap();
    let post = Job::PostArtifact { artifact };
    let (meeting, job) = (meeting_id(1), post.key());
    let given_up = relay.tell(6, Fact::JobGivenUp { meeting, job });
    assert!(!relay.owes("PostArtifact") && given_up.publish.is_empty());
    let woken = relay.tell(400, woken(&relay.meeting().clone()));
    assert!(!published(&woken, &post));
    let job = post.key();
    let replayed = relay.tell(500, Fact::JobReplayed { meeting, job });
    assert!(published(&replayed, &post));
}
