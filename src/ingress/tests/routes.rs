//! The ingress as a whole, over real connections.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{IngressBench, meeting, recorded, request};
use crate::domain::{EventId, State};
use crate::listen::{ListenLimits, serve};
use crate::token::Link;

struct Served {
    address: std::net::SocketAddr,
    _stop: oneshot::Sender<()>,
    _running: JoinSet<usize>,
}

async fn served(bench: &IngressBench) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let ingress = bench.ingress().filter();
    let mut running = JoinSet::new();
    running.spawn(serve(listener, ingress, ListenLimits::default(), async {
        let _ = stopped.await;
    }));
    Served {
        address,
        _stop: stop,
        _running: running,
    }
}

impl Served {
    /// Sends bytes and reads the answer until the other end closes.
    async fn say(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .expect("an answer in time");
        String::from_utf8(answer).unwrap()
    }

    async fn ask(&self, method: &str, path: &str) -> String {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        self.say(request.as_bytes()).await
    }

    async fn post(&self, path: &str, kind: &str, body: &[u8]) -> String {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend(body);
        self.say(&request).await
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

fn request_id(answer: &str) -> Option<EventId> {
    let line = answer
        .lines()
        .find(|line| line.starts_with("x-request-id: "))?;
    line["x-request-id: ".len()..].parse().ok()
}

/// An unoptimized build moves it once for each level of `or`, on a stack of 2 MiB.
#[tokio::test]
async fn future_of_a_request_is_small_whatever_its_route_does() {
    let mut service = warp::service(IngressBench::new(None).ingress().filter());
    let answer = tower::Service::call(&mut service, http::Request::new(String::new()));
    let size = size_of_val(&answer);
    assert!(size <= 16 * 1024, "{size} bytes");
}

#[tokio::test]
async fn every_route_is_where_it_belongs_and_says_the_id_of_its_event() {
    let bench = IngressBench::new(Some(meeting(State::Ended)));
    let served = served(&bench).await;
    let join = bench.links.join(&Link::Open(request()));
    let join = join.strip_prefix("https://relay.example.org").unwrap();
    let artifact = bench
        .links
        .artifact(&"a".parse().unwrap(), crate::domain::ArtifactKind::Summary);
    let artifact = artifact.strip_prefix("https://relay.example.org").unwrap();
    for (method, path, expected) in [
        ("GET", "/healthz", "200"),
        ("POST", "/healthz", "405"),
        ("GET", "/mattermost/outgoing", "405"),
        ("POST", "/mattermost/outgoing", "415"),
        ("GET", "/mattermost/command", "401"),
        ("GET", "/auth/mattermost/command", "401"),
        ("GET", "/api/mattermost/command", "401"),
        ("PUT", "/api/mattermost/command", "405"),
        ("GET", "/plugnmeet/webhook", "405"),
        ("GET", join, "200"),
        ("HEAD", join, "200"),
        ("DELETE", join, "405"),
        ("GET", artifact, "200"),
        ("GET", &format!("{artifact}/file"), "302"),
        ("GET", "/join/x", "404"),
        ("GET", "/artifact/x/file", "404"),
        ("GET", "/", "404"),
        ("GET", "/nothing", "404"),
        ("POST", "/mattermost", "404"),
        ("GET", "/mattermost/../healthz", "404"),
        ("GET", "/mattermost%2fcommand", "404"),
        ("GET", "/join/%2e%2e/healthz", "404"),
    ] {
        let answer = served.ask(method, path).await;
        assert_eq!(status(&answer), expected, "{method} {path}: {answer}");
        assert!(request_id(&answer).is_some(), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn answers_are_noted_by_route_and_never_by_address() {
    let bench = IngressBench::new(None);
    let served = served(&bench).await;
    served.ask("GET", "/join/CANARY").await;
    served.ask("BREW", "/CANARY").await;
    assert_eq!(
        bench.notes.take(),
        [
            "noted bad_link",
            "answered /join/{token} GET 404",
            "answered other other 404"
        ]
    );
}

#[tokio::test]
async fn header_that_names_users_to_plugins_proves_nothing_and_changes_nothing() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const ADMIN: &str =
        "Mattermost-User-Id: sceiur5yg3dazx153r5crygdte\r\nMattermost-Plugin-ID: x\r\n";
    let bench = IngressBench::new(None);
    let served = served(&bench).await;
    for (path, form) in [
        (
            "/mattermost/outgoing",
            "channel_id=c1&user_id=u1&post_id=p1&text=meet+now",
        ),
        (
            "/mattermost/command",
            "channel_id=c1&channel_name=dev&user_id=u1&user_name=ana&command=%2Fplugnmeet&text=start",
        ),
    ] {
        let token = match path.rsplit('/').next() {
            Some("outgoing") => "token=outgoing-1&",
            _ => "token=command-1&",
        };
        let mut facts = Vec::new();
        for (token, header, expected) in [
            ("", ADMIN, "401"),
            ("token=wrong&", ADMIN, "401"),
            (token, "", "200"),
            (token, ADMIN, "200"),
        ] {
            let body = format!("{token}{form}");
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {FORM}\r\n{header}Content-Length: {}\r\n\r\n",
                body.len()
            );
            let answer = served.say(format!("{head}{body}").as_bytes()).await;
            assert_eq!(status(&answer), expected, "{path} {token}: {answer}");
            let stored = bench.sink.take();
            // Each request asks for a separate meeting.
            facts.extend(stored.iter().map(|event| {
                let fact = format!("{:?}", event.fact);
                fact.split_once(", place:").unwrap().1.to_owned()
            }));
        }
        assert_eq!(facts.len(), 2, "{path}: {facts:?}");
        assert_eq!(facts[0], facts[1], "{path}");
        assert!(
            facts[0].contains("u1") && !facts[0].contains("sceiur"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn accepted_events_id_is_the_answers_request_id() {
    let bench = IngressBench::new(None);
    let served = served(&bench).await;
    let body = "token=outgoing-1&channel_id=c1&user_id=u1&post_id=p1&text=meet+now";
    let answer = served
        .post(
            "/mattermost/outgoing",
            "application/x-www-form-urlencoded",
            body.as_bytes(),
        )
        .await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-length: 0"), "{answer}");
    assert_eq!(request_id(&answer), Some(bench.sink.take()[0].id));
}

#[tokio::test]
async fn body_over_the_limit_is_refused_with_and_without_a_length_and_not_read_on() {
    let bench = IngressBench::new(None);
    let served = served(&bench).await;
    for path in [
        "/mattermost/outgoing",
        "/mattermost/command",
        "/plugnmeet/webhook",
    ] {
        let kind = if path.starts_with("/plugnmeet") {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n");
        // The body is announced but never sent. An answer shows that the relay does not wait for it.
        let announced = format!("{head}Content-Length: 1048577\r\n\r\n");
        assert_eq!(
            status(&served.say(announced.as_bytes()).await),
            "413",
            "{path}"
        );
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
        for _ in 0..17 {
            chunked.push_str(&chunk);
        }
        assert_eq!(
            status(&served.say(chunked.as_bytes()).await),
            "413",
            "{path}"
        );
        let just_fits = vec![b'x'; 1024 * 1024];
        let answer = served.post(path, kind, &just_fits).await;
        assert_eq!(status(&answer), "401", "{path}: {answer:.200}");
    }
}

#[tokio::test]
async fn body_that_ends_early_is_refused_and_stored_nowhere() {
    let bench = IngressBench::new(None);
    let served = served(&bench).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream
        .write_all(b"POST /mattermost/outgoing HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\ntoken=outgoing-1&channel_id=c1&user_id=u1&post_id=p1&text=meet+now")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || status(&answer) == "400", "{answer}");
    assert!(bench.sink.take().is_empty());
}

#[tokio::test]
async fn encoded_bodies_are_refused() {
    let served = served(&IngressBench::new(None)).await;
    let answer = served
        .say(b"POST /mattermost/outgoing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
        .await;
    assert_eq!(status(&answer), "415");
}

#[tokio::test]
async fn sender_that_expects_100_continue_gets_it() {
    let served = served(&IngressBench::new(None)).await;
    let answer = served
        .say(b"POST /plugnmeet/webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 100 ") && answer.contains("HTTP/1.1 401"),
        "{answer}"
    );
}

#[tokio::test]
async fn recorded_command_by_get_is_taken_from_the_query() {
    let bench = IngressBench::new(None);
    let served = served(&bench).await;
    let (_, target, _, _) = recorded("mattermost-11/command-get.http");
    let query = target.split_once('?').unwrap().1;
    let query = query.replace("6168jrwkhffgfr6iaku7ghjata", "command-1");
    let answer = served
        .ask("GET", &format!("/api/mattermost/command?{query}"))
        .await;
    assert_eq!(status(&answer), "200");
    assert!(
        answer.contains("ephemeral") && answer.contains("/join/"),
        "{answer}"
    );
    assert_eq!(bench.sink.take().len(), 1);
}
