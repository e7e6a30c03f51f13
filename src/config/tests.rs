#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::key::Section;
use super::keys::Config;
use super::value::Raw;
use super::*;

mod field;

const CANARY: &str = "CANARY-CANARY-CANARY-CANARY-CANARY-CANARY";

struct Given {
    folder: tempfile::TempDir,
    file: Option<PathBuf>,
    variables: Vec<(String, String)>,
}

fn given() -> Given {
    Given {
        folder: tempfile::tempdir().unwrap(),
        file: None,
        variables: vec![],
    }
}

impl Given {
    fn file(mut self, text: &str) -> Self {
        let path = self.folder.path().join("relay.toml");
        fs::write(&path, text).unwrap();
        self.file = Some(path);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn secret_file(self, variable: &str, content: &str) -> Self {
        let path = self.folder.path().join(variable);
        fs::write(&path, content).unwrap();
        let path = path.display().to_string();
        self.variable(variable, &path)
    }

    fn load(&self) -> Result<Loaded, Problems> {
        let pairs = self.variables.iter();
        load(&Sources {
            file: self.file.clone(),
            environment: pairs
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        })
    }

    /// All faults as text, without the random folder.
    fn faults(&self) -> String {
        let text = self.load().expect_err("faults").to_string();
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn exposed(secrets: &[secrecy::SecretString]) -> Vec<&str> {
    secrets.iter().map(ExposeSecret::expose_secret).collect()
}

#[test]
fn nothing_given_is_the_documented_default() {
    let config = given().load().unwrap().config;
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.drain_timeout, Duration::from_secs(25));
    assert_eq!(config.server.body_bytes_max.as_u64(), 1024 * 1024);
    assert_eq!(config.plugnmeet.artifact_polls.len(), 13);
    assert_eq!(config.plugnmeet.artifact_polls[0], Duration::from_secs(55));
    assert_eq!(config.queue_path(), PathBuf::from("data/queue.db"));
    assert_eq!(config.store_url().shown(), "sqlite:data/meetrelay.db");
    assert_eq!(config.rules.len(), 1, "the built-in rule");
    assert_eq!(config.rules[0].phrases, ["meet now", "meet"]);
    assert_eq!(config.rules[0].start_deadline, Duration::from_secs(15 * 60));
}

#[test]
fn every_default_reads_and_lies_in_its_range() {
    for Section { keys, .. } in Config::SECTIONS {
        for key in *keys {
            let shown = (key.show_default)(key.default.unwrap_or_default());
            let is_optional = key.default.is_none();
            assert!(shown.is_some() || is_optional, "{}", key.path());
        }
    }
    assert!(given().load().is_ok());
}

#[test]
fn the_environment_replaces_the_file() {
    let loaded = given()
        .file("[server]\nlisten = \"0.0.0.0:1\"\n[plugnmeet.room]\nmute_on_start = true\n")
        .variable("MEETRELAY__SERVER__LISTEN", "0.0.0.0:2")
        .variable("MEETRELAY__PLUGNMEET__ROOM__WAITING_ROOM", "true")
        .variable("MEETRELAY__CARD__LATE_AFTER", "")
        .load();
    // An empty variable is no time: only a key that may be absent can be emptied.
    insta::assert_snapshot!(loaded.unwrap_err(), @r#"MEETRELAY__CARD__LATE_AFTER: card.late_after: "" is no time with a unit; write a time with its unit, like "2s", "15m" or "7d""#);
    let config = given()
        .file("[server]\nlisten = \"0.0.0.0:1\"\n[plugnmeet.room]\nmute_on_start = true\n")
        .variable("MEETRELAY__SERVER__LISTEN", "0.0.0.0:2")
        .variable("MEETRELAY__PLUGNMEET__ROOM__WAITING_ROOM", "true")
        .load()
        .unwrap()
        .config;
    assert_eq!(config.server.listen.port(), 2);
    assert!(config.room.mute_on_start && config.room.waiting_room);
}

#[test]
fn a_list_in_the_environment_is_json_or_has_commas() {
    for text in ["one, two", r#"["one", "two"]"#] {
        let given = given().variable("MEETRELAY__MATTERMOST__COMMAND_TOKENS", text);
        let given = given.variable("MEETRELAY__MATTERMOST__URL", "https://chat.example.org");
        let config = given.load().unwrap().config;
        assert_eq!(exposed(&config.mattermost.command_tokens), ["one", "two"]);
    }
}

#[test]
fn a_secret_comes_from_a_file_without_its_line_break() {
    let config = given()
        .secret_file(
            "MEETRELAY__SERVER__SIGNING_SECRET_FILE",
            &format!("{CANARY}\n"),
        )
        .load()
        .unwrap()
        .config;
    let secret = config.server.signing_secret.unwrap();
    assert_eq!(secret.expose_secret(), CANARY);
}

#[test]
fn secret_files_that_cannot_serve_are_named() {
    let faults = given()
        .variable("MEETRELAY__PLUGNMEET__API_KEY_FILE", "/no/such/file")
        .variable("MEETRELAY__SERVER__SIGNING_SECRET", CANARY)
        .secret_file("MEETRELAY__SERVER__SIGNING_SECRET_FILE", CANARY)
        .variable("MEETRELAY__SERVER__LISTEN_FILE", "/etc/hostname")
        .faults();
    insta::assert_snapshot!(faults, @r"
    MEETRELAY__PLUGNMEET__API_KEY_FILE: plugnmeet.api_key: the file that it names cannot be read: No such file or directory (os error 2); name a readable file that holds the secret alone
    MEETRELAY__SERVER__LISTEN_FILE: server.listen: is no secret, so it is not read from a file; write the value itself into MEETRELAY__SERVER__LISTEN
    MEETRELAY__SERVER__SIGNING_SECRET_FILE: server.signing_secret: MEETRELAY__SERVER__SIGNING_SECRET is set too; set one of the two
    ");
}

#[test]
fn the_alias_variables_work() {
    let config = given()
        .file("[mattermost]\nurl = \"https://chat.example.org\"\noutgoing_tokens = [\"one\"]\n[plugnmeet]\nexternal_url = \"https://file.example.org\"\n")
        .variable("MATTERMOST_ENABLED", "false")
        .variable("MATTERMOST_OUTGOING_TOKEN", "added")
        .variable("PLUGNMEET_EXTERNAL_URL", "https://alias.example.org")
        .load()
        .unwrap()
        .config;
    assert!(!config.mattermost.enabled);
    assert_eq!(
        exposed(&config.mattermost.outgoing_tokens),
        ["one", "added"]
    );
    assert_eq!(exposed(&config.mattermost.command_tokens), ["added"]);
    let external = config.plugnmeet.external_url.unwrap();
    assert_eq!(external.as_str(), "https://alias.example.org/");
}

#[test]
fn all_faults_of_all_sources_are_told_at_once_and_no_secret() {
    let faults = given()
        .file(&format!(
            r#"
[server]
listn = "127.0.0.1:8080"
admin_listen = "localhost"
public_url = "relay.example.org"
header_timeout = 10
request_timeout = "3"
body_bytes_max = "1TiB"
signing_secret = "{short}"
[mattermost]
bot_token = "{CANARY}"
command_tokens = [" {CANARY}"]
api_key = "x"
[queue]
url = "ampq://user:{CANARY}@host"
[store]
url = "postgres://user:{CANARY}@host"
[[rule]]
phrases = ["", "meet"]
title = "{{{{ channel"
moderators = "nobody"
colour = "red"
[nonsense]
"#,
            short = &CANARY[..10],
        ))
        .variable("MEETRELAY__PLUGNMEET__API_SECRET", CANARY)
        .variable("MEETRELAY__LOG__LEVELS", "debug")
        .variable("MEETRELAY__MATTERMOST__ENABLED", "perhaps")
        .variable("MEETRELAY_SERVICE_HOST", "left alone")
        .faults();
    insta::assert_snapshot!(faults, @r###"
    relay.toml:3: unknown key server.listn; did you mean server.listen?
    relay.toml:4: server.admin_listen: "localhost" is no address with a port; write one like "127.0.0.1:8080", "0.0.0.0:8080" or "[::1]:8080"
    relay.toml:5: server.public_url: is no http or https URL; write one like "https://host.example.org"
    relay.toml:6: server.header_timeout: "10" has no unit; write a time with its unit, like "2s", "15m" or "7d"
    relay.toml:7: server.request_timeout: "3" is no time with a unit; write a time with its unit, like "2s", "15m" or "7d"
    relay.toml:8: server.body_bytes_max: "1024GiB" is out of range; write 16KiB to 16MiB
    relay.toml:9: server.signing_secret: has only 10 bytes; write at least 32, for instance what `openssl rand -hex 32` prints
    relay.toml:12: mattermost.command_tokens: is empty, or has a line break or a blank around it; write the secret alone
    relay.toml:13: unknown key mattermost.api_key; did you mean plugnmeet.api_key?
    relay.toml:15: queue.url: is no queue that this version knows; write "embedded" or one like "amqp://user:password@host:5672/vhost", special characters percent-encoded
    relay.toml:17: store.url: names no user or no database; write one like "sqlite:data/meetrelay.db" or "postgres://user:password@host:5432/database?sslmode=require", special characters percent-encoded
    relay.toml:19: rule[1].phrases: are none, or hold an empty one, a line break or more than 100 characters; write at least one, like ["meet now"]
    relay.toml:20: rule[1].title: "{{ channel" is no template: syntax error: unexpected end of input, expected end of variable block (in <string>:1); write a title, like "{{ channel }} meeting"
    relay.toml:21: rule[1].moderators: "nobody" is not known here; write one of "everyone", "starter"
    relay.toml:22: unknown key rule.colour; `meetrelay config reference` lists every key
    relay.toml:23: unknown section [nonsense]; `meetrelay config reference` lists every key
    MEETRELAY__LOG__LEVELS: unknown variable; did you mean MEETRELAY__LOG__LEVEL?
    MEETRELAY__MATTERMOST__ENABLED: mattermost.enabled: "perhaps" is neither true nor false; write true or false
    mattermost.url: is missing although Mattermost's tokens are given; write the chat server's address, or set mattermost.enabled = false
    plugnmeet.api_key: is missing although plugnmeet.api_secret is given; write both, as plugNmeet's configuration has them
    "###);
    assert!(!faults.contains(&CANARY[..10]), "{faults}");
}

#[test]
fn a_syntax_error_is_placed_without_repeating_the_line() {
    let faults = given()
        .file(&format!(
            "[server]\nsigning_secret = \"{CANARY}\nlisten = 5 5\n"
        ))
        .faults();
    assert!(
        faults.starts_with("relay.toml:2: this is no TOML"),
        "{faults}"
    );
    assert!(!faults.contains(CANARY), "{faults}");
}

#[test]
fn rules_come_from_the_environment_as_json() {
    let config = given()
        .file("[[rule]]\nname = \"file\"\n")
        .variable(
            "MEETRELAY__RULE",
            r#"[{"phrases": ["call"], "channels": ["town-square"]}, {"moderators": "starter"}]"#,
        )
        .load()
        .unwrap()
        .config;
    assert_eq!(config.rules.len(), 2);
    assert_eq!(config.rules[0].phrases, ["call"]);
    assert_eq!(config.rules[0].name, None);
    assert_eq!(
        config.rules[1].moderators,
        crate::domain::Moderators::Starter
    );
}

#[test]
fn what_is_shown_reads_back_the_same_and_holds_no_secret() {
    let first = given()
        .file(
            "[server]\npublic_url = \"https://relay.example.org/sub\"\n[mattermost]\nurl = \"http://chat\"\n\
             command_tokens = [\"CANARY-CANARY\"]\n[[rule]]\nname = \"a \\\"quoted\\\" one\"\n[[rule]]\nworth = \"90s\"\n",
        )
        .load()
        .unwrap();
    let shown = first.shown_as_toml();
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(shown.contains("relay.toml:2"), "{shown}");
    let values = |loaded: &Loaded| -> Vec<_> {
        let shown = loaded.shown().into_iter();
        shown.map(|s| (s.section, s.key, s.value)).collect()
    };
    let second = given().file(&shown).load().unwrap();
    assert_eq!(values(&first), values(&second));
}

#[test]
fn what_serving_still_needs_is_listed_whole() {
    let missing = given().load().unwrap().config.essentials().unwrap_err();
    let keys: Vec<_> = missing.0.into_iter().filter_map(|p| p.key).collect();
    let wanted = [
        "server.public_url",
        "mattermost.url",
        "mattermost.bot_token",
        "mattermost.outgoing_tokens",
        "plugnmeet.url",
        "plugnmeet.api_key",
        "plugnmeet.api_secret",
    ];
    assert_eq!(keys, wanted);
}

#[test]
fn six_settings_are_enough_to_serve() {
    let essentials = given()
        .variable("MEETRELAY__SERVER__PUBLIC_URL", "https://relay.example.org")
        .variable("MEETRELAY__MATTERMOST__URL", "https://chat.example.org")
        .variable("MATTERMOST_OUTGOING_TOKEN", "token")
        .variable("MEETRELAY__MATTERMOST__BOT_TOKEN", "bot")
        .variable("MEETRELAY__PLUGNMEET__URL", "https://meet.example.org")
        .variable("MEETRELAY__PLUGNMEET__API_KEY", "key")
        .variable("MEETRELAY__PLUGNMEET__API_SECRET", "secret")
        .load()
        .unwrap()
        .config
        .essentials()
        .unwrap();
    assert_eq!(essentials.plugnmeet.external_url, essentials.plugnmeet.url);
    assert!(essentials.mattermost.is_some());
}

#[test]
fn the_committed_reference_is_the_generated_one() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/reference/configuration.md"
    );
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == reference(),
        "run: cargo run -- config reference > deploy/reference/configuration.md"
    );
}

#[test]
fn every_variable_of_the_reference_is_understood() {
    for Section {
        keys, is_repeated, ..
    } in Config::SECTIONS
    {
        for key in keys.iter().filter(|_| !is_repeated) {
            let problems = given().variable(&key.variable(), "?").load();
            let text = problems.map_or_else(|p| p.to_string(), |_| String::new());
            assert!(!text.contains("unknown"), "{text}");
            assert!(reference().contains(&key.variable()));
        }
    }
}

#[test]
fn a_number_of_another_base_is_a_number() {
    let raw = Raw::Integer(0x10);
    assert_eq!(<u32 as super::value::Setting>::read(&raw), Ok(16));
    let config = given()
        .file("[mattermost]\nconcurrency = 0x1F\n")
        .load()
        .unwrap()
        .config;
    assert_eq!(config.mattermost.concurrency, 31);
}

fn deploy(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_service_manager_waits_longer_than_the_drain() {
    let unit = deploy("systemd/meetrelay.service");
    let stop = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    let stop = humantime::parse_duration(stop.unwrap()).unwrap();
    let drain = given().load().unwrap().config.server.drain_timeout;
    assert!(
        stop >= drain + Duration::from_secs(10),
        "{stop:?} for a drain of {drain:?}"
    );
}

#[test]
fn a_rule_cannot_be_a_variable_and_is_told_where_to_stand() {
    let faults = given().variable("MEETRELAY__RULE__WORTH", "10s").faults();
    insta::assert_snapshot!(faults, @"MEETRELAY__RULE__WORTH: unknown variable; write [[rule]] into the configuration's file");
}

#[test]
fn a_brokers_address_shows_without_its_password() {
    let config = given()
        .file(&format!(
            "[queue]\nurl = \"amqps://relay:{CANARY}@broker.example.org/meetrelay\"\n"
        ))
        .load()
        .unwrap()
        .config;
    let QueueUrl::Amqp(amqp) = &config.queue.url else {
        panic!("{:?}", config.queue.url);
    };
    assert_eq!(
        amqp.shown(),
        "amqps://relay@broker.example.org:5671/meetrelay"
    );
    assert!(!format!("{config:?}").contains(CANARY));
}

#[test]
fn the_first_way_out_that_is_given_counts() {
    let webhook = "incoming_webhook_url = \"https://chat.example.org/hooks/x\"\n";
    let plugin = "plugin_url = \"https://chat.example.org/plugins/x/notices\"\n";
    let login = "login_id = \"relay\"\npassword = \"secret\"\n";
    let bot = "bot_token = \"token\"\n";
    let mut found = Vec::new();
    for ways in [
        vec![webhook],
        vec![webhook, plugin],
        vec![webhook, plugin, login],
        vec![webhook, plugin, login, bot],
    ] {
        let config = given()
            .file(&format!(
                "[server]\npublic_url = \"https://relay.example.org\"\n[plugnmeet]\nurl = \"https://meet.example.org\"\n\
                 api_key = \"key\"\napi_secret = \"secret\"\n[mattermost]\nurl = \"https://chat.example.org\"\n\
                 outgoing_tokens = [\"token\"]\n{}",
                ways.concat()
            ))
            .load()
        .unwrap()
        .config;
        found.push(
            match config
                .essentials()
                .unwrap()
                .mattermost
                .unwrap()
                .delivery_method
            {
                DeliveryConfig::Bot { .. } => "bot",
                DeliveryConfig::Login { .. } => "login",
                DeliveryConfig::Plugin { .. } => "plugin",
                DeliveryConfig::IncomingWebhook { .. } => "incoming webhook",
            },
        );
    }
    assert_eq!(found, ["incoming webhook", "plugin", "login", "bot"]);
}

#[test]
fn halves_of_a_way_out_and_a_ca_without_tls_are_faults() {
    let faults = given()
        .file(
            "[mattermost]\nurl = \"https://chat.example.org\"\nlogin_id = \"relay\"\nplugin_authorization = \"x\"\n\
             incoming_webhook_url = \"ftp://chat.example.org\"\n\
             [queue]\nurl = \"amqp://broker.example.org\"\nca_file = \"ca.pem\"\n",
        )
        .faults();
    insta::assert_snapshot!(faults, @r#"
    relay.toml:5: mattermost.incoming_webhook_url: is no http or https URL, or holds a user name or a fragment (#); write the whole address, like "https://host.example.org/hooks/..."
    relay.toml:8: queue.ca_file: is given although queue.url is not amqps://; write amqps:// into queue.url, or leave queue.ca_file out
    mattermost.password: is missing although mattermost.login_id is given; write both, or a mattermost.bot_token instead
    mattermost.plugin_url: is missing although mattermost.plugin_authorization is given; write the address of the plugin's endpoint
    "#);
}
