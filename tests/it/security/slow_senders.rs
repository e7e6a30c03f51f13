//! Strangers who hold connections and room for bodies.

use std::io::{Read, Write};
use std::net::TcpStream as BlockingStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use world::plugnmeet::sign_webhook;

use crate::harness::{PATIENCE, Setup, World, eventually, slow_peer_takes};

/// Sockets of the crowd: three times the places of the relay.
const CROWD: usize = 3_000;
/// Signed webhooks that are sent meanwhile.
const WEBHOOKS: usize = 200;

/// A request of plugNmeet with an event that means nothing to the relay, `bytes` long.
fn webhook(world: &World, bytes: usize, connection: &str) -> Vec<u8> {
    let filler = "x".repeat(bytes);
    let body = format!(r#"{{"event":"track_published","id":"EV_1","filler":"{filler}"}}"#);
    let options = world.conference.options();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    let token = sign_webhook(&options.api_key, &options.api_secret, body.as_bytes(), now);
    let length = body.len();
    let head = format!(
        "POST /plugnmeet/webhook HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nContent-Type: application/webhook+json\r\nHash-Token: {token}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// A head that announces a body of this length.
fn head(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// The status of the next answer on this connection; 0: it was closed.
fn ask(stream: &mut BlockingStream, request: &[u8]) -> u16 {
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).unwrap();
    let mut answer = [0; 1024];
    let sent = stream.write_all(request);
    let read = sent.and_then(|()| stream.read(&mut answer)).unwrap_or(0);
    let text = String::from_utf8_lossy(&answer[..read]);
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.unwrap_or(0)
}

/// Holds sockets with a head and one byte of body, and connects again at once whenever one is closed.
fn crowd(port: u16, over: &Arc<AtomicBool>, closed: &Arc<AtomicUsize>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let request = head("/plugnmeet/webhook", 2_000) + "a";
    runtime.block_on(async {
        let mut sockets = JoinSet::new();
        for _ in 0..CROWD {
            let (over, closed) = (Arc::clone(over), Arc::clone(closed));
            let request = request.clone();
            sockets.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
                        slow_peer_takes(Duration::from_millis(10)).await;
                        continue;
                    };
                    let _ = stream.write_all(request.as_bytes()).await;
                    let mut answer = [0; 64];
                    let _ = stream.read(&mut answer).await;
                    closed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while !over.load(Ordering::Relaxed) {
            slow_peer_takes(Duration::from_millis(50)).await;
        }
        sockets.shutdown().await;
    });
}

/// It measures, and takes a core of the machine: it runs alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement that takes a whole core; run alone with --ignored"]
async fn s1_thousands_of_half_bodies_delay_no_signed_webhook() {
    let world = World::start().await;
    let port = world.relay.ports.public;
    let mut kept = BlockingStream::connect(("127.0.0.1", port)).unwrap();
    let keep = webhook(&world, 0, "keep-alive");
    assert_eq!(ask(&mut kept, &keep), 200);
    let (over, closed) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let attack = {
        let (over, closed) = (Arc::clone(&over), Arc::clone(&closed));
        std::thread::spawn(move || crowd(port, &over, &closed))
    };
    eventually("every place to be lost once", async || {
        assert!(!attack.is_finished());
        (closed.load(Ordering::Relaxed) >= CROWD).then_some(())
    })
    .await;
    let request = webhook(&world, 0, "close");
    let asked = tokio::task::spawn_blocking(move || {
        let one = || {
            let began = Instant::now();
            let mut stream = BlockingStream::connect(("127.0.0.1", port)).unwrap();
            (ask(&mut stream, &request), began.elapsed())
        };
        (0..WEBHOOKS).map(|_| one()).collect::<Vec<_>>()
    });
    let mut answers = asked.await.unwrap();
    let status = ask(&mut kept, &keep);
    over.store(true, Ordering::Relaxed);
    attack.join().unwrap();
    answers.sort_by_key(|(_, took)| *took);
    let refused = answers.iter().filter(|(status, _)| *status != 200).count();
    let (p50, p99) = (answers[WEBHOOKS / 2].1, answers[WEBHOOKS * 99 / 100].1);
    let closed = closed.load(Ordering::Relaxed);
    eprintln!("s1: p50 {p50:?}, p99 {p99:?}, {refused} refused; {closed} sockets were closed");
    assert_eq!(refused, 0, "every signed webhook is taken");
    assert!(p99 < Duration::from_secs(1), "{p99:?}");
    assert_eq!(status, 200, "the peer's own connection lives");
    world.finish().await;
}

/// What a connection may make the relay hold, as the README says.
const CONNECTION_BYTES_MAX: u64 = 96 * 1024;

#[tokio::test]
async fn s4_connection_holds_no_more_than_the_readme_says() {
    const CONNECTIONS: usize = 400;
    let world = World::start().await;
    let before = world.relay.peak_memory();
    let port = world.relay.ports.public;
    let filler = format!("X-Filler: {}\r\n", "a".repeat(1_000)).repeat(30);
    let long = head("/plugnmeet/webhook", 16_000).replace("\r\n\r\n", &format!("\r\n{filler}\r\n"));
    let begun = long + &"a".repeat(15_900);
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = connect(port).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        crowd.push(stream);
    }
    // Answered behind all of them.
    let request = webhook(&world, 0, "close");
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = BlockingStream::connect(("127.0.0.1", port)).unwrap();
        ask(&mut stream, &request)
    });
    assert_eq!(asked.await.unwrap(), 200);
    let held = (world.relay.peak_memory() - before) / CONNECTIONS as u64;
    eprintln!("s4: {held} bytes a connection");
    assert!(held <= CONNECTION_BYTES_MAX, "{held} bytes a connection");
    drop(crowd);
    world.finish().await;
}

#[tokio::test]
async fn s3_announced_lengths_hold_no_room() {
    let world = World::start().await;
    let port = world.relay.ports.public;
    let mut crowd = Vec::new();
    for _ in 0..60 {
        let mut stream = connect(port).await;
        let begun = head("/plugnmeet/webhook", 1 << 20) + &"a".repeat(17 * 1024);
        stream.write_all(begun.as_bytes()).await.unwrap();
        crowd.push(stream);
    }
    let request = webhook(&world, 20_000, "close");
    let asked = tokio::task::spawn_blocking(move || {
        let one = || {
            let mut stream = BlockingStream::connect(("127.0.0.1", port)).unwrap();
            ask(&mut stream, &request)
        };
        (0..60).map(|_| one()).collect::<Vec<_>>()
    });
    assert_eq!(asked.await.unwrap(), [200; 60]);
    // Each of them had two seconds.
    for mut stream in crowd {
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        let in_time = tokio::time::timeout(Duration::from_secs(10), read).await;
        assert!(in_time.is_ok(), "it is ended before the request's deadline");
        assert!(answer.is_empty() || answer.contains(" 408 "), "{answer}");
    }
    world.finish().await;
}

/// Keeps all room for long bodies of a route taken: more senders than there is room for, each with all but the last
/// byte of the longest body, and again when it is ended.
async fn fill(port: u16, path: &'static str, over: Arc<AtomicBool>) {
    let mut crowd = JoinSet::new();
    for _ in 0..12 {
        let over = Arc::clone(&over);
        crowd.spawn(async move {
            let begun = head(path, 1 << 20) + &"a".repeat((1 << 20) - 1);
            while !over.load(Ordering::Relaxed) {
                let mut stream = connect(port).await;
                let _ = stream.write_all(begun.as_bytes()).await;
                let mut answer = String::new();
                let _ = stream.read_to_string(&mut answer).await;
            }
        });
    }
    crowd.join_all().await;
}

#[tokio::test]
async fn s3_start_that_found_no_room_is_looked_for() {
    let setup = Setup::default()
        .set("MATTERMOST__CATCH_UP_EVERY", "1s")
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000");
    let world = setup.start().await;
    let over = Arc::new(AtomicBool::new(false));
    let path = "/mattermost/outgoing";
    let crowd = tokio::spawn(fill(world.relay.ports.public, path, Arc::clone(&over)));
    let long = format!("meet now: long {}", "é".repeat(16_000));
    let refused = async {
        loop {
            let post = world.chat.say("ana", "dev", &long).await;
            let told = world
                .see("the webhook's answer", |_| world.chat.delivery_of(&post))
                .await;
            if let Ok((503, text)) = told.answer {
                return text;
            }
        }
    };
    let text = tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(text.contains("I look for it again by myself"), "{text}");
    over.store(true, Ordering::Relaxed);
    crowd.await.unwrap();
    // The post is no longer left to its webhook.
    world.chat.clock().advance(Duration::from_secs(20));
    let repaired = "meetrelay_reconcile_repairs_total{kind=\"missed_trigger\"} 1";
    world.relay.await_metric(repaired).await;
    world.card("dev", "long").await;
    world.finish().await;
}
