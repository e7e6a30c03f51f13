#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::domain::card::{Late, WhyLate};
use crate::domain::meeting::Ended;
use crate::domain::rule::Rules;
use crate::domain::{Conversation, ConversationKind, Refusal, ServerName, Timestamp};

/// 2026-11-21 14:02:00 UTC.
const START: Timestamp = Timestamp::from_seconds(1_795_269_720);

fn view(state: State) -> CardView {
    let is_over = !state.is_running();
    let had_room = matches!(state, State::Ended | State::Missed);
    let lasted = Duration::from_secs(24 * 60);
    CardView {
        state,
        title: "Weekly sync".to_owned(),
        starter: "ana".to_owned(),
        requested_at: START,
        started_at: (state != State::Creating).then_some(START),
        ended: (is_over && had_room).then(|| Ended {
            at: START.plus(lasted),
            is_about: false,
            lasted: Some(lasted),
        }),
        names: vec!["Ana".to_owned(), "Bob".to_owned()],
        people: 2,
        present: 0,
        is_recording: false,
        recordings: 1,
        summaries: 0,
        is_ending: false,
        refused: (state == State::Failed).then_some(Refusal::Unauthorized),
        room: "mm-abcdefghijklm".parse().unwrap(),
    }
}

fn frame() -> CardFrame {
    CardFrame {
        join_link: "https://relay.example.org/join/T".to_owned(),
        starter_name: None,
        time_zone: TimeZone::UTC,
        late: None,
    }
}

fn shown(view: &CardView, frame: &CardFrame) -> String {
    let notice = notice(view, frame);
    let attachment = notice.attachment.unwrap();
    let fields: String = attachment
        .fields
        .iter()
        .map(|field| format!("\n[{}] {}", field.title, field.value))
        .collect();
    format!(
        "{}\n({}) {} -> {}\n{}{fields}\n{}\n= {}",
        notice.message,
        attachment.color,
        attachment.title,
        attachment.title_link.as_deref().unwrap_or("nowhere"),
        attachment.text,
        attachment.footer,
        attachment.fallback,
    )
}

fn late(by: Duration) -> Option<Late> {
    let why = WhyLate::Unknown;
    Some(Late { by, why })
}

#[test]
fn start_before_the_room_exists() {
    insta::assert_snapshot!(shown(&view(State::Creating), &frame()), @r"
    ana is starting **Weekly sync**
    (#1c58d9) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by ana

    The room is still to come; the link waits for it.

    **[Join the meeting](https://relay.example.org/join/T)**

    Who is in it, and what it leaves behind, is behind the link.
    Room mm-abcdefghijklm
    = ana is starting the meeting Weekly sync.
    ");
}

#[test]
fn start_with_an_open_room_and_with_people_in_it() {
    let open = shown(&view(State::Open), &frame());
    insta::assert_snapshot!(open, @r"
    ana started **Weekly sync**
    (#1c58d9) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by ana

    **[Join the meeting](https://relay.example.org/join/T)**

    Who is in it, and what it leaves behind, is behind the link.
    Room mm-abcdefghijklm
    = ana started the meeting Weekly sync at 14:02 UTC.
    ");
    assert_eq!(open, shown(&view(State::Live), &frame()));
}

#[test]
fn end_with_duration_people_and_recap() {
    insta::assert_snapshot!(shown(&view(State::Ended), &frame()), @r"
    **Weekly sync** ended, 24 min
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by ana
    Ended 14:26 UTC · 24 min

    [Recap](https://relay.example.org/join/T)
    [Took part] 2: Ana, Bob
    Room mm-abcdefghijklm
    = The meeting Weekly sync has ended after 24 min.
    ");
}

#[test]
fn end_of_a_meeting_that_nobody_came_to() {
    let view = CardView {
        recordings: 0,
        people: 0,
        ..view(State::Missed)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    **Weekly sync** ended, nobody came
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by ana
    Ended 14:26 UTC · 24 min · nobody came

    [Recap](https://relay.example.org/join/T)
    Room mm-abcdefghijklm
    = The meeting Weekly sync has ended, nobody came.
    ");
}

#[test]
fn cancelled_and_failed_say_why() {
    insta::assert_snapshot!(shown(&view(State::Cancelled), &frame()), @r"
    **Weekly sync** was cancelled
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by ana

    It was ended before its room was ready.
    Room mm-abcdefghijklm
    = The meeting Weekly sync was cancelled before it began.
    ");
    insta::assert_snapshot!(shown(&view(State::Failed), &frame()), @r"
    **Weekly sync** could not be started
    (#c62828) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by ana

    plugNmeet refuses the relay's API key. An administrator must correct `plugnmeet.api_key` and `plugnmeet.api_secret`; then start the meeting again. ref mm-abcdefghijklm
    Room mm-abcdefghijklm
    = The meeting Weekly sync could not be started.
    ");
}

#[test]
fn late_notice_says_so() {
    let frame = CardFrame {
        late: late(Duration::from_secs(7200)),
        ..frame()
    };
    insta::assert_snapshot!(shown(&view(State::Open), &frame), @r"
    ana started **Weekly sync**
    (#1c58d9) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by ana

    **[Join the meeting](https://relay.example.org/join/T)**

    Who is in it, and what it leaves behind, is behind the link.

    This notice came late: it could not be posted here earlier. The times are the real ones.
    Room mm-abcdefghijklm
    = ana started the meeting Weekly sync at 14:02 UTC.
    ");
}

/// A plugin may create posts in a way that triggers outgoing webhooks, so a notice must not match a phrase. (A user
/// name contains neither spaces nor colons.)
#[test]
fn no_notice_starts_a_meeting_whatever_the_starter_is_called() {
    let rules = Rules::new(vec![]);
    let place = Conversation {
        server: ServerName::default_server(),
        team: None,
        team_name: "eng".to_owned(),
        channel: "c1".parse().unwrap(),
        channel_name: "dev".to_owned(),
        thread: None,
        kind: ConversationKind::Channel,
    };
    let starts_meeting = |text: &str| rules.choose_by_text(&place, "ana", text).is_some();
    assert!(starts_meeting("meet now"), "the rules are in effect");
    for state in [State::Creating, State::Open, State::Ended, State::Failed] {
        for name in ["meet", "Meet", "meet.now"] {
            let view = CardView {
                starter: name.to_owned(),
                title: name.to_owned(),
                ..view(state)
            };
            let message = notice(&view, &frame()).message;
            assert!(!starts_meeting(&message), "{message}");
        }
    }
}
