#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn phrases(texts: &[&str]) -> Vec<Phrase> {
    texts
        .iter()
        .map(|text| Phrase::parse(text).unwrap())
        .collect()
}

/// The built-in phrase that matches `text`, and the title.
fn matched(text: &str) -> Option<(String, Option<String>)> {
    let phrases = phrases(&["meet", "meet now"]);
    match_phrase(&phrases, text).map(|m| (m.phrase.to_string(), m.title))
}

fn expected(phrase: &str, title: &str) -> Option<(String, Option<String>)> {
    Some((
        phrase.to_owned(),
        (!title.is_empty()).then(|| title.to_owned()),
    ))
}

/// The field `text` of a recorded outgoing webhook.
fn recorded(name: &str) -> String {
    let path = format!(
        "{}/tests/vectors/mattermost-11/{name}.http",
        env!("CARGO_MANIFEST_DIR")
    );
    let recording = std::fs::read_to_string(path).unwrap();
    let (head, body) = recording.split_once("\n\n").unwrap();
    if head.contains("Content-Type: application/json") {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        return body["text"].as_str().unwrap().to_owned();
    }
    form_urlencoded::parse(body.as_bytes())
        .find(|(key, _)| key == "text")
        .map(|(_, text)| text.into_owned())
        .unwrap()
}

#[test]
fn recorded_posts_match_the_phrase_that_they_begin_with() {
    assert_eq!(
        matched(&recorded("outgoing-form-meet-now")),
        expected("meet now", "")
    );
    assert_eq!(
        matched(&recorded("outgoing-form-word-only")),
        expected("meet", "")
    );
    assert_eq!(
        matched(&recorded("outgoing-form-leading-spaces")),
        expected("meet now", "")
    );
    assert_eq!(
        matched(&recorded("outgoing-form-newline-after-word")),
        expected("meet now", "")
    );
    assert_eq!(
        matched(&recorded("outgoing-form-case")),
        expected("meet now", "please")
    );
    assert_eq!(
        matched(&recorded("outgoing-form-title")),
        expected("meet now", "weekly sync")
    );
    assert_eq!(
        matched(&recorded("outgoing-form-thread-reply")),
        expected("meet now", "in thread")
    );
    assert_eq!(
        matched(&recorded("outgoing-form-unicode")),
        expected("meet now", "Übung „Q3“ ☕ 会議 👩\u{200D}💻 & <b>=?+%")
    );
    for other in [
        "json",
        "json-file",
        "json-file-only",
        "json-from-bot",
        "json-prefix-match",
    ] {
        assert_eq!(
            matched(&recorded(&format!("outgoing-{other}"))),
            None,
            "{other}"
        );
    }
    let phrases = phrases(&["meetjson now"]);
    let text = recorded("outgoing-json");
    let result = match_phrase(&phrases, &text).unwrap();
    assert_eq!(
        result.title.as_deref(),
        Some("R&D <sync> \"Q3\" ☕ \u{2028}x")
    );
    assert_eq!(
        match_phrase(&phrases, &recorded("outgoing-json-prefix-match")),
        None
    );
}

#[test]
fn one_word_matches_only_as_the_whole_text_or_before_a_colon() {
    for text in ["meet", " MEET\n", "Meet:", "meet : ", "\u{a0}meet"] {
        assert_eq!(matched(text), expected("meet", ""), "{text:?}");
    }
    assert_eq!(
        matched("meet: weekly sync"),
        expected("meet", "weekly sync")
    );
    assert_eq!(matched("meet：週次"), expected("meet", "週次"));
    for text in [
        "meet me at noon",
        "meet - weekly",
        "meet, now",
        "meeting",
        "meet_now",
        "meet's",
        "meetup: x",
    ] {
        assert_eq!(matched(text), None, "{text:?}");
    }
    for text in [
        "",
        "  ",
        "I say meet now",
        "@meet now",
        "**meet** now",
        "lets meet",
        "meetnow",
    ] {
        assert_eq!(matched(text), None, "{text:?}");
    }
}

#[test]
fn several_words_match_whatever_follows() {
    assert_eq!(matched("meet now"), expected("meet now", ""));
    assert_eq!(matched("meet\u{a0}\n now"), expected("meet now", ""));
    assert_eq!(matched("mEEt NOW!"), expected("meet now", ""));
    assert_eq!(
        matched("meet now - weekly: part 2 -"),
        expected("meet now", "weekly: part 2")
    );
    assert_eq!(matched("meet now ☕"), expected("meet now", "☕"));
    assert_eq!(matched("meet now: .NET"), expected("meet now", ".NET"));
    for text in [
        "meet nowhere",
        "meet now's the time",
        "meet now_x",
        "meet no",
    ] {
        assert_eq!(matched(text), None, "{text:?}");
    }
}

#[test]
fn longest_phrase_wins() {
    let phrases = phrases(&["call us", "call us now", "call"]);
    let result = match_phrase(&phrases, "call us now please").unwrap();
    assert_eq!(
        (result.phrase.to_string().as_str(), result.title),
        ("call us now", Some("please".to_owned()))
    );
    let result = match_phrase(&phrases, "call: us").unwrap();
    assert_eq!(
        (result.phrase.to_string().as_str(), result.title),
        ("call", Some("us".to_owned()))
    );
}

#[test]
fn case_is_folded_beyond_ascii() {
    let phrases = phrases(&["GROSSE runde", "ΣΟΦΟΣ τώρα"]);
    assert!(match_phrase(&phrases, "große Runde").is_some());
    assert!(match_phrase(&phrases, "σοφος ΤΏΡΑ").is_some());
    // Half of a folded letter is no match.
    assert_eq!(match_phrase(&self::phrases(&["gros"]), "groß"), None);
}

#[test]
fn bad_phrases_are_refused_with_the_reason() {
    assert_eq!(Phrase::parse(" \n"), Err(PhraseError::Empty));
    assert_eq!(
        Phrase::parse(&"x".repeat(65)),
        Err(PhraseError::TooLong { chars: 65 })
    );
    assert_eq!(
        Phrase::parse("meet now:").unwrap_err().to_string(),
        "a phrase must end with a letter or digit, `meet now:` does not: a title may follow it after `:` or `-`"
    );
}

#[test]
fn f28_question_starts_nothing() {
    for text in [
        "meet now?",
        "Meet now ?",
        "meet now?!…",
        "meet now? I have time",
        "meet now or tomorrow?",
        "meet now, anyone? :)",
        "meet now？",
        "meet now ok؟",
        "meet?",
    ] {
        assert_eq!(matched(text), None, "{text:?}");
    }
    // The text behind a separator is a title, and a question mark in an address is no question.
    assert_eq!(
        matched("meet now: what next?"),
        expected("meet now", "what next?")
    );
    assert_eq!(matched("meet now - retro?"), expected("meet now", "retro?"));
    assert_eq!(matched("meet: retro?"), expected("meet", "retro?"));
    assert_eq!(
        matched("meet now https://x.example/?a=b"),
        expected("meet now", "https://x.example/?a=b")
    );
    let phrases = phrases(&["call us", "call us now"]);
    assert_eq!(match_phrase(&phrases, "call us now?"), None);
}

#[test]
fn f28_rest_of_a_sentence_is_no_title() {
    for text in [
        "meet now, please",
        "meet now , all of you",
        "meet now; I have news",
        "meet now. I have news",
        "meet now! everybody",
        "meet now... retro",
        "meet now，大家",
        "meet now، الآن",
    ] {
        assert_eq!(matched(text), expected("meet now", ""), "{text:?}");
    }
    assert_eq!(
        matched("meet now: one, two"),
        expected("meet now", "one, two")
    );
    assert_eq!(matched("meet now .NET"), expected("meet now", ".NET"));
}

#[test]
fn f28_invisible_characters_are_ignored() {
    assert_eq!(
        matched("meet\u{200B} now\u{FEFF}"),
        expected("meet now", "")
    );
    assert_eq!(
        matched("meet now\u{2060}: re\u{AD}tro\u{202E}"),
        expected("meet now", "retro")
    );
    assert_eq!(matched("meet now\u{200B}?"), None);
    assert_eq!(
        matched("meet now: release :tada:"),
        expected("meet now", "release")
    );
    assert_eq!(matched("meet now :tada:"), expected("meet now", ""));
}

proptest! {
    #[test]
    fn any_text_is_matched_without_panic(text in any::<String>()) {
        if let Some((_, Some(title))) = matched(&text) {
            let cleaned = without_emoji_names(&visible(&text));
            prop_assert!(cleaned.contains(&title) && title.trim() == title && !title.is_empty());
        }
    }

    #[test]
    fn what_follows_is_the_title(title in "[a-z][a-z :,-]{0,20}[a-z]") {
        prop_assume!(without_emoji_names(&title) == title);
        prop_assert_eq!(matched(&format!("meet now: {title}")), expected("meet now", &title));
        prop_assert_eq!(matched(&format!("Meet: {title}")), expected("meet", &title));
    }
}
