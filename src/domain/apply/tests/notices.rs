//! What is owed where nothing can be edited, and in direct messages.

use crate::domain::post::Frozen;
use crate::domain::{
    ArtifactKind, Conversation, ConversationKind, DeliveryMethod, Fact, Notice, PostKey, PostRow,
    Refusal, TriggerSource,
};

use super::bench::refused;
use super::interleavings::facts::{
    artifact, end_requested, joined, meeting_id, peer, requested, room_created, session_ended,
};
use super::interleavings::relay::{Relay, at, mins};

/// A relay whose way out is an incoming webhook, with one requested meeting.
fn noticing() -> Relay {
    let mut relay = Relay::new();
    relay.policy.schedule.delivery_method = DeliveryMethod::Notices;
    relay.tell(0, requested());
    relay
}

/// A relay with a bot, and a meeting that was asked for in a direct message.
fn direct(has_hook: bool) -> Relay {
    let mut relay = Relay::new();
    let mut fact = requested();
    if let Fact::MeetingRequested { place, via, .. } = &mut fact {
        *place = Conversation {
            kind: ConversationKind::Direct,
            ..place.clone()
        };
        if !has_hook {
            *via = TriggerSource::SlashCommand { hook: None };
        }
    }
    relay.tell(0, fact);
    relay
}

fn posted(relay: &mut Relay, notice: Notice) {
    let now = relay.now;
    let posts = &mut relay.meeting_mut().posts;
    let row = posts.entry(notice.post_key()).or_default();
    row.begin_notice(now, mins(1));
    row.notice_made(now);
}

/// The chat jobs that are owed, with their due times.
fn owes(relay: &Relay) -> Vec<(String, i64)> {
    let posts = relay.owed().into_iter().filter(|owed| {
        let kind = owed.job.kind();
        kind.starts_with("Post") || kind == "RefreshCard" || kind == "TidyPosts"
    });
    posts
        .map(|owed| {
            let seconds = (owed.due.millis() - at(0).millis()) / 1000;
            (owed.job.key(), seconds)
        })
        .collect()
}

fn one(job: &str, due: i64) -> Vec<(String, i64)> {
    vec![(job.to_owned(), due)]
}

#[test]
fn start_is_told_when_the_room_opens_or_two_seconds_after_the_request() {
    let mut relay = noticing();
    assert_eq!(owes(&relay), one("PostNotice:start", 2));
    relay.tell(1, room_created("A", 0));
    assert_eq!(owes(&relay), one("PostNotice:start", 0), "at once");
    posted(&mut relay, Notice::Start);
    relay.tell(5, joined("A", "PA_1", "u-ana", "Ana", 3));
    assert_eq!(owes(&relay), [], "nothing is edited");
}

#[test]
fn room_that_opens_after_its_start_was_told_is_not_told_again() {
    let mut relay = noticing();
    posted(&mut relay, Notice::Start);
    relay.tell(10, room_created("A", 0));
    assert_eq!(owes(&relay), []);
}

#[test]
fn failure_is_one_notice_whether_the_start_was_told_or_not() {
    for is_told in [false, true] {
        let mut relay = noticing();
        if is_told {
            posted(&mut relay, Notice::Start);
        }
        let meeting = meeting_id(1);
        let reason = Refusal::Refused;
        relay.tell(7, refused(meeting, reason));
        assert_eq!(owes(&relay), one("PostNotice:end", 7));
        posted(&mut relay, Notice::End);
        assert_eq!(owes(&relay), []);
    }
}

#[test]
fn end_waits_a_moment_for_the_last_webhooks() {
    let mut relay = noticing();
    relay.tell(1, room_created("A", 0));
    posted(&mut relay, Notice::Start);
    relay.tell(300, session_ended("A", 0, 299));
    assert_eq!(owes(&relay), one("PostNotice:end", 302));
    relay.tell(301, joined("A", "PA_1", "u-ana", "Ana", 3));
    assert_eq!(owes(&relay), one("PostNotice:end", 302), "no longer");
}

#[test]
fn meeting_that_is_being_ended_is_not_announced() {
    let mut relay = noticing();
    relay.tell(1, end_requested("ana"));
    assert_eq!(owes(&relay), []);
    let meeting = meeting_id(1);
    relay.tell(
        2,
        Fact::EndTried {
            meeting,
            gone: true,
        },
    );
    assert_eq!(owes(&relay), one("PostNotice:end", 2), "cancelled");
}

#[test]
fn unknown_outcome_is_owed_again_at_its_time() {
    let mut relay = noticing();
    let now = relay.now;
    let posts = &mut relay.meeting_mut().posts;
    let row = posts.entry(PostKey::Card).or_default();
    row.begin_notice(now, mins(1));
    assert_eq!(owes(&relay), one("PostNotice:start", 60));
}

#[test]
fn recording_follows_the_notice_of_its_meeting() {
    let mut relay = noticing();
    relay.tell(1, room_created("A", 0));
    relay.tell(100, artifact("A", "rec", ArtifactKind::Recording, 90));
    assert_eq!(owes(&relay), one("PostNotice:start", 0));
    posted(&mut relay, Notice::Start);
    assert_eq!(owes(&relay), one("PostArtifact:rec", 100));
    relay.tell(110, session_ended("A", 0, 105));
    assert_eq!(owes(&relay), one("PostNotice:end", 112), "the end first");
    let given_up = Fact::JobGivenUp {
        meeting: meeting_id(1),
        job: "PostNotice:end".to_owned(),
    };
    relay.tell(120, given_up);
    assert_eq!(owes(&relay), one("PostArtifact:rec", 100));
}

#[test]
fn meeting_told_by_notices_is_told_no_second_time_by_a_bot() {
    let mut relay = noticing();
    relay.tell(1, room_created("A", 0));
    posted(&mut relay, Notice::Start);
    relay.tell(300, session_ended("A", 0, 299));
    posted(&mut relay, Notice::End);
    relay.policy.schedule.delivery_method = DeliveryMethod::Posts;
    assert_eq!(owes(&relay), []);
    // And one that has a card is told its end alone by notices.
    let mut relay = Relay::opened();
    relay.show_card();
    relay.policy.schedule.delivery_method = DeliveryMethod::Notices;
    assert_eq!(owes(&relay), []);
    relay.tell(300, session_ended("A", 0, 299));
    assert_eq!(owes(&relay), one("PostNotice:end", 302));
}

#[test]
fn direct_message_is_told_through_its_response_url_while_that_lives() {
    let mut relay = direct(true);
    assert_eq!(owes(&relay), one("PostNotice:start", 2));
    relay.tell(1, room_created("A", 0));
    posted(&mut relay, Notice::Start);
    relay.tell(100, artifact("A", "rec", ArtifactKind::Recording, 90));
    assert_eq!(owes(&relay), [], "the end comes first");
    relay.tell(1700, session_ended("A", 0, 1690));
    assert_eq!(owes(&relay), one("PostNotice:end", 1702));
    posted(&mut relay, Notice::End);
    assert_eq!(owes(&relay), one("PostArtifact:rec", 100));
    let lapsed = PostRow {
        frozen: Some(Frozen::Lapsed),
        ..PostRow::default()
    };
    let key = PostKey::Artifact("rec".parse().unwrap());
    relay.meeting_mut().posts.insert(key, lapsed);
    assert_eq!(owes(&relay), []);
}

#[test]
fn end_after_half_an_hour_owes_a_direct_message_nothing() {
    let mut relay = direct(true);
    relay.tell(1, room_created("A", 0));
    posted(&mut relay, Notice::Start);
    relay.tell(1799, session_ended("A", 0, 1790));
    assert_eq!(owes(&relay), [], "it would settle too late");
    assert_eq!(relay.view().ended.unwrap().at, peer(1790));
}

#[test]
fn fifth_use_of_a_response_url_is_the_last() {
    let mut relay = direct(true);
    relay.tell(1, room_created("A", 0));
    posted(&mut relay, Notice::Start);
    relay.tell(100, session_ended("A", 0, 90));
    posted(&mut relay, Notice::End);
    for (number, id) in ["r1", "r2", "r3", "r4"].into_iter().enumerate() {
        relay.tell(
            101 + number as i64,
            artifact("A", id, ArtifactKind::Recording, 90),
        );
    }
    assert_eq!(owes(&relay).len(), 4);
    for id in ["r1", "r2", "r3"] {
        let now = relay.now;
        let key = PostKey::Artifact(id.parse().unwrap());
        let row = relay.meeting_mut().posts.entry(key).or_default();
        row.begin_notice(now, mins(1));
        row.notice_made(now);
    }
    assert_eq!(owes(&relay), []);
}

#[test]
fn direct_message_without_a_response_url_owes_no_post() {
    let mut relay = direct(false);
    relay.tell(1, room_created("A", 0));
    relay.tell(100, session_ended("A", 0, 90));
    assert_eq!(owes(&relay), []);
}
