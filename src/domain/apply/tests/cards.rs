//! What is owed to people: the card, its thread, their answers.

use crate::domain::post::Frozen;
use crate::domain::{ArtifactKind, Fact, Job, PlaceKind, PostKey};

use super::facts::*;
use super::relay::{Relay, at, kinds, published};

#[test]
fn first_card_is_due_two_seconds_after_the_request_while_the_room_is_made() {
    let relay = Relay::started();
    assert_eq!(relay.due("RefreshCard"), Some(2));
}

#[test]
fn first_card_is_due_at_once_when_the_room_is_open() {
    let mut relay = Relay::started();
    let applied = relay.tell(1, room_created("A", 0));
    assert!(published(&applied, &Job::RefreshCard { version: 2 }));
    assert_eq!(relay.due("RefreshCard"), Some(1));
}

#[test]
fn card_is_owed_while_it_is_behind_and_only_then() {
    let mut relay = Relay::opened();
    relay.show_card();
    assert!(!relay.owes("RefreshCard"));
    let applied = relay.tell(10, joined("A", "PA_1", "u-bob", "Bob", 8));
    assert!(published(&applied, &Job::RefreshCard { version: 3 }));
    relay.show_card();
    let nothing_new = relay.tell(11, polled("A", false));
    assert!(!relay.owes("RefreshCard"));
    assert_eq!(kinds(&nothing_new), ["PollRoom"]);
}

#[test]
fn direct_message_owes_no_card_and_no_posts() {
    let mut relay = Relay::new();
    let mut fact = requested();
    if let Fact::MeetingRequested { place, .. } = &mut fact {
        place.kind = PlaceKind::Direct;
    }
    let applied = relay.tell(0, fact);
    assert_eq!(kinds(&applied), ["CreateRoom"]);
    relay.tell(2, room_created("A", 0));
    relay.tell(5, artifact("A", "rec-1", ArtifactKind::Recording, 4));
    assert!(!relay.owes("RefreshCard") && !relay.owes("PostArtifact"));
}

#[test]
fn failed_start_in_a_direct_message_is_answered() {
    let mut relay = Relay::new();
    let mut fact = requested();
    if let Fact::MeetingRequested { place, .. } = &mut fact {
        place.kind = PlaceKind::Direct;
    }
    relay.tell(0, fact);
    assert!(!relay.owes("Answer"));
    relay.tell(901, woken(&relay.meeting().clone()));
    assert!(relay.owes("Answer"));
}

#[test]
fn deleted_card_owes_no_posts() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.card().frozen = Some(Frozen::Deleted);
    relay.tell(5, artifact("A", "rec-1", ArtifactKind::Recording, 4));
    relay.tell(60, session_ended("A", 0, 55));
    assert!(!relay.owes("RefreshCard") && !relay.owes("PostArtifact"));
}

#[test]
fn card_that_can_no_longer_be_edited_owes_one_last_reply() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.card().frozen = Some(Frozen::NotEditable);
    relay.tell(5, joined("A", "PA_1", "u-bob", "Bob", 4));
    assert!(!relay.owes("RefreshCard"), "not while it runs");
    relay.tell(60, session_ended("A", 0, 55));
    assert!(relay.owes("RefreshCard"));
    let reply = relay.meeting_mut().posts.entry(PostKey::Final).or_default();
    reply.post = Some("final".parse().unwrap());
    assert!(!relay.owes("RefreshCard"));
}

#[test]
fn artifacts_are_posted_once_there_is_a_card_to_stand_under() {
    let mut relay = Relay::opened();
    relay.tell(5, artifact("A", "rec-1", ArtifactKind::Recording, 4));
    assert!(!relay.owes("PostArtifact"));
    relay.show_card();
    assert!(relay.owes("PostArtifact"));
    let key = PostKey::Artifact("rec-1".parse().unwrap());
    let row = relay.meeting_mut().posts.entry(key).or_default();
    row.post = Some("reply".parse().unwrap());
    assert!(!relay.owes("PostArtifact"));
}

#[test]
fn summary_is_read_before_it_is_posted() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.tell(5, artifact("A", "sum-1", ArtifactKind::Summary, 4));
    assert!(relay.owes("FetchArtifact") && !relay.owes("PostArtifact"));
    relay.tell(6, summary_read("sum-1"));
    assert!(!relay.owes("FetchArtifact") && relay.owes("PostArtifact"));
}

#[test]
fn transcripts_and_analytics_are_not_posted() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.tell(5, artifact("A", "txt-1", ArtifactKind::Transcript, 4));
    relay.tell(5, artifact("A", "num-1", ArtifactKind::Analytics, 4));
    assert!(!relay.owes("FetchArtifact") && !relay.owes("PostArtifact"));
}

#[test]
fn answered_request_is_owed_nothing() {
    let mut relay = Relay::opened();
    let request = relay.tell(10, requested_by(2, "bob")).event.into();
    assert!(relay.owes("Answer"));
    let row = relay.meeting_mut().posts.entry(PostKey::Answer(request));
    row.or_default().answered = true;
    assert!(!relay.owes("Answer"));
}

#[test]
fn doubtful_post_is_looked_after() {
    let mut relay = Relay::opened();
    relay.show_card();
    relay.card().tidy_at = Some(at(70));
    assert_eq!(relay.due("TidyPosts"), Some(70));
}
