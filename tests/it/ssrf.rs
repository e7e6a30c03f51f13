//! The relay calls the configured hosts and no others, whatever a body or an answer says: rows W10 and W11.
//!
//! Two listeners stand by whose addresses are written wherever a careless program would take an address from; a single
//! connection to them fails the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::TcpListener;
use world::Fault;
use world::mattermost::Model;

use crate::harness::{FORM, PATIENCE, Setup, World, client};

/// A host that nobody has configured.
struct Canary {
    port: u16,
    visits: Arc<AtomicU32>,
}

impl Canary {
    async fn start() -> Self {
        // Every loopback address of both families leads to it.
        let four = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = four.local_addr().unwrap().port();
        let six = TcpListener::bind(("::1", port)).await;
        let visits = Arc::new(AtomicU32::new(0));
        for listener in [Some(four), six.ok()].into_iter().flatten() {
            let visits = Arc::clone(&visits);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    visits.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { port, visits }
    }

    /// The many ways to write its address, and places that no program should ever call.
    fn addresses(&self) -> Vec<String> {
        let port = self.port;
        let hosts = [
            "127.0.0.1",
            "127.0.0.2",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
        ];
        let mut addresses: Vec<String> = hosts
            .iter()
            .map(|host| format!("http://{host}:{port}/latest/meta-data"))
            .collect();
        addresses.extend([
            format!("//127.0.0.1:{port}/x"),
            format!("http://chat.example.org@127.0.0.1:{port}/x"),
            "http://169.254.169.254/latest/meta-data".to_owned(),
            "http://[64:ff9b::a9fe:a9fe]/".to_owned(),
            "file:///etc/passwd".to_owned(),
            "gopher://127.0.0.1/".to_owned(),
        ]);
        addresses
    }

    fn assert_silence(&self) {
        let visits = self.visits.load(Ordering::Relaxed);
        assert_eq!(visits, 0, "somebody called a host that nobody configured");
    }
}

fn redirect(status: u16, target: &str) -> Fault {
    Fault::Answer {
        status,
        body: String::new(),
        headers: vec![("Location".to_owned(), target.to_owned())],
    }
}

/// The token of `/plugnmeet`, from the relay's own configuration.
fn command_token(world: &World) -> String {
    let file = world.data().parent().unwrap().join("meetrelay.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let config: toml::Table = text.parse().unwrap();
    let tokens = config["mattermost"]["command_tokens"].as_array().unwrap();
    tokens[0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn w11_response_urls_of_other_hosts_are_not_called() {
    let world = World::start().await;
    let canary = Canary::start().await;
    let token = command_token(&world);
    let dev = world.chat.channel("dev").id;
    let ana = world.chat.user("ana").id;
    // Those with `..` are not used at all; of the others the id is, at mattermost.url.
    let bases = canary.addresses().into_iter();
    let bases = bases.flat_map(|address| [format!("{address}/../.."), address]);
    for (number, base) in bases.enumerate() {
        let hook = format!("{base}/hooks/commands/abcdefghijklmnopqrstuvw{number:03}");
        let form = [
            ("token", token.as_str()),
            ("team_id", "team"),
            ("team_domain", "eng"),
            ("channel_id", dev.as_str()),
            ("channel_name", "dev"),
            // Each of them may ask so often.
            ("user_id", &format!("{ana}{number}")),
            ("user_name", "ana"),
            ("command", "/plugnmeet"),
            // There is nothing to end, which is told later, through the response URL.
            ("text", "end"),
            ("trigger_id", &format!("trigger{number}")),
            ("response_url", &hook),
        ];
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let answer = client()
            .post(format!(
                "{}/mattermost/command",
                world.relay.ports.public_url()
            ))
            .header("Content-Type", FORM)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{hook}");
    }
    // A person's command after all of them, so that theirs were worked on.
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    world
        .see("the late answer", |chat| {
            let said = chat.ephemerals("ana");
            said.iter()
                .any(|e| e.text.contains("No meeting is running"))
                .then_some(())
        })
        .await;
    canary.assert_silence();
    let called = world.chat.requests();
    let ids = called.iter().filter(|request| {
        request
            .path
            .starts_with("/hooks/commands/abcdefghijklmnopqrstuvw")
    });
    assert!(
        ids.count() > 0,
        "the ids count, whatever stands before them"
    );
    for request in world.chat.requests() {
        assert!(!request.path.contains("meta-data"), "{}", request.path);
    }
    world.finish().await;
}

#[tokio::test]
async fn w11_addresses_in_webhooks_are_not_called() {
    let world = World::start().await;
    let canary = Canary::start().await;
    let (card, room) = world.meeting("dev", "lure").await;
    for address in canary.addresses() {
        let text = serde_json::to_string(&address).unwrap();
        let path = serde_json::to_string(&format!("{address}/file.mp4")).unwrap();
        let metadata = serde_json::json!({
            "webhook_url": address, "logout_url": address, "relay_meeting_id": address,
        });
        let metadata = serde_json::to_string(&metadata.to_string()).unwrap();
        let recording =
            format!(r#"{{"record_id":{text},"recorder_msg":{text},"file_path":{path}}}"#);
        let artifact = format!(
            r#"{{"artifact_id":{text},"type":"MEETING_SUMMARY","metadata":{{"file_info":{{"file_path":{path}}}}}}}"#
        );
        for (event, members) in [
            (
                "room_metadata",
                vec![("webhook_url", text.clone()), ("metadata", metadata)],
            ),
            ("recording_proceeded", vec![("recording_info", recording)]),
            ("artifact_created", vec![("artifact", artifact)]),
        ] {
            assert!(
                world
                    .conference
                    .send_raw_event(&room.room_id, event, &members)
            );
        }
    }
    world.conference.settle_webhooks(PATIENCE).await;
    assert!(world.conference.end_room(&room.room_id));
    let is_over = |chat: &Model| chat.post(&card.id)?.message.contains("ended").then_some(());
    world.see("the end", is_over).await;
    canary.assert_silence();
}

#[tokio::test]
async fn w10_redirects_of_mattermost_are_not_followed() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .start()
        .await;
    let canary = Canary::start().await;
    for status in [301, 302, 303, 307, 308] {
        for address in canary.addresses() {
            world
                .chat
                .faults()
                .next("posts.create", 1, redirect(status, &address));
            let before = world.chat.calls("posts.create");
            let start = "/plugnmeet start --new Lure";
            world.chat.command("ana", "dev", start, None).await;
            let is_asked = |_: &Model| (world.chat.calls("posts.create") > before).then_some(());
            world.see("the post to be tried", is_asked).await;
        }
    }
    world
        .relay
        .await_log("a redirect; mattermost.url must be the final address")
        .await;
    canary.assert_silence();
    world.finish().await;
}

#[tokio::test]
async fn w10_redirects_of_plugnmeet_are_not_followed() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .start()
        .await;
    let canary = Canary::start().await;
    for status in [301, 302, 303, 307, 308] {
        for address in canary.addresses() {
            world
                .conference
                .faults()
                .next("room.create", 1, redirect(status, &address));
            let before = world.conference.count("room.create");
            let start = "/plugnmeet start --new Lure";
            world.chat.command("ana", "dev", start, None).await;
            world
                .conference
                .wait_for("the create", PATIENCE, |fake| {
                    (fake.count("room.create") > before).then_some(())
                })
                .await;
        }
    }
    world.relay.await_log("not an answer from plugNmeet").await;
    canary.assert_silence();
    world.finish().await;
}

#[tokio::test]
async fn w10_downloads_are_redirected_to_no_host_that_is_not_listed() {
    let world = Setup::default()
        .set("RETRY__ATTEMPTS_MAX", "1")
        .set("PLUGNMEET__DOWNLOAD_HOSTS", "storage.example.org")
        .start()
        .await;
    let canary = Canary::start().await;
    let (_, room) = world.meeting("dev", "lure").await;
    world.join(&room, "Ana");
    assert!(world.conference.end_room(&room.room_id));
    let addresses = canary.addresses();
    for (number, address) in addresses.iter().enumerate() {
        let status = [301, 302, 303, 307, 308][number % 5];
        world
            .conference
            .faults()
            .next("download", 1, redirect(status, address));
        let before = world.conference.count("download");
        let html = format!("<p>Summary {number}</p>");
        world.conference.make_summary(&room.room_id, &html).unwrap();
        world
            .conference
            .wait_for("the download", PATIENCE, |fake| {
                (fake.count("download") > before).then_some(())
            })
            .await;
    }
    let refused = "not one of plugnmeet.download_hosts";
    world.relay.await_logged(refused, addresses.len()).await;
    canary.assert_silence();
    world.finish().await;
}

/// Where a request to another server may begin, and from which address it is made there. A new place is a decision
/// about whom the relay calls, so it is written down here.
const CALLERS: [(&str, &str); 9] = [
    ("src/http.rs", "the client itself"),
    ("src/mattermost/call.rs", "mattermost.url"),
    ("src/mattermost/login.rs", "mattermost.url"),
    (
        "src/mattermost/hooks.rs",
        "mattermost.url, or the configured webhook",
    ),
    ("src/plugnmeet/call.rs", "plugnmeet.url"),
    (
        "src/plugnmeet/download.rs",
        "plugnmeet.url, and download_hosts for a redirect",
    ),
    ("src/cli/admin_client.rs", "the socket in server.data_dir"),
    ("src/queue/rabbitmq/connect.rs", "queue.url"),
    ("src/listen.rs", "nobody: its socket listens"),
];

/// What makes a request or a connection.
const MAKERS: [&str; 6] = [
    "reqwest::Client",
    "ClientBuilder",
    "TcpStream::connect",
    "UnixStream::connect",
    "TcpSocket",
    "Request::new(",
];

#[test]
fn w11_requests_are_made_from_configured_addresses_in_known_places_only() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    let mut found = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                if !name.ends_with("/tests") {
                    folders.push(path);
                }
                continue;
            }
            let is_for_tests = name.ends_with("/tests.rs") || name.ends_with("/stub.rs");
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if !is_for_tests && MAKERS.iter().any(|maker| code.contains(maker)) {
                found.insert(name);
            }
        }
    }
    let known: std::collections::BTreeSet<String> =
        CALLERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known);
}
