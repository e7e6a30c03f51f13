#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod hostile;

use std::time::Duration;

use super::*;
use crate::domain::card::CardFrame;
use crate::domain::choice::Candidate;
use crate::domain::meeting::{CardView, Ended};
use crate::domain::{
    ConversationKind, DeliveryMethod, Presentation, Rendered, ResponseHook, State, Timestamp,
};

const LINK: &str = "https://relay.example.org/join/T";
const REF: &str = "0193-ref";

fn start<'a>(presentation: Presentation<'a>, ignored: &'a [&'a str]) -> Started<'a> {
    let open_link = "https://relay.example.org/join/O";
    Started {
        title: "Weekly sync",
        presentation,
        own_link: LINK,
        open_link,
        ignored,
    }
}

#[test]
fn start_is_answered_with_the_own_link_at_once() {
    insta::assert_snapshot!(started(&start(Presentation::Card, &[])), @"Starting **Weekly sync**. Your own link: **[Join the meeting](https://relay.example.org/join/T)**; the card follows in a moment.");
    insta::assert_snapshot!(started(&start(Presentation::Notices, &[])), @"Starting **Weekly sync**. Your own link: **[Join the meeting](https://relay.example.org/join/T)**; a notice for everybody follows in a moment.");
    let hook = ResponseHook::parse("h").unwrap();
    insta::assert_snapshot!(started(&start(Presentation::ThroughHook(&hook), &[])), @"Starting **Weekly sync**. Your own link: **[Join the meeting](https://relay.example.org/join/T)**; the link for everybody here follows in a moment.");
    insta::assert_snapshot!(started(&start(Presentation::LinkOnly, &[])), @"Starting **Weekly sync**. Your own link: **[Join the meeting](https://relay.example.org/join/T)**. Nothing can be posted here: send this link to the others: https://relay.example.org/join/O");
    let ignored = ["--loud", "`--x` @all", "-3", "-4", "-5", "-6", "-7"];
    let answer = started(&start(Presentation::Card, &ignored)).replace('\u{200B}', "·");
    insta::assert_snapshot!(answer, @r"
    Starting **Weekly sync**. Your own link: **[Join the meeting](https://relay.example.org/join/T)**; the card follows in a moment.
    Ignored unknown words: `--loud`, `'--x' @·all`, `-3`, `-4`, `-5` and 2 more
    ");
}

#[test]
fn second_start_is_offered_the_running_meeting() {
    insta::assert_snapshot!(running_offer("Weekly sync", LINK, REF), @"**Weekly sync** is running here already, so your link leads there: **[Join the meeting](https://relay.example.org/join/T)**. Use `start --new` to start another one. ref 0193-ref");
    insta::assert_snapshot!(running("Weekly sync", LINK, &["--loud"]), @r"
    **Weekly sync** is running here already: **[Join the meeting](https://relay.example.org/join/T)**. Use `start --new` to start another one.
    Ignored unknown words: `--loud`
    ");
    insta::assert_snapshot!(started_or_running(&start(Presentation::Card, &[])), @"Your own link: **[Join the meeting](https://relay.example.org/join/T)**. It leads to the meeting that runs here, or else to a new one, **Weekly sync**.");
    insta::assert_snapshot!(started_or_running(&start(Presentation::LinkOnly, &[])), @"Your own link: **[Join the meeting](https://relay.example.org/join/T)**. It leads to the meeting that runs here, or else to a new one, **Weekly sync**. Nothing can be posted here: send this link to the others: https://relay.example.org/join/O");
    insta::assert_snapshot!(running_line("Weekly sync", LINK), @"**Weekly sync** is running here already: **[Join the meeting](https://relay.example.org/join/T)**");
}

#[test]
fn refusals_say_why_and_end_with_a_reference() {
    insta::assert_snapshot!(not_stored(REF), @"Your request could not be stored, so nothing was started or changed. Please try again in a minute. ref 0193-ref");
    insta::assert_snapshot!(ends_limited(REF), @"You have asked several times within a minute to end the meeting here, so this was not asked again. Please wait a minute. ref 0193-ref");
    insta::assert_snapshot!(not_stored_yet(REF), @"Your request could not be stored yet, so nothing was started. I look for it again by myself; if no card follows within some minutes, please try again. ref 0193-ref");
    insta::assert_snapshot!(rate_limited(REF), @"You have asked for several meetings here within a minute, so this one was not started. Please wait a minute. ref 0193-ref");
    insta::assert_snapshot!(unavailable(REF), @"I cannot look this up right now. Please try again in a minute. ref 0193-ref");
    insta::assert_snapshot!(nothing_to_end(REF), @"No meeting is running here, so there is nothing to end. ref 0193-ref");
    insta::assert_snapshot!(end_refused("Weekly sync", DeliveryMethod::Notices, REF), @"You cannot end **Weekly sync**: only the person who started it can end it, because I cannot see here who is an administrator. ref 0193-ref");
    insta::assert_snapshot!(end_failed("Weekly sync", REF), @"**Weekly sync** could not be ended and still runs. Try `end` again; if it fails again, end it in the meeting itself, or tell an administrator. ref 0193-ref");
    insta::assert_snapshot!(end_refused("Weekly sync", DeliveryMethod::Posts, REF), @"You cannot end **Weekly sync**: only the person who started it and the administrators of this channel or system can. ref 0193-ref");
}

#[test]
fn end_is_answered_with_what_happens_next() {
    let asked = |meeting, can_hear, kind, delivery_method| {
        end_asked(&EndAsked {
            meeting,
            can_hear,
            kind,
            delivery_method,
        })
    };
    let (own, other) = (Some(("Weekly sync", true)), Some(("Weekly sync", false)));
    let (channel, direct) = (ConversationKind::Channel, ConversationKind::Direct);
    let (posts, notices) = (DeliveryMethod::Posts, DeliveryMethod::Notices);
    insta::assert_snapshot!(asked(own, true, channel, posts), @"Ending **Weekly sync**. The card shows when it is over.");
    insta::assert_snapshot!(asked(own, false, channel, notices), @"Ending **Weekly sync**. A notice tells when it is over.");
    // In a direct message nothing else may show the end.
    insta::assert_snapshot!(asked(own, false, direct, posts), @"Ending **Weekly sync**. Its link shows when it is over.");
    insta::assert_snapshot!(asked(other, true, channel, posts), @"You did not start **Weekly sync**, so I ask whether you may end it, and tell you if you may not. The card shows when it is over.");
    insta::assert_snapshot!(asked(other, false, channel, posts), @"You did not start **Weekly sync**: it ends if you are an administrator of this channel or system. The card shows when it is over.");
    insta::assert_snapshot!(asked(other, false, channel, notices), @"You did not start **Weekly sync**: only the person who started it can end it, because I cannot see here who is an administrator. A notice tells when it is over.");
    insta::assert_snapshot!(asked(None, true, channel, posts), @"I look for the meeting that is to end here, and tell you in a moment which one it is.");
    insta::assert_snapshot!(asked(None, false, channel, posts), @"If a meeting runs here that you may end, it is ended now. The card shows when it is over.");
}

#[test]
fn f21_meeting_to_end_is_chosen_from_a_list() {
    let running = [(2, "Retro", "bob"), (1, "@all", "ana"), (0, "Old", "ana")];
    let running = running.map(|(number, title, starter)| Candidate {
        number,
        title: title.to_owned(),
        starter: starter.to_owned(),
    });
    insta::assert_snapshot!(choose_to_end("`re` @all", &running, REF).replace('\u{200B}', "·"), @r"
    I cannot tell which meeting you mean by `'re' @·all`. Running here:
    - `2` **Retro**, started by bob
    - `1` **@·all**, started by ana
    - **Old**, started by ana
    Write `end` with the number or the title of one of them. ref 0193-ref
    ");
    insta::assert_snapshot!(choose_to_end("", &running[..1], REF), @r"
    No meeting is running in this thread. Running in its channel:
    - `2` **Retro**, started by bob
    Write `end` with the number or the title of one of them. ref 0193-ref
    ");
}

#[test]
fn list_names_what_runs_here() {
    insta::assert_snapshot!(listed(&[]), @"No meeting is running here. Start one with `start`.");
    let one = |title, state| Listed {
        number: 0,
        title,
        is_in_thread: false,
        state,
        starter: "ana",
        link: LINK,
    };
    let some = [
        Listed {
            number: 3,
            ..one("Weekly sync", State::Live)
        },
        Listed {
            number: 1,
            is_in_thread: true,
            ..one("@all", State::Open)
        },
        one("", State::Creating),
    ];
    insta::assert_snapshot!(listed(&some).replace('\u{200B}', "·"), @r"
    Running here:
    - `3` **Weekly sync**, live, started by ana: [Join](https://relay.example.org/join/T)
    - `1` **@·all** in a thread, open, nobody in it yet, started by ana: [Join](https://relay.example.org/join/T)
    - **Meeting**, being prepared, started by ana: [Join](https://relay.example.org/join/T)
    ");
    let many = listed(&[one("x", State::Live); 25]);
    assert_eq!(many.lines().count(), 22);
    assert!(many.ends_with("- and 5 more"));
}

#[test]
fn help_shows_every_subcommand() {
    insta::assert_snapshot!(help("/plugnmeet"), @r"
    Meetings in this channel:
    - `/plugnmeet start` or just `/plugnmeet`: start a meeting and get your own link
    - `/plugnmeet start Weekly sync`: the same, with a title
    - `/plugnmeet start --new`: start another one although one is running
    - `/plugnmeet list`: what is running here
    - `/plugnmeet end`: end the meeting that runs here (its starter and administrators)
    - `/plugnmeet end Weekly sync` or `/plugnmeet end 2`: the same by title, or by number as `list` shows it
    - `/plugnmeet help`: this text

    Writing `meet now` or `meet: Weekly sync` in a channel starts a meeting as well, where it is set up.
    ");
    let unknown = unknown_subcommand("stat`us @all", "/pl`ug");
    assert!(
        unknown.starts_with("I do not know `stat'us @\u{200B}all`.\nMeetings"),
        "{unknown}"
    );
    assert!(unknown.ends_with(help("/plug").as_str()));
}

#[test]
fn recording_is_a_link_in_the_thread() {
    let reply = recording_reply("Weekly sync", "https://relay.example.org/artifact/T");
    insta::assert_snapshot!(reply.message, @"The recording of **Weekly sync** is ready: [Watch or download](https://relay.example.org/artifact/T)");
    assert_eq!(reply.attachment, None);
}

#[test]
fn summary_has_a_heading_and_fits_into_a_post() {
    let reply = summary_reply(
        "Weekly sync",
        "\n- Decided: **ship**\n- Open: notes\n",
        LINK,
    );
    insta::assert_snapshot!(reply.message, @r"
    #### Summary of **Weekly sync**

    - Decided: **ship**
    - Open: notes
    ");
    let long = summary_reply("Weekly sync", &"words ".repeat(4_000), LINK).shortened(4_000);
    assert!(long.chars() <= 4_000, "{}", long.chars());
    let end = "words\n\n… **[Read the whole summary](https://relay.example.org/join/T)**";
    assert!(long.message.ends_with(end), "{}", long.message);
}

#[test]
fn final_reply_shows_the_card_again() {
    let at = Timestamp::from_seconds(1_795_269_720);
    let lasted = Duration::from_secs(1440);
    let view = CardView {
        state: State::Ended,
        title: "Weekly sync".to_owned(),
        starter: "ana".to_owned(),
        requested_at: at,
        started_at: Some(at),
        ended: Some(Ended {
            at: at.plus(lasted),
            is_about: false,
            lasted: Some(lasted),
        }),
        names: vec!["Ana".to_owned()],
        people: 1,
        present: 0,
        is_recording: false,
        recordings: 0,
        summaries: 0,
        is_ending: false,
        refused: None,
        room: "mm-abcdefghijklm".parse().unwrap(),
    };
    let frame = CardFrame {
        join_link: LINK.to_owned(),
        starter_name: None,
        time_zone: jiff::tz::TimeZone::UTC,
        late: None,
    };
    let reply = final_reply(&view, &frame);
    insta::assert_snapshot!(reply.message, @"**Weekly sync** ended, 24 min (the card above can no longer be changed)");
    let card = crate::domain::card::render(&view, &frame);
    assert_eq!(reply.attachment, card.attachment);
}

#[test]
fn title_cannot_inject_markdown_into_any_text() {
    let evil = "@all [x](http://e.example) **`<!here>`";
    let texts = [
        started(&Started {
            title: evil,
            ..start(Presentation::LinkOnly, &[evil])
        }),
        running_offer(evil, LINK, REF),
        running_line(evil, LINK),
        running_notice(evil, LINK).message,
        recording_notice(evil, LINK).message,
        summary_notice(evil, "", LINK).message,
        end_refused(evil, DeliveryMethod::Posts, REF),
        cannot_post(
            CannotPost::NotInTeam,
            &Spot {
                team: evil,
                channel: Some((evil, None)),
                bot: evil,
            },
            evil,
            LINK,
            REF,
        ),
        end_failed(evil, REF),
        running(evil, LINK, &[evil]),
        started_or_running(&Started {
            title: evil,
            ..start(Presentation::LinkOnly, &[evil])
        }),
        end_asked(&EndAsked {
            meeting: Some((evil, true)),
            can_hear: true,
            kind: ConversationKind::Channel,
            delivery_method: DeliveryMethod::Posts,
        }),
        choose_to_end(
            evil,
            &[Candidate {
                number: 1,
                title: evil.to_owned(),
                starter: evil.to_owned(),
            }],
            REF,
        ),
        listed(&[Listed {
            number: 1,
            is_in_thread: true,
            title: evil,
            state: State::Live,
            starter: evil,
            link: LINK,
        }]),
        recording_reply(evil, LINK).message,
        summary_reply(evil, "", LINK).message,
    ];
    for text in texts {
        for harm in ["@all [", "](http:", "://e.", "<!", "**`"] {
            assert!(!text.contains(harm), "{harm} in {text}");
        }
    }
}

/// A notice as one text.
fn framed(notice: Rendered) -> String {
    let attachment = notice.attachment.unwrap();
    format!(
        "{}\n({}) {} -> {}\n{}\n= {}",
        notice.message,
        attachment.color,
        attachment.title,
        attachment.title_link.as_deref().unwrap_or("nowhere"),
        attachment.text,
        attachment.fallback,
    )
}

#[test]
fn message_and_attachment_of_a_notice_are_each_complete() {
    let artifact = "https://relay.example.org/artifact/T";
    insta::assert_snapshot!(framed(recording_notice("Weekly sync", artifact)), @r"
    The recording of **Weekly sync** is ready
    (#9e9e9e) Recording of Weekly sync -> https://relay.example.org/artifact/T
    **[Watch or download](https://relay.example.org/artifact/T)**
    = The recording of the meeting Weekly sync is ready.
    ");
    insta::assert_snapshot!(framed(summary_notice("Weekly sync", "\n- Decided: **ship**\n", LINK)), @r"
    The summary of **Weekly sync**
    (#9e9e9e) Summary of Weekly sync -> https://relay.example.org/join/T
    - Decided: **ship**
    = The summary of the meeting Weekly sync is there.
    ");
    insta::assert_snapshot!(framed(running_notice("Weekly sync", LINK)), @r"
    **Weekly sync** is running here already
    (#1c58d9) Weekly sync -> https://relay.example.org/join/T
    **[Join the meeting](https://relay.example.org/join/T)**
    = The meeting Weekly sync is running here already.
    ");
}
