#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod late;

use super::*;
use crate::domain::meeting::Ended;
use crate::domain::{Refusal, Timestamp};

/// 2026-11-21 14:02:00 UTC.
const START: Timestamp = Timestamp::from_seconds(1_795_269_720);
const MINUTE: Duration = Duration::from_secs(60);

fn view(state: State) -> CardView {
    CardView {
        state,
        title: "Weekly sync".to_owned(),
        starter: "ana".to_owned(),
        requested_at: START,
        started_at: None,
        ended: None,
        names: vec![],
        people: 0,
        present: 0,
        is_recording: false,
        recordings: 0,
        summaries: 0,
        is_ending: false,
        refused: None,
        room: "mm-abcdefghijklm".parse().unwrap(),
    }
}

fn with_people(state: State, names: &[&str], people: usize, present: usize) -> CardView {
    CardView {
        started_at: Some(START),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        people,
        present,
        ..view(state)
    }
}

fn ended(minutes: u32, is_about: bool) -> Option<Ended> {
    let lasted = MINUTE * minutes;
    Some(Ended {
        at: START.plus(lasted),
        is_about,
        lasted: Some(lasted),
    })
}

fn frame() -> CardFrame {
    CardFrame {
        join_link: "https://relay.example.org/join/T".to_owned(),
        starter_name: Some("Ana".to_owned()),
        time_zone: TimeZone::UTC,
        late: None,
    }
}

/// The card as one text.
fn shown(view: &CardView, frame: &CardFrame) -> String {
    let card = render(view, frame);
    let attachment = card.attachment.unwrap();
    let fields: String = attachment
        .fields
        .iter()
        .map(|field| format!("\n[{}] {}", field.title, field.value))
        .collect();
    format!(
        "{}\n({}) {} -> {}\n{}{fields}\n{}\n= {}",
        card.message,
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
fn room_is_being_prepared() {
    insta::assert_snapshot!(shown(&view(State::Creating), &frame()), @r"
    Ana is starting **Weekly sync**
    (#1c58d9) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by Ana

    The room is being prepared… The link works already and waits for it.

    **[Join the meeting](https://relay.example.org/join/T)**
    Room mm-abcdefghijklm
    = Ana is starting the meeting Weekly sync.
    ");
}

#[test]
fn request_is_being_cancelled() {
    let view = CardView {
        is_ending: true,
        ..view(State::Creating)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    Ana is starting **Weekly sync**
    (#1c58d9) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by Ana

    It is being cancelled…
    Room mm-abcdefghijklm
    = Ana is starting the meeting Weekly sync.
    ");
}

#[test]
fn open_room_waits_for_people() {
    let view = CardView {
        started_at: Some(START),
        ..view(State::Open)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    Ana started **Weekly sync**
    (#2e7d32) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana

    **[Join the meeting](https://relay.example.org/join/T)**
    [In the meeting] nobody seen yet
    Room mm-abcdefghijklm
    = Ana started the meeting Weekly sync at 14:02 UTC.
    ");
}

#[test]
fn live_meeting_shows_who_is_present() {
    let view = CardView {
        is_recording: true,
        ..with_people(State::Live, &["Ana", "Bob", "Carol"], 3, 3)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    Ana started **Weekly sync**
    (#2e7d32) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana

    **[Join the meeting](https://relay.example.org/join/T)**
    [In the meeting] 3: Ana, Bob, Carol
    [Recording] on
    Room mm-abcdefghijklm
    = Ana started the meeting Weekly sync at 14:02 UTC.
    ");
}

#[test]
fn live_meeting_separates_those_who_left_from_those_who_are_present() {
    let view = with_people(State::Live, &["Ana", "Bob", "Carol"], 3, 1);
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    Ana started **Weekly sync**
    (#2e7d32) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana

    **[Join the meeting](https://relay.example.org/join/T)**
    [In the meeting] 1 now
    [So far] 3: Ana, Bob, Carol
    Room mm-abcdefghijklm
    = Ana started the meeting Weekly sync at 14:02 UTC.
    ");
    let view = with_people(State::Live, &["Ana"], 1, 0);
    assert_eq!(body::fields(&view)[0].value, "nobody now");
}

#[test]
fn meeting_is_being_ended() {
    let view = CardView {
        is_ending: true,
        ..with_people(State::Live, &["Ana"], 1, 1)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    Ana started **Weekly sync**
    (#2e7d32) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana

    The meeting is being ended…
    [In the meeting] 1: Ana
    Room mm-abcdefghijklm
    = Ana started the meeting Weekly sync at 14:02 UTC.
    ");
}

#[test]
fn ended_meeting_shows_its_duration_people_and_artifacts() {
    let names = [
        "Ana", "Bob", "Carol", "Dan", "Eve", "Fay", "Gil", "Hal", "Ida",
    ];
    let view = CardView {
        ended: ended(24, false),
        recordings: 1,
        summaries: 1,
        ..with_people(State::Ended, &names, 11, 0)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    **Weekly sync** ended, 24 min
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana
    Ended 14:26 UTC · 24 min

    [Recap](https://relay.example.org/join/T)
    [Took part] 11: Ana, Bob, Carol, Dan, Eve, Fay, Gil, Hal and 3 more
    [Recordings] 1
    [Summary] 1
    Room mm-abcdefghijklm
    = The meeting Weekly sync has ended after 24 min.
    ");
}

#[test]
fn end_that_only_a_poll_saw_is_marked_as_about() {
    let view = CardView {
        ended: ended(65, true),
        ..with_people(State::Ended, &["Ana"], 1, 0)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    **Weekly sync** ended, about 1 h 05 min
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana
    Ended about 15:07 UTC · about 1 h 05 min

    [Recap](https://relay.example.org/join/T)
    [Took part] 1: Ana
    Room mm-abcdefghijklm
    = The meeting Weekly sync has ended after about 1 h 05 min.
    ");
}

#[test]
fn end_without_a_known_beginning_shows_no_duration() {
    let ended = Some(Ended {
        at: START,
        is_about: false,
        lasted: None,
    });
    let view = CardView {
        ended,
        started_at: None,
        ..with_people(State::Ended, &["Ana"], 1, 0)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    **Weekly sync** ended
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by Ana
    Ended 14:02 UTC

    [Recap](https://relay.example.org/join/T)
    [Took part] 1: Ana
    Room mm-abcdefghijklm
    = The meeting Weekly sync has ended.
    ");
}

#[test]
fn missed_meeting_says_that_nobody_came() {
    let view = CardView {
        ended: ended(10, false),
        started_at: Some(START),
        ..view(State::Missed)
    };
    insta::assert_snapshot!(shown(&view, &frame()), @r"
    **Weekly sync** ended, nobody came
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana
    Ended 14:12 UTC · 10 min · nobody came

    [Recap](https://relay.example.org/join/T)
    Room mm-abcdefghijklm
    = The meeting Weekly sync has ended, nobody came.
    ");
}

#[test]
fn meeting_whose_webhooks_were_lost_does_not_say_that_nobody_came() {
    let seen_by_a_poll = CardView {
        ended: ended(10, true),
        started_at: Some(START),
        ..view(State::Missed)
    };
    let recorded = CardView {
        ended: ended(10, false),
        recordings: 1,
        ..seen_by_a_poll.clone()
    };
    for view in [&seen_by_a_poll, &recorded] {
        assert!(!shown(view, &frame()).contains("nobody came"));
    }
    insta::assert_snapshot!(shown(&seen_by_a_poll, &frame()), @r"
    **Weekly sync** ended
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Started 14:02 UTC by Ana
    Ended about 14:12 UTC · about 10 min · who came is not known

    [Recap](https://relay.example.org/join/T)
    Room mm-abcdefghijklm
    = The meeting Weekly sync has ended.
    ");
}

#[test]
fn cancelled_meeting_links_only_to_its_page() {
    insta::assert_snapshot!(shown(&view(State::Cancelled), &frame()), @r"
    **Weekly sync** was cancelled
    (#9e9e9e) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by Ana

    It was ended before its room was ready.
    Room mm-abcdefghijklm
    = The meeting Weekly sync was cancelled before it began.
    ");
}

#[test]
fn failed_meeting_says_what_to_do() {
    let failed = |refused| CardView {
        refused,
        ..view(State::Failed)
    };
    insta::assert_snapshot!(shown(&failed(Some(Refusal::TooLate)), &frame()), @r"
    **Weekly sync** could not be started
    (#c62828) Weekly sync -> https://relay.example.org/join/T
    Requested 14:02 UTC by Ana

    plugNmeet could not be reached in time, so no room was made. Start the meeting again; if it fails again, tell an administrator. ref mm-abcdefghijklm
    Room mm-abcdefghijklm
    = The meeting Weekly sync could not be started.
    ");
    let text = |refused| render(&failed(refused), &frame()).attachment.unwrap().text;
    insta::assert_snapshot!(text(Some(Refusal::Unauthorized)), @r"
    Requested 14:02 UTC by Ana

    plugNmeet refuses the relay's API key. An administrator must correct `plugnmeet.api_key` and `plugnmeet.api_secret`; then start the meeting again. ref mm-abcdefghijklm
    ");
    insta::assert_snapshot!(text(Some(Refusal::Refused)), @r"
    Requested 14:02 UTC by Ana

    plugNmeet refused to make the room, and trying again will not help. An administrator finds the reason in the relay's log. ref mm-abcdefghijklm
    ");
    insta::assert_snapshot!(text(Some(Refusal::GaveUp)), @r"
    Requested 14:02 UTC by Ana

    plugNmeet answered with errors again and again. Start the meeting again in a few minutes; if it fails again, tell an administrator. ref mm-abcdefghijklm
    ");
    insta::assert_snapshot!(text(None), @r"
    Requested 14:02 UTC by Ana

    The room could not be made. Start the meeting again. ref mm-abcdefghijklm
    ");
}

#[test]
fn late_card_says_so_and_shows_the_date_of_another_day() {
    let frame = CardFrame {
        late: late(MINUTE * 12),
        ..frame()
    };
    let view = with_people(State::Live, &["Ana"], 1, 1);
    insta::assert_snapshot!(render(&view, &frame).attachment.unwrap().text, @r"
    Started 14:02 UTC by Ana

    **[Join the meeting](https://relay.example.org/join/T)**

    This card came late, 12 min after it was asked for: it could not be posted here earlier. The times are the real ones.
    ");
    let frame = CardFrame {
        late: late(MINUTE * 60 * 13),
        ..frame
    };
    insta::assert_snapshot!(render(&view, &frame).attachment.unwrap().text, @r"
    Started 2026-11-21 14:02 UTC by Ana

    **[Join the meeting](https://relay.example.org/join/T)**

    This card came late, 13 h 00 min after it was asked for: it could not be posted here earlier. The times are the real ones.
    ");
}

#[test]
fn meeting_over_midnight_shows_both_dates_in_the_zone() {
    let frame = CardFrame {
        time_zone: TimeZone::fixed(jiff::tz::offset(9)),
        ..frame()
    };
    let view = CardView {
        ended: ended(90, false),
        ..with_people(State::Ended, &["Ana"], 1, 0)
    };
    insta::assert_snapshot!(render(&view, &frame).attachment.unwrap().text, @r"
    Started 2026-11-21 23:02 +09 by Ana
    Ended 2026-11-22 00:32 +09 · 1 h 30 min

    [Recap](https://relay.example.org/join/T)
    ");
}

#[test]
fn durations_are_in_hours_and_minutes() {
    let text = |seconds| words::duration(Duration::from_secs(seconds));
    assert_eq!(text(0), "less than a minute");
    assert_eq!(text(59), "less than a minute");
    assert_eq!(text(60), "1 min");
    assert_eq!(text(3599), "59 min");
    assert_eq!(text(3900), "1 h 05 min");
    assert_eq!(text(100 * 3600), "100 h 00 min");
}

#[test]
fn text_of_people_cannot_inject_markdown() {
    let evil = "@all [x](http://e.example) <!here> `x`\n# **x** \u{202E}";
    let mut view = CardView {
        is_recording: true,
        ..with_people(State::Live, &[evil, "", "\u{200B}"], 3, 3)
    };
    view.title = evil.to_owned();
    let frame = CardFrame {
        starter_name: Some(evil.to_owned()),
        ..frame()
    };
    let shown = shown(&view, &frame);
    for harm in ["@all", "](http:", "<", "\n#", "`", "\u{202E}", "**x**"] {
        assert!(!shown.contains(harm), "{harm} in {shown}");
    }
    assert!(shown.contains(", Guest, Guest"));
}

#[test]
fn empty_names_titles_and_links_have_a_replacement() {
    let mut view = view(State::Live);
    view.title = "\u{200B}".to_owned();
    view.starter = String::new();
    view.requested_at = Timestamp::from_millis(i64::MAX);
    let frame = CardFrame {
        starter_name: Some(" ".to_owned()),
        join_link: String::new(),
        ..frame()
    };
    let card = render(&view, &frame);
    assert_eq!(card.message, "Somebody started **Meeting**");
    let attachment = card.attachment.unwrap();
    assert_eq!(attachment.title_link, None);
    assert_eq!(attachment.text, "Requested at an unknown time by Somebody");
}

#[test]
fn times_beyond_the_calendar_do_not_panic() {
    let millis = [
        i64::MIN,
        -377_705_023_201_000,
        0,
        253_402_207_200_000,
        i64::MAX,
    ];
    for (at, hours) in millis.iter().flat_map(|at| [-25, 0, 25].map(|h| (*at, h))) {
        let at = Timestamp::from_millis(at);
        let view = CardView {
            requested_at: at,
            ended: Some(Ended {
                at,
                is_about: false,
                lasted: Some(Timestamp::from_millis(i64::MAX).since(at)),
            }),
            ..with_people(State::Ended, &["Ana"], 1, 0)
        };
        let frame = CardFrame {
            time_zone: TimeZone::fixed(jiff::tz::offset(hours)),
            late: late(Duration::MAX),
            ..frame()
        };
        assert!(render(&view, &frame).message.contains(" ended"));
    }
}
