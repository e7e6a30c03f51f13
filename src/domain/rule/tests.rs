#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;
use crate::domain::ServerName;

fn place(channel_name: &str) -> Conversation {
    Conversation {
        server: ServerName::default_server(),
        team: Some("gcjef398gtn8tgpenzupciyyow".parse().unwrap()),
        team_name: "eng".to_owned(),
        channel: "mpa8m9xzb3ymjdbmu6ynkqjznh".parse().unwrap(),
        channel_name: channel_name.to_owned(),
        thread: None,
        kind: ConversationKind::Channel,
    }
}

fn direct() -> Conversation {
    Conversation {
        kind: ConversationKind::Direct,
        team: None,
        team_name: String::new(),
        ..place("6taiyi7pxiyudgedj17rdifoge__8k4guatby3fm7r9u6o1cmikkse")
    }
}

fn rules(specs: Vec<RuleSpec>) -> Rules {
    Rules::new(
        specs
            .into_iter()
            .map(|spec| Rule::new(spec).unwrap())
            .collect(),
    )
}

fn titled(template: &str, written: Option<&str>) -> String {
    let title = Some(template.to_owned());
    let rules = rules(vec![RuleSpec {
        title,
        ..RuleSpec::default()
    }]);
    rules.choose_by_command(&place("dev"), "ana", written).title
}

fn errors(spec: RuleSpec) -> Vec<String> {
    Rule::new(spec)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn built_in_rule_names_the_meeting_after_its_channel() {
    let rules = Rules::built_in();
    let choice = rules
        .choose_by_text(&place("dev"), "ana", "Meet now!")
        .unwrap();
    assert_eq!(choice.title, "dev meeting");
    assert_eq!(choice.moderators, Moderators::Everyone);
    assert_eq!(choice.start_deadline, Duration::from_secs(900));
    assert_eq!(
        rules.choose_by_text(&place("dev"), "ana", "meet me at noon"),
        None
    );
    let choice = rules
        .choose_by_text(&place("dev"), "ana", "meet: @all *sync*")
        .unwrap();
    assert_eq!(choice.title, "@all ∗sync∗");
}

#[test]
fn direct_message_has_the_default_title_meeting() {
    let rules = Rules::built_in();
    assert_eq!(
        rules.choose_by_command(&direct(), "ana", None).title,
        "Meeting"
    );
    assert_eq!(
        rules
            .choose_by_command(&direct(), "ana", Some("Lunch"))
            .title,
        "Lunch"
    );
    assert_eq!(
        rules.choose_by_command(&direct(), "ana", Some(" \n")).title,
        "Meeting"
    );
}

#[test]
fn first_matching_rule_wins() {
    let named = |title: &str, teams: &[&str], channels: &[&str], phrases: &[&str]| RuleSpec {
        phrases: phrases.iter().map(|&p| p.to_owned()).collect(),
        teams: teams.iter().map(|&t| t.to_owned()).collect(),
        channels: channels.iter().map(|&c| c.to_owned()).collect(),
        title: Some(title.to_owned()),
        ..RuleSpec::default()
    };
    let rules = rules(vec![
        named("other team", &["sales"], &[], &["meet now"]),
        named("by name", &["ENG"], &["Dev"], &["standup"]),
        named(
            "by id",
            &["gcjef398gtn8tgpenzupciyyow"],
            &["mpa8m9xzb3ymjdbmu6ynkqjznh"],
            &["meet now"],
        ),
        named("anywhere", &[], &[], &["meet now"]),
    ]);
    let by_text = |channel, text| {
        rules
            .choose_by_text(&place(channel), "ana", text)
            .map(|c| c.title)
    };
    assert_eq!(by_text("dev", "standup").as_deref(), Some("by name"));
    assert_eq!(by_text("ops", "standup"), None);
    assert_eq!(by_text("dev", "meet now").as_deref(), Some("by id"));
    assert_eq!(by_text("dev", "meet"), None);
    assert_eq!(
        rules.choose_by_command(&place("dev"), "ana", None).title,
        "by name"
    );
    assert_eq!(
        rules.choose_by_command(&place("ops"), "ana", None).title,
        "by id"
    );
    let elsewhere = rules.choose_by_text(&direct(), "ana", "meet now").unwrap();
    assert_eq!(elsewhere.title, "anywhere", "no team in a direct message");
}

#[test]
fn command_without_a_matching_rule_gets_the_built_in_options() {
    let rules = rules(vec![RuleSpec {
        channels: vec!["ops".to_owned()],
        moderators: Moderators::Starter,
        start_deadline: Duration::from_secs(60),
        ..RuleSpec::default()
    }]);
    let choice = rules.choose_by_command(&place("dev"), "ana", None);
    assert_eq!(
        (choice.title.as_str(), choice.start_deadline),
        ("dev meeting", START_DEADLINE_DEFAULT)
    );
    assert_eq!(choice.moderators, Moderators::Everyone);
    assert_eq!(rules.choose_by_text(&place("dev"), "ana", "meet now"), None);
    let choice = rules.choose_by_command(&place("ops"), "ana", None);
    assert_eq!(
        (choice.moderators, choice.start_deadline),
        (Moderators::Starter, Duration::from_secs(60))
    );
}

#[test]
fn written_title_wins_unless_the_template_uses_it() {
    assert_eq!(
        titled("{{ user }} in {{ team }}/{{ channel }}", None),
        "ana in eng/dev"
    );
    assert_eq!(titled("{{ channel }} call", Some("Retro")), "Retro");
    let template = "{{ channel }}{% if title %}: {{ title }}{% endif %}";
    assert_eq!(titled(template, Some("Retro")), "dev: Retro");
    assert_eq!(titled(template, None), "dev");
    assert_eq!(titled("{% if title == 'x' %}{% endif %}", Some("x")), "x");
    assert_eq!(titled("{{ '' }}", None), "Meeting");
}

#[test]
fn title_is_clean_and_cut() {
    assert_eq!(
        titled("{{ title | upper }} <{{ user }}>", Some("@all sync")),
        "@ALL SYNC ‹ana›"
    );
    assert_eq!(
        titled("x", Some(&"é".repeat(500))).chars().count(),
        TITLE_CHARS_MAX
    );
    assert_eq!(
        titled("{{ title }}", Some(&"é".repeat(500)))
            .chars()
            .count(),
        TITLE_CHARS_MAX
    );
}

#[test]
fn f23_first_words_of_the_built_in_phrases_are_those_of_the_readme() {
    let words = Rules::built_in().first_words();
    assert_eq!(words, ["MEET", "MEET:", "Meet", "Meet:", "meet", "meet:"]);
}

#[test]
fn f28_title_of_only_punctuation_and_mentions_is_ignored() {
    for written in [
        "@ana",
        "@ana, @ben & @all",
        "~town-square",
        "(@ana)",
        ":tada: :+1:",
        "!!! …",
        "\u{200B}\u{202E}",
        "<>",
    ] {
        assert_eq!(
            titled("{{ channel }} call", Some(written)),
            "dev call",
            "{written:?}"
        );
    }
    for (written, title) in [
        ("@ana's retro, @ben", "@ana's retro, @ben"),
        ("release :tada:", "release"),
        (":rocket: 1:1 at 10:30:45 :100:", "1:1 at 10:30:45"),
        ("☕", "☕"),
        ("#retro", "#retro"),
    ] {
        assert_eq!(titled("{{ channel }} call", Some(written)), title);
    }
    // The same for a template that uses the title.
    let template = "{{ channel }}{% if title %}: {{ title }}{% endif %}";
    assert_eq!(titled(template, Some("@ana")), "dev");
    assert_eq!(titled(template, Some("x :tada:")), "dev: x");
}

#[test]
fn title_with_names_is_made_again_with_display_names() {
    let choose = |template: Option<&str>, written| {
        let title = template.map(str::to_owned);
        let rules = rules(vec![RuleSpec {
            title,
            ..RuleSpec::default()
        }]);
        rules.choose_by_command(&place("dev"), "ana", written)
    };
    let retitled = |choice: RuleChoice| {
        let source = choice.title_source?;
        Some(source.title("Engineering", "eng", "Ana Lopez"))
    };
    assert_eq!(
        retitled(choose(None, None)).as_deref(),
        Some("Engineering meeting")
    );
    assert_eq!(retitled(choose(None, Some("Retro"))), None);
    assert_eq!(retitled(choose(Some("Standup"), None)), None);
    let template = "{{ user }} in {{ channel }}{% if title %}: {{ title }}{% endif %}";
    assert_eq!(
        retitled(choose(Some(template), Some("@ben sync"))).as_deref(),
        Some("Ana Lopez in Engineering: @ben sync")
    );
    let direct = Rules::built_in().choose_by_command(&direct(), "ana", None);
    assert_eq!(direct.title_source, None);
}

#[test]
fn template_that_fails_for_a_title_does_not_prevent_the_meeting() {
    let template = "{% if title == 'x' %}{{ title.no.such }}{% else %}{{ title }}{% endif %}";
    assert_eq!(titled(template, Some("x")), "x");
}

#[test]
fn bad_rules_are_refused_with_every_reason() {
    let spec = RuleSpec {
        phrases: vec!["ok".to_owned(), " ".to_owned(), "meet:".to_owned()],
        title: Some("{{ chanel }} meeting".to_owned()),
        start_deadline: Duration::ZERO,
        ..RuleSpec::default()
    };
    insta::assert_snapshot!(errors(spec).join("\n"), @r"
    phrases: a phrase must have at least one word
    phrases: a phrase must end with a letter or digit, `meet:` does not: a title may follow it after `:` or `-`
    start_deadline: must be more than 0 s and at most 24 h
    title: `{{ chanel }} meeting`: unknown variable `chanel`; use channel, team, user, title
    ");
    let endless = "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}";
    for template in [
        "{{ channel",
        "{{ channel | shout }}",
        endless,
        &"x".repeat(5000),
    ] {
        let errors = errors(RuleSpec {
            title: Some(template.to_owned()),
            ..RuleSpec::default()
        });
        assert_eq!(errors.len(), 1, "{template}");
    }
    let title = Some("{{ channel".to_owned());
    insta::assert_snapshot!(errors(RuleSpec { title, ..RuleSpec::default() }).join("\n"), @"title: `{{ channel`: syntax error: unexpected end of input, expected end of variable block (in <string>:1)");
}
