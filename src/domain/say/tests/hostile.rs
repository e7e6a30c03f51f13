//! Hostile titles, names, words and summaries in every text that the relay posts: none of their Markdown takes effect.

use proptest::prelude::*;

use super::*;
use crate::domain::Refusal;
use crate::domain::card::{self, Late, WhyLate};
use crate::domain::text::reading::{LINKS_AND_MENTIONS, Markup, hostile, markup_among};

const AT: Timestamp = Timestamp::from_seconds(1_795_269_720);

/// The markup that Mattermost finds in `text` besides the relay's own links.
fn remaining_markup(text: &str) -> Vec<Markup> {
    let own = [
        format!("]({LINK})"),
        LINK.to_owned(),
        "@meetrelay".to_owned(),
    ];
    let text = own
        .iter()
        .fold(text.to_owned(), |text, own| text.replace(own, ""));
    markup_among(
        &text,
        &[
            LINKS_AND_MENTIONS.as_slice(),
            &[Markup::Emoji, Markup::Block, Markup::Formula],
        ]
        .concat(),
    )
}

/// The same for each line of a list, without the list's own `- `.
fn remaining_markup_in_list(text: &str) -> Vec<Markup> {
    let lines = text.lines();
    lines
        .flat_map(|line| remaining_markup(line.strip_prefix("- ").unwrap_or(line)))
        .collect()
}

fn answers(title: &str, name: &str) -> Vec<String> {
    let words = [name, title];
    let start = Started {
        title,
        presentation: Presentation::LinkOnly,
        own_link: LINK,
        open_link: LINK,
        ignored: &words,
    };
    let asked = |is_own| EndAsked {
        meeting: Some((title, is_own)),
        can_hear: true,
        kind: ConversationKind::Channel,
        delivery_method: DeliveryMethod::Posts,
    };
    let spot = Spot {
        team: "",
        channel: None,
        bot: "meetrelay",
    };
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    vec![
        started(&start),
        started_or_running(&start),
        running(title, LINK, &words),
        running_offer(title, LINK, REF),
        started_instead(title, LINK, REF),
        ended_already(title, REF),
        end_failed(title, REF),
        end_refused(title, DeliveryMethod::Posts, REF),
        end_asked(&asked(true)),
        end_asked(&asked(false)),
        first_line(unknown_subcommand(name, "/plugnmeet")),
        running_line(title, LINK),
        cannot_post(CannotPost::MayNotPost, &spot, title, LINK, REF),
    ]
}

fn lists(title: &str, name: &str) -> [String; 2] {
    let candidate = Candidate {
        number: 1,
        title: title.to_owned(),
        starter: name.to_owned(),
    };
    let one = Listed {
        number: 0,
        title,
        is_in_thread: true,
        state: State::Live,
        starter: name,
        link: LINK,
    };
    let numbered = Listed { number: 2, ..one };
    [
        choose_to_end(title, &[candidate], REF),
        listed(&[one, numbered]),
    ]
}

fn view(state: State, title: &str, name: &str) -> CardView {
    CardView {
        state,
        title: title.to_owned(),
        starter: name.to_owned(),
        requested_at: AT,
        started_at: Some(AT),
        ended: Some(Ended {
            at: AT.plus(Duration::from_secs(1440)),
            is_about: false,
            lasted: Some(Duration::from_secs(1440)),
        }),
        names: vec![name.to_owned(), title.to_owned(), "Ana".to_owned()],
        people: 4,
        present: 1,
        is_recording: true,
        recordings: 1,
        summaries: 1,
        is_ending: false,
        refused: Some(Refusal::Refused),
        room: "mm-abcdefghijklm".parse().unwrap(),
    }
}

fn posts(title: &str, name: &str, shown: Option<&str>) -> Vec<Rendered> {
    let frame = CardFrame {
        join_link: LINK.to_owned(),
        starter_name: shown.map(str::to_owned),
        time_zone: jiff::tz::TimeZone::UTC,
        late: Some(Late {
            by: Duration::from_secs(300),
            why: WhyLate::Unknown,
        }),
    };
    let states = [
        State::Creating,
        State::Open,
        State::Live,
        State::Ended,
        State::Missed,
        State::Cancelled,
        State::Failed,
    ];
    let mut posts = vec![
        recording_reply(title, LINK),
        recording_notice(title, LINK),
        running_notice(title, LINK),
    ];
    for state in states {
        let view = view(state, title, name);
        posts.extend([
            card::render(&view, &frame),
            card::notice(&view, &frame),
            final_reply(&view, &frame),
        ]);
    }
    posts
}

/// The parts of a post that are read as Markdown. The fallback is shown unchanged in notifications, but is checked as
/// well.
fn parts(post: &Rendered) -> Vec<String> {
    let mut parts = vec![post.message.clone()];
    if let Some(framed) = &post.attachment {
        parts.extend([
            framed.fallback.clone(),
            framed.title.clone(),
            framed.text.clone(),
            framed.footer.clone(),
        ]);
        parts.extend(framed.fields.iter().map(|field| field.value.clone()));
    }
    parts
}

fn summaries(title: &str, text: &str) -> Vec<String> {
    let posts = [
        summary_reply(title, text, LINK),
        summary_notice(title, text, LINK),
        summary_reply(title, text, LINK).shortened(120),
    ];
    posts.iter().flat_map(parts).collect()
}

proptest! {
    #[test]
    fn s2_no_markup_remains_in_an_answer(title in hostile(), name in hostile()) {
        for text in answers(&title, &name) {
            prop_assert_eq!(remaining_markup(&text), vec![], "{:?}", text);
        }
        for text in lists(&title, &name) {
            prop_assert_eq!(remaining_markup_in_list(&text), vec![], "{:?}", text);
        }
    }

    #[test]
    fn s2_no_markup_remains_in_a_card(title in hostile(), name in hostile(), shown in prop::option::of(hostile())) {
        for post in posts(&title, &name, shown.as_deref()) {
            for part in parts(&post) {
                prop_assert_eq!(remaining_markup(&part), vec![], "{:?}", part);
            }
        }
    }

    #[test]
    fn s2_forged_summary_links_and_mentions_nothing(title in hostile(), text in hostile()) {
        for part in summaries(&title, &text) {
            let unwanted = remaining_markup(&part).into_iter().filter(|markup| LINKS_AND_MENTIONS.contains(markup));
            prop_assert_eq!(unwanted.collect::<Vec<_>>(), vec![], "{:?}", part);
        }
    }
}

#[test]
fn s2_summary_is_neutralised_where_it_is_shown_and_keeps_its_formatting() {
    let text = "## Plan\n\n- **Ship** [x](https://evil.example)\n- www.evil.example\n\n| a | b |\n| --- | --- |\n| @all | ![p](//t) |";
    for shown in [
        summary_reply("T", text, LINK).message,
        summary_notice("T", text, LINK).attachment.unwrap().text,
    ] {
        let shown = shown.replace('\u{200B}', "·");
        assert!(
            shown.ends_with(
                "## Plan\n\n- **Ship** [x]·(https:·//evil.·example)\n- www·.·evil.·example\n\n\
             | a | b |\n| --- | --- |\n| @·all | ![p]·(//t) |"
            ),
            "{shown}"
        );
        // Text that is harmless already stays unchanged.
        let once = crate::domain::text::neutralise_markdown(text, 1000);
        let again = summary_reply("T", &once, LINK).message;
        assert!(again.ends_with(&once), "{again}");
    }
}

#[test]
fn s2_names_that_mention_everybody_are_left_out() {
    let names = [
        "all", "All.", "here-x", "CHANNEL", "_", "ana", "allan", "b.all",
    ]
    .map(str::to_owned);
    let post = mentioning(&names, recording_reply("T", LINK));
    assert!(
        post.message
            .starts_with("@_ @ana @allan @b.all The recording"),
        "{}",
        post.message
    );
}

#[test]
fn s2_invisible_word_opens_no_code_span() {
    let words = ["\u{200B}", "@all", "\u{3164}"];
    let line = ignored(&words).replace('\u{200B}', "·");
    assert_eq!(line, "\nIgnored unknown words: `…`, `@·all`, `…`");
}
