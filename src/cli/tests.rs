#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::ffi::OsString;
use std::fs;
use std::sync::{Arc, Mutex};

use clap::CommandFactory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;

const LETTERS: &str = r#"{"dead_letters":[{"id":"0192:CreateRoom:room:1","kind":"job","queue":"conference",
    "meeting_id":"0192","reason":"refused\u001b[31m for good","buried_at":"2026-01-01T00:00:00.000Z","attempts":6}],
    "total":3}"#;

/// A relay that gives the same answer to every request, and records the requests.
struct Relay {
    sources: Sources,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

async fn relay(status: &'static str, body: &'static str) -> Relay {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("admin.sock")).unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 8192];
            let length = stream.read(&mut bytes).await.unwrap();
            let head = String::from_utf8_lossy(&bytes[..length]).into_owned();
            noted.lock().unwrap().push(head);
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    // A command needs no token and must not even read the file.
    fs::write(folder.path().join("admin-token"), "secret-token\n").unwrap();
    let data = folder.path().display().to_string();
    let variables = [
        ("MEETRELAY__SERVER__DATA_DIR", data.as_str()),
        ("USER", "root"),
    ];
    let sources = Sources {
        file: None,
        environment: variables.into_iter().collect(),
    };
    Relay {
        sources,
        asked,
        _folder: folder,
    }
}

impl Relay {
    async fn run(&self, arguments: &[&str]) -> CommandResult {
        run_with(&self.sources, arguments).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn run_with(sources: &Sources, arguments: &[&str]) -> CommandResult {
    let arguments = [&["meetrelay"], arguments].concat();
    let arguments = Arguments::try_parse_from(arguments).unwrap();
    carry_out(arguments.command, sources).await
}

fn nothing() -> Sources {
    Sources {
        file: None,
        environment: Environment::default(),
    }
}

#[test]
fn the_help_names_every_command() {
    let mut text = String::new();
    let mut command = Arguments::command();
    collect_help(&mut command, "", &mut text);
    insta::assert_snapshot!(text, @r###"
    meetrelay: Turns "meet now" in Mattermost into a plugNmeet meeting and its card
    meetrelay serve: Run the relay until SIGTERM or SIGINT; a second one ends it at once
    meetrelay check: Read the configuration and report every error, and what is still missing to serve
    meetrelay config: Show the configuration in force, or the reference of every key
    meetrelay config show: The values in force and where each comes from; secrets are hidden
        --json: As JSON
    meetrelay config reference: Every key with type, default, meaning and variable, in Markdown
        --metrics: Every metric instead
    meetrelay meetings: List, show and end meetings of the running relay
    meetrelay meetings list: The running ones, newest first
        --all: Those that are over as well
        --limit: At most this many, 1 to 500
        --json: As JSON
    meetrelay meetings show: One meeting with its requests, sessions, posts and events
        REFERENCE: Any REF of `why`: any id, a permalink, a link, or an error's text with its ref
        --json: As JSON
    meetrelay meetings end: End one for everybody
        REFERENCE: Any REF of `why`: any id, a permalink, a link, or an error's text with its ref
    meetrelay dead-letters: List, show, replay and discard what the running relay gave up
    meetrelay dead-letters list: What was given up and waits for a person, newest first
        --queue: Only from this queue: events, conference, chat, chat.later
        --kind: Only of this kind
        --meeting: Only of this meeting: any REF of `why`
        --reason: Only those whose reason contains this text
        --since: Only those given up since then: 2h ago, or since 2026-01-31T08:00:00Z
        --before: Only those given up before then
        --limit: At most this many, 1 to 500
        --json: As JSON
    meetrelay dead-letters show: One of them with its message; secrets are hidden
        ID: Its id; or any REF of `why` that leads to a meeting with one dead letter
        --json: As JSON
    meetrelay dead-letters replay: Do their work after all, once the cause is repaired; the oldest first
        IDS: Their ids, or any REF of `why` that leads to a meeting with one dead letter; instead of them a filter or --all
        --all: All of them
        --queue: Only from this queue: events, conference, chat, chat.later
        --kind: Only of this kind
        --meeting: Only of this meeting: any REF of `why`
        --reason: Only those whose reason contains this text
        --since: Only those given up since then: 2h ago, or since 2026-01-31T08:00:00Z
        --before: Only those given up before then
        --yes: Don't ask before a filter or --all is carried out
        --json: What was done to each, as JSON
        --now: People's requests count as received now; without it one that is older than its rule's start_deadline is answered as too late
    meetrelay dead-letters discard: Drop them for good
        IDS: Their ids, or any REF of `why` that leads to a meeting with one dead letter; instead of them a filter or --all
        --all: All of them
        --queue: Only from this queue: events, conference, chat, chat.later
        --kind: Only of this kind
        --meeting: Only of this meeting: any REF of `why`
        --reason: Only those whose reason contains this text
        --since: Only those given up since then: 2h ago, or since 2026-01-31T08:00:00Z
        --before: Only those given up before then
        --yes: Don't ask before a filter or --all is carried out
        --json: What was done to each, as JSON
    meetrelay why: Show the whole history of one meeting, found by any id: of an event, a post, a room, an error's ref, a link
        REFERENCE: An event, meeting, request, room, session, artifact, post, job or dead letter id; a permalink; a link of the relay; or an error's whole text with its ref
        --json: As JSON
    meetrelay topology: Make, check and export what the relay needs in RabbitMQ
    meetrelay topology apply: Make every exchange, queue and binding in RabbitMQ; exit code 1 when something different is in the way
        --url: Another account or broker than queue.url. Other users of this machine can read it here, but not in MEETRELAY__QUEUE__URL
    meetrelay topology check: Report what is missing or different in RabbitMQ and change nothing; exit code 1 when something is
        --url: Another account or broker than queue.url. Other users of this machine can read it here, but not in MEETRELAY__QUEUE__URL
    meetrelay topology export: Print it as definitions for `rabbitmqctl import_definitions`, without users
        --vhost: The virtual host that it is for
    meetrelay healthcheck: Report whether the relay on this machine is ready; exit code 1 when it is not
    "###);
}

/// Collects the help line of every command and its arguments.
fn collect_help(command: &mut clap::Command, above: &str, text: &mut String) {
    let name = format!("{above}{}", command.get_name());
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    text.push_str(&format!("{name}: {about}\n"));
    for argument in command
        .get_arguments()
        .filter(|argument| !argument.is_global_set())
    {
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let flag = argument.get_long().map_or_else(
            || argument.get_id().as_str().to_uppercase(),
            |long| format!("--{long}"),
        );
        text.push_str(&format!("    {flag}: {help}\n"));
    }
    for below in command.get_subcommands_mut() {
        collect_help(below, &format!("{name} "), text);
    }
}

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[tokio::test]
async fn dead_letters_are_a_listing_that_cannot_steer_the_terminal() {
    let relay = relay("200 OK", LETTERS).await;
    let text = relay.run(&["dead-letters", "list"]).await.unwrap();
    insta::assert_snapshot!(text, @r###"
    id    0192:CreateRoom:room:1
    what  job from queue conference, given up 2026-01-01T00:00:00.000Z after 6 attempts
    why   refused [31m for good

    1 of 3 dead letters
    "###);
    let asked = relay.asked();
    assert!(
        asked[0].starts_with("GET /api/dead-letters?limit=50 HTTP/1.1"),
        "{asked:?}"
    );
    assert!(
        !asked[0].contains("authorization") && !asked[0].contains("secret-token"),
        "{asked:?}"
    );
    assert!(asked[0].contains("x-meetrelay-by: root@"), "{asked:?}");
    let json = relay
        .run(&["dead-letters", "list", "--json"])
        .await
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["dead_letters"][0]["id"], "0192:CreateRoom:room:1");
}

#[tokio::test]
async fn an_id_is_one_part_of_the_path_whatever_it_holds() {
    let relay = relay("200 OK", r#"{"done":"replayed"}"#).await;
    let text = relay
        .run(&["dead-letters", "replay", "a/../b:1"])
        .await
        .unwrap();
    assert_eq!(text, "replayed: a/../b:1\n");
    let asked = relay.asked();
    let wanted = "POST /api/dead-letters/a%2F%2E%2E%2Fb%3A1/replay HTTP/1.1";
    assert!(asked[0].starts_with(wanted), "{asked:?}");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let refused = relay(
        "409 Conflict",
        r#"{"error":"it cannot be read; discard it"}"#,
    )
    .await;
    let failure = refused
        .run(&["dead-letters", "replay", "x"])
        .await
        .unwrap_err();
    assert_eq!(failure.text(), "meetrelay: 1 of 1 failed");
    assert_eq!(
        failure.before(),
        "not replayed: x\n  it cannot be read; discard it\n"
    );
    let other = relay("418 I'm a teapot", "").await;
    let failure = other.run(&["meetings", "list"]).await.unwrap_err();
    assert!(
        failure.text().contains("admin.sock answers 418"),
        "{}",
        failure.text()
    );
}

#[tokio::test]
async fn filters_are_asked_for_and_nothing_is_done_without_a_yes() {
    let relay = relay("200 OK", LETTERS).await;
    let filter = ["--kind", "job", "--reason", "a b", "--since", "2h"];
    let list = [&["dead-letters", "list"], &filter[..]].concat();
    relay.run(&list).await.unwrap();
    let wanted = "GET /api/dead-letters?limit=50&kind=job&reason=a%20b&since=2h HTTP/1.1";
    assert!(relay.asked()[0].starts_with(wanted), "{:?}", relay.asked());
    for act in ["replay", "discard"] {
        let command = [&["dead-letters", act], &filter[..]].concat();
        let failure = relay.run(&command).await.unwrap_err();
        assert!(
            failure.text().contains("1 dead letter would be"),
            "{}",
            failure.text()
        );
    }
    assert!(relay.asked().iter().all(|asked| asked.starts_with("GET ")));
}

#[tokio::test]
async fn dead_letters_must_be_selected_in_one_way() {
    let relay = relay("200 OK", LETTERS).await;
    for wrong in [
        &["dead-letters", "replay"][..],
        &["dead-letters", "replay", "x", "--all"],
        &["dead-letters", "discard", "--all", "--kind", "job"],
        &["dead-letters", "replay", "--since", "soon"],
    ] {
        let failure = relay.run(wrong).await.unwrap_err();
        assert_eq!(failure.code(), 2, "{wrong:?}: {}", failure.text());
    }
    assert!(relay.asked().is_empty(), "{:?}", relay.asked());
}

#[tokio::test]
async fn relay_that_becomes_unavailable_ends_a_replay_of_many() {
    let unavailable = relay(
        "503 Service Unavailable",
        r#"{"error":"not now: the queue is full"}"#,
    )
    .await;
    let failure = unavailable
        .run(&["dead-letters", "replay", "one", "two"])
        .await
        .unwrap_err();
    let text = failure.text();
    assert!(
        text.contains("the queue is full; 0 were replayed, 2 stay"),
        "{text}"
    );
    assert_eq!(unavailable.asked().len(), 1);
}

#[tokio::test]
async fn relay_that_does_not_run_is_reported_with_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let variables = [("MEETRELAY__SERVER__DATA_DIR", data.as_str())];
    let sources = Sources {
        file: None,
        environment: variables.into_iter().collect(),
    };
    let socket = folder.path().join("admin.sock");
    for what in ["there is no ", "nothing answers on "] {
        for command in [&["meetings", "list"][..], &["healthcheck"]] {
            let failure = run_with(&sources, command).await.unwrap_err();
            let text = failure.text();
            assert!(text.contains("does not run"), "{text}");
            assert!(
                text.contains(&format!("{what}{}", socket.display())),
                "{text}"
            );
        }
        // For the second round: a killed relay leaves its socket.
        if !socket.exists() {
            drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        }
    }
}

#[tokio::test]
async fn healthcheck_fails_when_the_relay_is_not_ready() {
    let ready = relay("200 OK", "[+] queue ok\nok\n").await;
    assert!(ready.run(&["healthcheck"]).await.is_ok());
    let draining = relay(
        "503 Service Unavailable",
        "[-] not_draining failed\nnot ready\n",
    )
    .await;
    let failure = draining.run(&["healthcheck"]).await.unwrap_err();
    assert!(
        failure.text().contains("not_draining failed"),
        "{}",
        failure.text()
    );
}

#[tokio::test]
async fn check_reports_what_is_missing_to_serve() {
    let failure = run_with(&nothing(), &["check"]).await.unwrap_err();
    insta::assert_snapshot!(failure.text(), @r###"
    meetrelay: the configuration has no errors (no file, only the environment and defaults), but is not enough to serve.
      listen           127.0.0.1:8080
      admin listen     127.0.0.1:9090
      public URL       not set
      Mattermost       not set
      delivery method  not set
      plugNmeet        not set
      queue            data/queue.db
      store            data/meetrelay.db
      rules            1

    Still missing to serve:
    server.public_url: is missing; write how Mattermost, plugNmeet and browsers reach the relay, like "https://relay.example.org"
    mattermost.url: is missing; write the chat server's address, or set mattermost.enabled = false
    mattermost.bot_token: is missing; make a bot account in Mattermost and write its access token; without a bot write mattermost.login_id and password, plugin_url, or incoming_webhook_url
    mattermost.outgoing_tokens: is missing; write the token of an outgoing webhook here, or that of a slash command into mattermost.command_tokens
    plugnmeet.url: is missing; write plugNmeet's address, like "https://meet.example.org"
    plugnmeet.api_key: is missing; write the value of client.api_key and client.secret of plugNmeet's configuration
    plugnmeet.api_secret: is missing; write the value of client.api_key and client.secret of plugNmeet's configuration
    "###);
}

#[tokio::test]
async fn check_names_the_delivery_method_in_force_and_no_secret() {
    const URL: &str = "https://chat.example.org/hooks/canary5hook5canary";
    let token = ("BOT_TOKEN", "canary6token6canary");
    let login = [("LOGIN_ID", "relay"), ("PASSWORD", "canary7word7canary")];
    let plugin = ("PLUGIN_URL", "https://chat.example.org/plugins/canary8/x");
    let hook = ("INCOMING_WEBHOOK_URL", URL);
    let slack = ("FORMAT", "slack");
    let cases = [
        (
            vec![hook],
            "mattermost.incoming_webhook_url: notices that are never edited",
        ),
        (
            vec![hook, slack],
            "mattermost.incoming_webhook_url: notices in Slack's format, which name no channel",
        ),
        (
            vec![hook, plugin],
            "mattermost.plugin_url: notices that are never edited",
        ),
        (
            vec![hook, plugin, login[0], login[1]],
            "mattermost.login_id: cards that are edited",
        ),
        (
            vec![hook, login[0], login[1], token],
            "mattermost.bot_token: cards that are edited",
        ),
        (vec![hook, ("ENABLED", "false")], "not set"),
    ];
    for (settings, expected) in cases {
        let url = ("URL", "https://chat.example.org");
        let variables = settings.iter().chain([&url]).map(|(key, value)| {
            let name = format!("MEETRELAY__MATTERMOST__{key}");
            (name.into(), (*value).into())
        });
        let variables: Vec<(OsString, OsString)> = variables.collect();
        let sources = Sources {
            file: None,
            environment: variables.into_iter().collect(),
        };
        let failure = run_with(&sources, &["check"]).await.unwrap_err();
        let text = failure.text();
        let line = format!("  delivery method  {expected}\n");
        assert!(text.contains(&line), "{expected}: {text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
