//! Other users of the relay's machine, and pages in its operators' browsers.

use std::fs::{File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use reqwest::StatusCode;
use tokio::process::Command;

use crate::harness::{World, client};

fn mode(path: &Path) -> u32 {
    let found = path.symlink_metadata();
    let found = found.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    found.permissions().mode() & 0o777
}

fn told(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

/// What the admin API answers over TCP to this token.
async fn status_with(world: &World, token: &str) -> StatusCode {
    let url = format!("{}/api/meetings", world.relay.ports.admin_url());
    let request = client().get(url).bearer_auth(token.trim());
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn s7_who_listens_in_the_relays_place_is_sent_nothing() {
    let mut world = World::start().await;
    world.relay.stop().await;
    let address = ("127.0.0.1", world.relay.ports.admin);
    let stranger = TcpListener::bind(address).unwrap();
    stranger.set_nonblocking(true).unwrap();
    for command in [
        &["meetings", "list"][..],
        &["dead-letters", "list"],
        &["healthcheck"],
    ] {
        let output = world.relay.cli(command).await;
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let told = told(&output);
        assert!(
            told.contains("does not run") && told.contains("admin.sock"),
            "{told}"
        );
    }
    let connected = stranger.accept().map(|_| ()).unwrap_err();
    assert_eq!(connected.kind(), std::io::ErrorKind::WouldBlock);
    world.finish().await;
}

#[tokio::test]
async fn s7_everything_that_gives_rights_is_the_relays_users_alone() {
    let world = World::start().await;
    let data = world.data();
    assert_eq!(mode(&data), 0o700);
    for name in ["admin.sock", "admin.sock.lock", "admin-token"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
    // The commands need no token.
    std::fs::remove_file(data.join("admin-token")).unwrap();
    world.relay.cli_ok(&["meetings", "list"]).await;
    world.relay.cli_ok(&["healthcheck"]).await;
    world.finish().await;
}

#[tokio::test]
async fn s7_data_directory_that_everybody_can_enter_is_warned_of() {
    let mut world = World::start().await;
    let warning = "server.data_dir can be entered by every user";
    assert!(!world.relay.log().contains(warning));
    world.relay.stop().await;
    std::fs::set_permissions(world.data(), Permissions::from_mode(0o755)).unwrap();
    world.relay.start_again().await;
    assert_eq!(world.relay.log().matches(warning).count(), 1);
    assert_eq!(mode(&world.data()), 0o755, "it is the operator's");
    assert_eq!(mode(&world.data().join("admin.sock")), 0o600);
    world.finish().await;
}

#[tokio::test]
async fn s7_token_that_was_once_read_is_worth_nothing_after_a_restart() {
    let mut world = World::start().await;
    let file = world.data().join("admin-token");
    let first = std::fs::read_to_string(&file).unwrap();
    assert_eq!(status_with(&world, &first).await, StatusCode::OK);
    world.relay.kill().await;
    world.relay.start_again().await;
    let second = std::fs::read_to_string(&file).unwrap();
    assert_ne!(first, second);
    assert_eq!(status_with(&world, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status_with(&world, &second).await, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn s7_configured_token_counts_and_is_replaced_by_a_reload() {
    let [first, second] = ["canary1".repeat(8), "canary2".repeat(8)];
    let mut world = World::start().await;
    let made = world.data().join("admin-token");
    for token in [&first, &second] {
        world.relay.configure(|text| {
            let lines = text.lines().filter(|line| !line.contains("admin_token"));
            let text: Vec<&str> = lines.collect();
            let head = format!("[server]\nadmin_token = \"{token}\"");
            text.join("\n").replacen("[server]", &head, 1)
        });
        assert!(world.relay.reload().await);
        assert_eq!(status_with(&world, token).await, StatusCode::OK);
        assert!(!made.exists());
    }
    assert_eq!(status_with(&world, &first).await, StatusCode::UNAUTHORIZED);
    world.relay.cli_ok(&["meetings", "list"]).await;
    let log = world.relay.log();
    assert!(!log.contains(&first) && !log.contains(&second), "{log}");
    world.finish().await;
}

#[tokio::test]
async fn s7_socket_of_a_killed_relay_is_replaced() {
    let mut world = World::start().await;
    world.relay.kill().await;
    let output = world.relay.cli(&["meetings", "list"]).await;
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing answers on"), "{said}");
    world.relay.start_again().await;
    world.relay.cli_ok(&["meetings", "list"]).await;
    world.relay.stop().await;
    assert!(!world.data().join("admin.sock").exists());
    world.finish().await;
}

#[tokio::test]
async fn s7_lock_that_a_stranger_holds_is_named_with_its_process() {
    let mut world = World::start().await;
    world.relay.stop().await;
    let name = world.data().join("admin.sock.lock");
    let held = File::options().write(true).open(name).unwrap();
    held.try_lock().unwrap();
    let output = world.relay.cli(&["serve"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = told(&output);
    let holder = format!(
        "admin.sock is in use by another process (pid {}, program ",
        std::process::id()
    );
    assert!(said.contains(&holder) && said.contains(", user "), "{said}");
    drop(held);
    world.relay.start_again().await;
    world.finish().await;
}

#[tokio::test]
async fn s7_page_with_a_name_for_the_loopback_address_reads_nothing() {
    let world = World::start().await;
    let base = world.relay.ports.admin_url();
    let port = world.relay.ports.admin;
    for path in [
        "/metrics",
        "/readyz",
        "/livez",
        "/startupz",
        "/api/meetings",
    ] {
        let ask = |host: String| client().get(format!("{base}{path}")).header("host", host);
        for host in ["evil.example".to_owned(), format!("evil.example:{port}")] {
            let answer = ask(host).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
            let text = answer.text().await.unwrap();
            assert!(
                text.contains("localhost") && !text.contains("meetrelay_"),
                "{text}"
            );
        }
        for host in ["localhost".to_owned(), format!("127.0.0.1:{port}")] {
            let answer = ask(host).send().await.unwrap();
            assert_ne!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn s7_listener_for_other_machines_answers_to_any_name() {
    let mut world = World::start().await;
    let ports = world.relay.ports;
    // The same port on every address.
    world.relay.stop().await;
    let listen = format!("admin_listen = \"127.0.0.1:{}\"", ports.admin);
    let open = format!("admin_listen = \"0.0.0.0:{}\"", ports.admin);
    world.relay.configure(|text| text.replace(&listen, &open));
    world.relay.start_again().await;
    let request = client().get(format!("{}/metrics", ports.admin_url()));
    let answer = request.header("host", "relay.example:9090").send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn s7_secret_in_the_place_of_its_files_name_is_not_printed() {
    const SECRET: &str = "canary3token3canary3canary";
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join(format!("{SECRET}-long"));
    std::fs::write(&long, "x".repeat(70_000)).unwrap();
    let directory = folder.path().join(format!("{SECRET}-directory"));
    std::fs::create_dir(&directory).unwrap();
    let cases = [
        (SECRET.to_owned(), "cannot be read"),
        (directory.display().to_string(), "cannot be read"),
        (long.display().to_string(), "is longer than"),
        // Longer than any name of a file.
        (SECRET.repeat(20), "cannot be read"),
    ];
    for variable in [
        "MEETRELAY__MATTERMOST__BOT_TOKEN_FILE",
        "MEETRELAY__SERVER__ADMIN_TOKEN_FILE",
        "MATTERMOST_OUTGOING_TOKEN_FILE",
    ] {
        for (value, why) in &cases {
            for command in ["check", "serve"] {
                let mut program = Command::new(env!("CARGO_BIN_EXE_meetrelay"));
                program.arg(command).current_dir(folder.path());
                let output = program.env(variable, value).output().await.unwrap();
                let said = told(&output);
                assert_eq!(output.status.code(), Some(2), "{said}");
                assert!(said.contains(variable) && said.contains(why), "{said}");
                assert!(!said.contains(SECRET), "{said}");
            }
        }
    }
}
