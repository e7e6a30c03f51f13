#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod survival;

use proptest::prelude::*;

use super::*;

/// The text with its breaks made visible.
fn line(text: &str) -> String {
    neutralise_line(text, 200).replace(BREAK, "·")
}

fn markdown(text: &str) -> String {
    neutralise_markdown(text, 2000).replace(BREAK, "·")
}

#[test]
fn line_mentions_nobody() {
    for mention in [
        "@all", "@channel", "@here", "@ana", "a@b.org", "＠all", "@@all",
    ] {
        assert!(line(mention).contains('·'), "{mention}");
        assert!(
            !neutralise_line(mention, 200).contains(mention),
            "{mention}"
        );
    }
    assert_eq!(line("&#64;all &commat;all"), "&·#64;all &·commat;all");
    assert_eq!(line("<!here> <@abc>"), "‹!here› ‹@·abc›");
    assert_eq!(line("~town-square ~~old~~"), "~·town-square ~·~·old~·~");
}

#[test]
fn line_links_nothing() {
    assert_eq!(
        line("[click](https://evil.example)"),
        "[click]·(https:·//evil.·example)"
    );
    assert_eq!(line("![x](data:x)"), "![x]·(data:·x)");
    assert_eq!(
        line("<https://evil.example|Bank>"),
        "‹https:·//evil.·example|Bank›"
    );
    assert_eq!(line("www.evil.example/x"), "www·.·evil.·example/x");
    assert_eq!(line("[x]: /y [a][x]"), "[x]·: /y [a]·[x]");
}

#[test]
fn line_contains_no_markdown() {
    assert_eq!(line("# big"), "·# big");
    assert_eq!(line("- item"), "·- item");
    assert_eq!(line("1. item"), "·1. item");
    assert_eq!(line("```sh\nrm -rf\n```"), "'''sh rm -rf '''");
    assert_eq!(line("**bold** \\"), "∗∗bold∗∗ ∖");
    assert_eq!(line(":smile: #topic"), ":·smile: #·topic");
    assert_eq!(line("<b>x</b>"), "‹b›x‹/b›");
}

#[test]
fn line_keeps_what_is_harmless() {
    for text in [
        "Weekly sync",
        "Übung „Q3“ ☕ 会議 👩\u{200D}💻 & =?+%",
        "R&D (10:30, v2.4): plan",
        "snake_case, it's fine!",
        "Übung &amp and & more;",
    ] {
        assert_eq!(neutralise_line(text, 200), text);
    }
}

#[test]
fn line_has_no_line_breaks_and_no_control_characters() {
    assert_eq!(
        neutralise_line(" a\0b\r\n\tc\u{2028}d\u{a0}\u{202E}e\u{7}f ", 99),
        "ab c d e f"
    );
    assert_eq!(neutralise_line("\u{200B}\u{FEFF}\n", 99), "");
}

#[test]
fn cutting_keeps_whole_characters() {
    assert_eq!(cut("会議室", 3), "会議室");
    assert_eq!(cut("会議室", 2), "会…");
    assert_eq!(cut("one two", 5), "one…");
    assert_eq!(cut("a👩\u{200D}💻", 4), "a👩\u{200D}💻");
    assert_eq!(cut("a👩\u{200D}💻b", 4), "a👩…");
    assert_eq!(cut("ab", 1), "…");
    assert_eq!(cut("ab", 0), "");
    assert_eq!(neutralise_line(&"@a".repeat(500), 128).chars().count(), 127);
}

#[test]
fn summary_keeps_its_formatting_and_is_harmless() {
    let summary = "# Decisions\r\n\r\n\r\n\r\n- **Ship** on _Friday_, says @bob\n    1. see [plan](http://x.example)\n\
        > quoted <b>html</b> > 3\n| Task | Who |\n|---|---|\n| Notes | `Bob` |\n![p](//t.example/p.png) @here\n\
        [r]: http://y.example\n\n";
    insta::assert_snapshot!(markdown(summary), @r"
    # Decisions

    - **Ship** on _Friday_, says @·bob
        1. see [plan]·(http:·//x.·example)
    > quoted ‹b›html‹/b› › 3
    | Task | Who |
    |---|---|
    | Notes | `Bob` |
    ![p]·(//t.·example/p.·png) @·here
    [r]·: http:·//y.·example
    ");
}

#[test]
fn escapes_do_not_restore_markup() {
    assert_eq!(
        markdown(r"\@all https\://x https:\//x"),
        r"\@·all https\:·//x https:·\//x"
    );
}

#[test]
fn f28_invisible_characters_are_removed_and_scripts_and_emoji_stay_intact() {
    let clean = |text| clean_title(text, 200);
    assert_eq!(
        clean("a\u{200B}b\u{200D}c\u{200C} \u{FE0F}d\u{2066}e"),
        "abc de"
    );
    assert_eq!(clean("x\u{E0100}\u{E0041}\u{180F}\u{1D173}\u{FFF9}"), "x");
    for whole in [
        "می\u{200C}خواهم",
        "क्\u{200D}ष",
        "👩\u{200D}💻 ❤\u{FE0F}\u{200D}🔥",
        "葛\u{E0100}",
        "Übung „Q3“ ☕ 会議",
    ] {
        assert_eq!(clean(whole), whole);
        assert_eq!(neutralise_line(whole, 200), whole);
    }
}

#[test]
fn f28_card_and_room_show_the_same_title() {
    for text in ["@all :tada: <b>*x*</b>", "a\u{202E}b :+1: [c](d)", ":tada:"] {
        let room = clean_title(text, 100);
        assert_eq!(neutralise_line(&room, 100).replace(BREAK, ""), room);
    }
    assert_eq!(
        clean_title("@all :tada: <b>*x*</b>", 100),
        "@all ‹b›∗x∗‹/b›"
    );
    assert_eq!(
        clean_title(":a::b: c:d:e f::g:: :h:i", 100),
        "c:d:e f::g:: :h:i"
    );
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-z0-9 ]{1,4}",
        prop::sample::select(vec![
            "@",
            "@all",
            "<!",
            "<",
            ">",
            "|",
            "](",
            "]",
            "[",
            "![",
            ":",
            ":x:",
            "://",
            "www.",
            ".",
            "#",
            "\n",
            "\n\n",
            "\r",
            "`",
            "*",
            "_",
            "~",
            "&#64;",
            "&amp;",
            "&",
            ";",
            "\\",
            "\u{200B}",
            "\u{200D}",
            "\u{200C}",
            "\u{FE0F}",
            "é",
            ":tada:",
            "…",
            "-",
            "1.",
            "\t",
            "http://a.b/c",
            "\u{202E}",
            " ",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn neutralising_twice_changes_nothing(text in hostile(), chars_max in 0_usize..60) {
        let line = neutralise_line(&text, chars_max);
        prop_assert_eq!(neutralise_line(&line, chars_max), line);
        let title = clean_title(&text, chars_max);
        prop_assert_eq!(clean_title(&title, chars_max), title);
        let markdown = neutralise_markdown(&text, chars_max);
        prop_assert_eq!(neutralise_markdown(&markdown, chars_max), markdown);
    }

    #[test]
    fn f28_no_title_hides_anything(text in hostile(), chars_max in 0_usize..60) {
        let title = clean_title(&text, chars_max);
        prop_assert!(title.chars().count() <= chars_max && title.trim() == title);
        let hidden = ['\u{200B}', '\u{202E}', '\0'];
        prop_assert!(!title.contains(hidden) && !title.split(' ').any(|word| word == ":tada:"));
        prop_assert!(!title.chars().any(char::is_control));
        let chars: Vec<char> = title.chars().collect();
        for around in chars.windows(2).filter(|around| matches!(around[1], '\u{200C}' | '\u{200D}' | '\u{FE0F}')) {
            prop_assert!(!around[0].is_ascii(), "{title:?}");
        }
        let joiners = ['\u{200C}', '\u{200D}', '\u{FE0F}'];
        prop_assert!(!title.starts_with(joiners));
    }

    #[test]
    fn nothing_harmful_is_left(text in hostile(), chars_max in 0_usize..60) {
        let line = neutralise_line(&text, chars_max);
        for neutral in [&line, &neutralise_markdown(&text, chars_max)] {
            prop_assert!(neutral.chars().count() <= chars_max);
            prop_assert!(!neutral.contains("@a") && !neutral.contains("](") && !neutral.contains("://"));
            prop_assert!(!neutral.contains('<') && !neutral.contains("&#64;") && !neutral.contains(":x:"));
            let is_bad = |c: char| c == '\u{202E}' || (c.is_control() && c != '\n');
            prop_assert!(!neutral.chars().any(is_bad));
        }
        prop_assert!(!line.contains(['\n', '`', '*', '\\', '>']));
        prop_assert_eq!(line.trim(), line.as_str());
    }
}

#[test]
fn long_line_of_quote_marks_does_not_take_quadratic_time() {
    let (began, marks) = (std::time::Instant::now(), ">".repeat(200_000));
    assert_eq!(neutralise_markdown(&marks, 200_000), marks);
    // Quadratic time would be minutes.
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
}
