#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::domain::apply::{Aim, Fresh, Policy, decide};
use crate::domain::owed::Schedule;
use crate::domain::{
    ConversationKind, DeliveryMethod, Event, EventId, Fact, MeetingId, Moderators, Notify, Origin,
    Person, PostKey, PostRow, RuleChoice, ServerName, TriggerSource,
};

fn place(thread: Option<&str>) -> Conversation {
    Conversation {
        server: ServerName::default_server(),
        team: None,
        team_name: "eng".to_owned(),
        channel: "channel".parse().unwrap(),
        channel_name: "dev".to_owned(),
        thread: thread.map(|root| root.parse().unwrap()),
        kind: ConversationKind::Channel,
    }
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

/// Meeting `number`, which was asked for `number` seconds after the Unix epoch.
fn meeting(number: u32, title: &str, by: &str, thread: Option<&str>) -> Meeting {
    let id = Uuid::from_u128(u128::from(number));
    let at = Timestamp::from_seconds(i64::from(number));
    let event = Event {
        id: EventId::from_uuid(id),
        origin: Origin::relay(number),
        received_at: at,
        fact: Fact::MeetingRequested {
            meeting: MeetingId::from_uuid(id),
            place: place(thread),
            by: Person {
                user_id: user(by),
                user_name: by.to_owned(),
            },
            via: TriggerSource::SlashCommand { hook: None },
            rule: RuleChoice {
                title: title.to_owned(),
                title_source: None,
                moderators: Moderators::Everyone,
                start_deadline: Duration::from_secs(900),
                notify: Notify::default(),
            },
            always_new: false,
            told: None,
        },
    };
    let policy = Policy {
        schedule: Schedule {
            delivery_method: DeliveryMethod::Posts,
            first_card_after: Duration::ZERO,
            end_again_after: Duration::ZERO,
            poll_first_after: Duration::ZERO,
            poll_every: Duration::ZERO,
            artifact_polls: Arc::default(),
        },
        publish_ahead: Duration::ZERO,
        wake_after: Arc::default(),
    };
    let fresh = Fresh { room: [0; 13] };
    let (meeting, _) = decide(None, Aim::at(None), &event, &fresh, &policy, at);
    Meeting {
        number,
        ..meeting.unwrap()
    }
}

/// The meeting with a card `post` in the thread `root`.
fn with_card(mut meeting: Meeting, post: &str, root: Option<&str>) -> Meeting {
    let row = PostRow {
        post: Some(post.parse().unwrap()),
        root: root.map(|root| root.parse().unwrap()),
        ..PostRow::default()
    };
    meeting.posts.insert(PostKey::Card, row);
    meeting
}

/// The number of the meeting that `end` chooses, or those to choose from.
fn chosen(running: &[&Meeting], thread: Option<&str>, by: &str, words: &str) -> Vec<u32> {
    match to_end(running, &place(thread), &user(by), words) {
        EndChoice::One(meeting) => vec![meeting.number],
        EndChoice::Nothing => Vec::new(),
        EndChoice::Unclear(from) => {
            let numbers = from.iter().map(|line| line.number);
            std::iter::once(0).chain(numbers).collect()
        }
    }
}

#[test]
fn f21_end_without_words_means_the_newest_own_meeting() {
    let (first, second) = (
        meeting(1, "Alpha", "ana", None),
        meeting(2, "Beta", "bob", None),
    );
    let third = meeting(3, "Gamma", "bob", None);
    let running = [&first, &third, &second];
    assert_eq!(chosen(&running, None, "ana", ""), [1]);
    assert_eq!(chosen(&running, None, "bob", " "), [3]);
    assert_eq!(chosen(&running, None, "eve", ""), [3], "an administrator's");
    assert!(chosen(&[], None, "eve", "").is_empty());
    assert!(chosen(&[], None, "eve", "Alpha").is_empty());
}

#[test]
fn f21_words_choose_by_title_or_number() {
    let weekly = meeting(1, "Weekly sync", "ana", None);
    let other = meeting(2, "Weekly", "bob", None);
    let retro = meeting(4, "Retro \u{200b}@all 🎉", "bob", None);
    let two = meeting(7, "2", "bob", None);
    let running = [&weekly, &other, &retro, &two];
    for (words, expected) in [
        ("WEEKLY  sync", &[1][..]),
        ("\"weekly sync\"", &[1]),
        ("**Weekly sync**", &[1]),
        ("weekly", &[2]),
        ("week", &[0, 2, 1]),
        ("sync", &[1]),
        ("retro @all", &[4]),
        ("🎉", &[4]),
        ("4", &[4]),
        ("#4", &[4]),
        // A title is matched before a number.
        ("2", &[7]),
        ("3", &[0, 7, 4, 2, 1]),
        ("nothing of the kind", &[0, 7, 4, 2, 1]),
        // The middle of a word does not match.
        ("ync", &[0, 7, 4, 2, 1]),
    ] {
        assert_eq!(chosen(&running, None, "eve", words), expected, "{words}");
    }
    // The number of a meeting that has ended does not match a part of another's title.
    let planning = meeting(8, "Q1 planning 1", "bob", None);
    assert_eq!(chosen(&[&planning], None, "eve", "1"), [0, 8]);
    let twin = meeting(9, "Weekly sync", "bob", None);
    assert_eq!(
        chosen(&[&weekly, &twin], None, "ana", "weekly sync"),
        [0, 9, 1]
    );
}

#[test]
fn number_is_not_used_again_while_a_newer_meeting_runs() {
    assert_eq!(next_number(&[]), 1);
    let (third, old) = (meeting(3, "x", "ana", None), meeting(0, "x", "ana", None));
    assert_eq!(next_number(&[&third, &old]), 4);
    // Meetings of earlier versions have no number.
    assert_eq!(chosen(&[&old], None, "eve", "0"), [0, 0]);
}

#[test]
fn f22_meeting_belongs_to_the_thread_of_its_card() {
    let outside = with_card(meeting(1, "Outside", "ana", None), "card1", None);
    let inside = meeting(2, "Inside", "ana", Some("root"));
    // A phrase whose thread became known with its card, and a meeting whose thread was deleted.
    let learned = with_card(meeting(3, "Learned", "ana", None), "card3", Some("other"));
    let homeless = with_card(meeting(4, "Homeless", "ana", Some("gone")), "card4", None);
    let running = [&outside, &inside, &learned, &homeless];
    let seen = |thread| {
        let seen = seen_from(&running, &place(thread));
        seen.iter()
            .map(|meeting| meeting.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(None), [4, 3, 2, 1]);
    assert_eq!(seen(Some("root")), [2]);
    assert_eq!(seen(Some("other")), [3]);
    assert_eq!(seen(Some("gone")), [] as [u32; 0]);
    assert_eq!(seen(Some("card1")), [1], "the card's own thread");
    let offer = |thread| {
        let at = Timestamp::from_seconds(5);
        offered(&running, &place(thread), at).map(|meeting| meeting.number)
    };
    assert_eq!(offer(None), Some(4));
    assert_eq!(offer(Some("root")), Some(2));
    assert_eq!(offer(Some("card1")), Some(1));
    assert_eq!(offer(Some("elsewhere")), None);
    let in_threads = [&inside, &learned];
    let at = Timestamp::from_seconds(5);
    assert_eq!(offered(&in_threads, &place(None), at), None);
    // `end` in a thread means the thread's meetings, unless its words match only others.
    assert_eq!(chosen(&running, Some("root"), "ana", ""), [2]);
    assert_eq!(chosen(&running, Some("root"), "ana", "outside"), [1]);
    assert_eq!(chosen(&running, Some("gone"), "ana", ""), [0, 4, 3, 2, 1]);
    assert_eq!(chosen(&running, None, "ana", ""), [4]);
}
