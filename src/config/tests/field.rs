//! Faults from the field (rows 3, 14 and 17).

use super::*;

#[test]
fn f14_quotes_that_a_file_of_variables_leaves_in_a_value_are_taken_off() {
    const TOKENS: &str = "MEETRELAY__MATTERMOST__OUTGOING_TOKENS";
    for value in [
        "tok1,tok2",
        "\"tok1\",\"tok2\"",
        "'tok1', \"tok2\"",
        "\"tok1,tok2\"",
        "[\"tok1\", \"tok2\"]",
        "'[\"tok1\", \"tok2\"]'",
    ] {
        let given = given()
            .variable(TOKENS, value)
            .variable("MEETRELAY__MATTERMOST__PLUGIN_AUTHORIZATION", "\"\"")
            .variable("MEETRELAY__MATTERMOST__URL", "\"https://chat.example.org\"")
            .variable("MEETRELAY__SERVER__DRAIN_TIMEOUT", "'3s'")
            .variable("MEETRELAY__PLUGNMEET__URL", "https://meet.example.org")
            .variable("MEETRELAY__PLUGNMEET__API_KEY", "key")
            .secret_file(
                "MEETRELAY__PLUGNMEET__API_SECRET_FILE",
                "\u{feff}secret\r\n",
            );
        let config = given.load().unwrap().config;
        let mattermost = &config.mattermost;
        assert_eq!(exposed(&mattermost.outgoing_tokens), ["tok1", "tok2"]);
        assert_eq!(
            mattermost.url.as_ref().unwrap().as_str(),
            "https://chat.example.org/"
        );
        assert_eq!(config.server.drain_timeout, Duration::from_secs(3));
        assert_eq!(exposed(config.plugnmeet.api_secret.as_slice()), ["secret"]);
        assert!(mattermost.plugin_authorization.is_none(), "not set");
    }
}

#[test]
fn f14_quotes_around_a_single_secret_count_as_part_of_it_and_are_a_doubt() {
    let names = [
        "SERVER__SIGNING_SECRET",
        "MATTERMOST__BOT_TOKEN",
        "MATTERMOST__PASSWORD",
        "PLUGNMEET__API_KEY",
        "PLUGNMEET__API_SECRET",
    ];
    let secret = format!("'{}'", "x".repeat(40));
    let variables = names.map(|name| format!("MEETRELAY__{name}"));
    let given = variables
        .iter()
        .fold(given(), |given, variable| given.variable(variable, &secret));
    let given = given.variable("MEETRELAY__MATTERMOST__LOGIN_ID", "\"relay\"");
    let url = "https://chat.example.org";
    let given = given.variable("MEETRELAY__MATTERMOST__URL", url);
    let given = given.variable("MEETRELAY__PLUGNMEET__URL", "https://meet.example.org");
    let loaded = given.load().unwrap();
    let config = &loaded.config;
    assert_eq!(config.mattermost.login_id.as_deref(), Some("relay"));
    for one in [
        &config.server.signing_secret,
        &config.mattermost.bot_token,
        &config.mattermost.password,
        &config.plugnmeet.api_key,
        &config.plugnmeet.api_secret,
    ] {
        assert_eq!(exposed(one.as_slice()), [secret.as_str()]);
    }
    let warnings = loaded.warnings().join("\n");
    for variable in &variables {
        let told = warnings
            .lines()
            .any(|line| line.contains(variable.as_str()) && line.contains("stands in quotes"));
        assert!(told, "{variable}: {warnings}");
    }
    assert!(!warnings.contains("xxx"), "{warnings}");
}

#[test]
fn f14_other_separators_are_a_fault_that_shows_the_right_form() {
    let url = ("MEETRELAY__MATTERMOST__URL", "https://chat.example.org");
    for (variable, value) in [
        ("MEETRELAY__MATTERMOST__OUTGOING_TOKENS", "tok1;tok2"),
        ("MEETRELAY__MATTERMOST__COMMAND_TOKENS", "tok1 tok2"),
        ("MEETRELAY__MATTERMOST__COMMAND_TOKENS", "\"tok1 tok2\""),
        ("MEETRELAY__MATTERMOST__COMMAND_TOKENS", "\"tok1\" \"tok2\""),
        ("MEETRELAY__PLUGNMEET__DOWNLOAD_HOSTS", "a.org;b.org"),
        ("MATTERMOST_OUTGOING_TOKEN", "tok1;tok2"),
    ] {
        let faults = given()
            .variable(variable, value)
            .variable(url.0, url.1)
            .faults();
        assert!(
            faults.contains(variable) && faults.contains("write them like first,second"),
            "{variable}={value}: {faults}"
        );
        assert!(!faults.contains("tok1"), "{faults}");
    }
    // The alias takes several as the list does.
    let both = given()
        .variable("MATTERMOST_OUTGOING_TOKEN", "'tok1','tok2'")
        .variable(url.0, url.1);
    let mattermost = both.load().unwrap().config.mattermost;
    assert_eq!(exposed(&mattermost.outgoing_tokens), ["tok1", "tok2"]);
    assert_eq!(exposed(&mattermost.command_tokens), ["tok1", "tok2"]);
}

#[test]
fn f14_a_token_that_mattermost_does_not_make_is_a_doubt() {
    let good = "abcdefghijklmnopqrstuvwxy1";
    let text = format!(
        "[mattermost]\nurl = \"https://chat.example.org\"\noutgoing_tokens = [\"{good}\", \"{CANARY}\"]\n\
         command_tokens = [\"{good}\"]\npassword = \"'quoted'\"\nlogin_id = \"relay\"\n"
    );
    let loaded = given().file(&text).load().unwrap();
    let warnings = loaded.warnings().join("\n");
    assert!(
        warnings.contains("relay.toml:3: mattermost.outgoing_tokens: number 2 does not look like a Mattermost token"),
        "{warnings}"
    );
    assert!(
        warnings.contains("relay.toml:5: mattermost.password: stands in quotes"),
        "{warnings}"
    );
    let count = warnings
        .matches("does not look like a Mattermost token")
        .count();
    assert_eq!(count, 1, "{warnings}");
    assert!(
        !warnings.contains("CANARY") && !warnings.contains("quoted'"),
        "{warnings}"
    );
}

#[test]
fn f17_base_addresses_work_with_what_was_copied_along_and_say_so() {
    for (key, given_url, expected) in [
        ("mattermost.url", "https://c.org/api/v4", "https://c.org/"),
        (
            "mattermost.url",
            "https://c.org/chat/api/v4/",
            "https://c.org/chat/",
        ),
        (
            "server.public_url",
            "https://r.org/mattermost/outgoing",
            "https://r.org/",
        ),
        (
            "server.public_url",
            "https://r.org/sub//plugnmeet/webhook",
            "https://r.org/sub/",
        ),
        ("plugnmeet.url", "https://m.org/auth/room", "https://m.org/"),
        // A path of the address may really be called so.
        ("plugnmeet.url", "https://m.org/auth", "https://m.org/auth/"),
        (
            "plugnmeet.external_url",
            "https://m.org/api/",
            "https://m.org/api/",
        ),
        ("mattermost.url", "https://c.org/api", "https://c.org/api/"),
        (
            "server.public_url",
            "https://r.org/join/",
            "https://r.org/join/",
        ),
    ] {
        let (section, name) = key.split_once('.').unwrap();
        let text = format!("[{section}]\n{name} = \"{given_url}\"\n");
        let loaded = given().file(&text).load().unwrap();
        let config = &loaded.config;
        let urls = [
            &config.mattermost.url,
            &config.server.public_url,
            &config.plugnmeet.url,
            &config.plugnmeet.external_url,
        ];
        let url = urls.into_iter().flatten().next().unwrap();
        assert_eq!(url.as_str(), expected, "{key} = {given_url}");
        let warnings = loaded.warnings().join("\n");
        let host = expected.split_inclusive('/').take(3).collect::<String>();
        assert!(
            warnings.contains(&format!("relay.toml:2: {key}: ends in /"))
                && warnings.contains(&format!("write \"{host}")),
            "{warnings}"
        );
        let is_kept = warnings.contains("unless the address really ends so");
        let named = format!("write \"{expected}\", which is used now");
        assert_eq!(is_kept, !warnings.contains(&named), "{warnings}");
    }
    // Any number of slashes is one, and nothing to be told.
    let text = "[server]\npublic_url = \"https://r.org//sub//\"\n[mattermost]\nurl = \"https://c.org/rapi/v4x\"\n";
    let loaded = given().file(text).load().unwrap();
    assert_eq!(loaded.warnings(), Vec::<String>::new());
    let public_url = loaded.config.server.public_url.unwrap();
    assert_eq!(public_url.as_str(), "https://r.org/sub/");
}

#[test]
fn f3_no_default_and_no_zone_depends_on_the_machine() {
    for zone in ["UTC", "utc", "Europe/Berlin", "America/Argentina/Ushuaia"] {
        let text = format!("[card]\ntime_zone = \"{zone}\"\n");
        given().file(&text).load().unwrap();
    }
    let faults = given().file("[card]\ntime_zone = \"Mars\"\n").faults();
    assert!(faults.contains("\"Mars\" is no time zone"), "{faults}");
}

/// A sample with values in the places of secrets.
fn filled(sample: &str) -> String {
    let secret = "a".repeat(26);
    crate::config::check::PLACEHOLDERS
        .iter()
        .fold(sample.to_owned(), |text, placeholder| {
            text.replace(&format!("\"{placeholder}\""), &format!("\"{secret}\""))
        })
}

#[test]
fn the_sample_file_is_enough_to_serve() {
    let sample = deploy("meetrelay.toml");
    let faults = given().file(&sample).faults();
    assert_eq!(
        faults
            .matches("still holds the sample's placeholder")
            .count(),
        faults.lines().count(),
        "{faults}"
    );
    let filled = filled(&sample);
    let loaded = given().file(&filled).load().unwrap();
    assert!(loaded.config.essentials().is_ok());
    let commented: String = filled
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") || key.starts_with("[[") => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = given().file(&commented).load().unwrap().config;
    assert_eq!(
        config.rules[0].channels,
        ["town-square"],
        "the commented rule reads too"
    );
}

#[test]
fn key_that_was_renamed_is_read_under_its_old_name_with_a_warning() {
    let text = "[[rule]]\nworth = \"20m\"\n\n[[rule]]\nworth = \"20m\"\nstart_deadline = \"30m\"\n";
    let loaded = given().file(text).load().unwrap();
    let deadlines: Vec<u64> = loaded
        .config
        .rules
        .iter()
        .map(|rule| rule.start_deadline.as_secs() / 60)
        .collect();
    assert_eq!(
        deadlines,
        [20, 30],
        "the new name counts where both are given"
    );
    let warnings = loaded.warnings().join("\n");
    assert_eq!(
        warnings.matches("has another name now").count(),
        2,
        "{warnings}"
    );
    let first = "relay.toml:2: rule[1].worth: has another name now, and the next version refuses this one; write start_deadline instead";
    assert!(warnings.contains(first), "{warnings}");
    let variable = given().variable("MEETRELAY__RULE", r#"[{"worth": "25m"}]"#);
    let loaded = variable.load().unwrap();
    assert_eq!(loaded.config.rules[0].start_deadline.as_secs(), 25 * 60);
    assert!(loaded.warnings().join("").contains("rule[1].worth"));
}
