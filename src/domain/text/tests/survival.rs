//! The markup that is left of hostile texts, as Mattermost and another Markdown parser read them.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::super::reading::{LINKS_AND_MENTIONS, Markup, hostile, markup_among, markup_in};
use super::*;

/// The first event of another parser that a line must not produce. Underscores may make its letters italic.
fn unwanted_in_line(text: &str) -> Option<String> {
    let is_plain = |event: &Event<'_>| {
        matches!(
            event,
            Event::Start(Tag::Paragraph | Tag::Emphasis | Tag::Strong)
                | Event::End(_)
                | Event::Text(_)
        )
    };
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES);
    let unwanted = events.find(|event| !is_plain(event))?;
    Some(format!("{unwanted:?}"))
}

/// The first event of another parser that a summary must not produce.
fn unwanted_in_summary(text: &str) -> Option<String> {
    let is_bad = |event: &Event<'_>| {
        matches!(
            event,
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
                | Event::Html(_)
                | Event::InlineHtml(_)
        )
    };
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES);
    let unwanted = events.find(is_bad)?;
    Some(format!("{unwanted:?}"))
}

#[test]
fn s2_www_is_not_linked() {
    assert_eq!(line("www.evil.example"), "www·.·evil.·example");
    assert_eq!(line("see WwW12.x, www.1"), "see WwW12·.·x, www·.1");
    assert_eq!(line("www1234.5 ww.5"), "www1234.5 ww.5");
    assert_eq!(line("www."), "www·.");
    assert_eq!(markdown("- www.evil.example"), "- www·.·evil.·example");
    assert_eq!(clean_title("www.evil.example", 99), "www.evil.example");
}

#[test]
fn s2_number_after_a_scheme_is_not_a_time_of_day() {
    assert_eq!(line("web3:12 x.1:23 10:30"), "web3:·12 x.1:·23 10:30");
    assert_eq!(line("5:100: 16:9, 2:30pm"), "5:·100: 16:9, 2:·30pm");
}

#[test]
fn s2_line_contains_no_line_break_and_no_formula() {
    assert_eq!(line("x\u{2424}# big"), "x # big");
    assert_eq!(line("x\u{2424}\u{FE0F}y"), "x y");
    assert_eq!(clean_title("x\u{2424}- y", 99), "x - y");
    assert_eq!(markdown("x\u{2424}[r]: /y"), "x\n[r]·: /y");
    assert_eq!(line("_ _ _"), "·_ _ _");
    assert_eq!(line("$x$ and $5 of US$"), "$x＄ and $5 of US＄");
}

#[test]
fn s2_title_without_visible_characters_is_empty() {
    for invisible in [
        "\u{200B}\u{FEFF}",
        "\u{301}\u{302}",
        ":tada:\u{301}",
        "\u{3164} \u{115F}",
        "\u{2800}\n\u{2800}",
        "\u{FE0F}\u{200D}",
        "\u{FFFC}\u{1D159}",
    ] {
        assert_eq!(clean_title(invisible, 99), "", "{invisible:?}");
        if !invisible.contains("tada") {
            assert_eq!(neutralise_line(invisible, 99), "", "{invisible:?}");
            assert_eq!(neutralise_markdown(invisible, 99), "", "{invisible:?}");
        }
    }
    for visible in ["e\u{301}", "☕", "ไทย", "#", "\u{2800}x"] {
        assert_eq!(clean_title(visible, 99), visible);
    }
}

proptest! {
    #[test]
    fn s2_no_markup_remains_in_a_line(text in hostile(), chars_max in 0_usize..120) {
        let titled = neutralise_line(&clean_title(&text, chars_max), chars_max);
        for line in [neutralise_line(&text, chars_max), titled] {
            prop_assert_eq!(markup_in(&line), BTreeSet::new(), "{:?}", line);
            prop_assert_eq!(unwanted_in_line(&line), None, "{:?}", line);
        }
    }

    #[test]
    fn s2_summary_links_and_mentions_nothing(text in hostile(), chars_max in 0_usize..200) {
        let shown = neutralise_markdown(&text, chars_max);
        let unwanted = [LINKS_AND_MENTIONS.as_slice(), &[Markup::Emoji, Markup::Struck]].concat();
        prop_assert_eq!(markup_among(&shown, &unwanted), vec![], "{:?}", shown);
        prop_assert_eq!(unwanted_in_summary(&shown), None, "{:?}", shown);
    }

    #[test]
    fn s2_neutralising_twice_changes_nothing(text in hostile(), chars_max in 0_usize..200) {
        let line = neutralise_line(&text, chars_max);
        prop_assert_eq!(neutralise_line(&line, chars_max), line);
        let title = clean_title(&text, chars_max);
        prop_assert_eq!(clean_title(&title, chars_max), title);
        let summary = neutralise_markdown(&text, chars_max);
        prop_assert_eq!(neutralise_markdown(&summary, chars_max), summary);
    }
}
