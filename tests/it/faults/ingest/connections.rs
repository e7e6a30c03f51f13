//! Heads, connections and versions of HTTP (I8, I9, I10, I12).

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::{Setup, eventually, slow_peer_takes};

use super::door::{COMMAND, Door, FORM, OUTGOING};
use super::raw;

/// Places for connections in I9; the real default is 1024. The tests share one process and its limit of open files,
/// so that the crowd is five times the places and not 5000.
const PLACES: usize = 128;
const CROWD: usize = PLACES * 5;

#[tokio::test]
async fn i8_floods_of_headers_are_refused() {
    let door = Door::open().await;
    let long = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}",
        "CANARY".repeat(170_000)
    );
    let answer = door.say(&long).await;
    // It is closed over what is unread, which may overtake the answer.
    assert!([0, 400, 431].contains(&answer.status), "{}", answer.text);
    assert!(answer.is_closed);
    door.assert_quiet("a header of 1 MB", &answer.text);
    let many: String = (0..1000).map(|n| format!("X-{n}: CANARY\r\n")).collect();
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    let answer = door.say(&many).await;
    assert!([400, 431].contains(&answer.status), "{}", answer.text);
    assert!(answer.is_closed);
    let line = format!(
        "GET /{} HTTP/1.1\r\nHost: x\r\n\r\n",
        "CANARY".repeat(20_000)
    );
    let answer = door.say(&line).await;
    assert!(
        [0, 400, 414, 431].contains(&answer.status),
        "{}",
        answer.text
    );
    assert!(answer.is_closed);
    door.ends().await;
}

/// Keeps one connection busy in a slow sender's way until it is closed, and begins again.
async fn be_slow(
    port: u16,
    first: &'static [u8],
    drip: &'static [u8],
    over: Arc<AtomicBool>,
) -> usize {
    let mut closed = 0;
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
            slow_peer_takes(Duration::from_millis(100)).await;
            continue;
        };
        let _ = stream.write_all(first).await;
        let mut answer = [0; 512];
        loop {
            let pause = Duration::from_millis(200);
            let read = tokio::time::timeout(pause, stream.read(&mut answer)).await;
            let is_closed = matches!(read, Ok(Ok(0) | Err(_)));
            if is_closed || stream.write_all(drip).await.is_err() {
                closed += 1;
                break;
            }
            if over.load(Ordering::Relaxed) {
                return closed;
            }
        }
        slow_peer_takes(Duration::from_millis(200)).await;
    }
    closed
}

/// How long it takes to be answered as one who speaks at once.
fn ask_well(port: u16, request: &[u8]) -> Duration {
    let since = Instant::now();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    since.elapsed()
}

/// It takes some seconds: deadlines have to pass, and every good client waits for a place.
#[tokio::test]
async fn i9_slow_and_idle_senders_lock_nobody_out() {
    let places = PLACES.to_string();
    let setup = Setup::default()
        .set("SERVER__CONNECTIONS_MAX", &places)
        .set("SERVER__HEADER_TIMEOUT", "1s")
        .set("SERVER__REQUEST_TIMEOUT", "1s");
    let door = Door::of(setup).await;
    let relay = &door.world.relay;
    let port = relay.ports.public;
    // Each alone: the deadline of the head, and that of the body, in spite of the drip.
    let slow_body = b"POST /mattermost/outgoing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n";
    for first in [
        &b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "[..],
        slow_body,
    ] {
        let since = Instant::now();
        let mut stream = raw::connect(relay).await;
        stream.write_all(first).await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            assert!(since.elapsed() < Duration::from_secs(10), "never closed");
            let pause = Duration::from_millis(100);
            let mut answer = [0; 512];
            let read = tokio::time::timeout(pause, stream.read(&mut answer)).await;
            match read {
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(length)) => assert!(answer[..length].starts_with(b"HTTP/1.1 408")),
                Err(_) => {}
            }
        }
    }
    // And all together.
    let over = Arc::new(AtomicBool::new(false));
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let (first, drip): (&[u8], &[u8]) = match number % 6 {
            0 => (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"x"),
            1 => (slow_body, b"x"),
            _ => (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        };
        crowd.spawn(be_slow(port, first, drip, Arc::clone(&over)));
    }
    eventually("a slow sender at every place", async || {
        (relay.open_files() >= PLACES).then_some(())
    })
    .await;
    let body = format!(
        "token={}&channel_id=c1&user_id=u1&text=help",
        door.world.command_token
    );
    let request = raw::post(COMMAND, FORM, body);
    let mut good = JoinSet::new();
    for _ in 0..4 {
        let request = request.clone();
        // A thread of its own: what is measured is the relay and not the crowd's own runtime.
        good.spawn_blocking(move || {
            let ask = || ask_well(port, &request);
            (0..10).map(|_| ask()).collect::<Vec<_>>()
        });
    }
    let mut took = good.join_all().await.concat();
    let most_open = relay.open_files();
    over.store(true, Ordering::Relaxed);
    let closed: usize = crowd.join_all().await.into_iter().sum();
    took.sort();
    eprintln!(
        "i9: {} slow senders at {PLACES} places: a good client waited {:?} (p50), {:?} (p99); {closed} slow connections were closed",
        CROWD,
        took[took.len() / 2],
        took[took.len() - 1]
    );
    assert!(closed > PLACES, "places are taken away: {closed}");
    // Beside the places: the files of queue and store, and the peers' connections.
    assert!(most_open < PLACES + 100, "{most_open} open files");
    door.ends().await;
}

#[tokio::test]
async fn i10_requests_with_two_lengths_end_their_connection() {
    let door = Door::open().await;
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let head = format!("POST {OUTGOING} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n");
    for (what, rest) in [
        (
            "two lengths",
            "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        ),
        ("a list of lengths", "Content-Length: 3, 4\r\n\r\nabcd"),
        ("a signed length", "Content-Length: +3\r\n\r\nabc"),
        (
            "a bad size of a chunk",
            "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "a size beyond all numbers",
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "chunks that are not the last coding",
            "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        ),
        (
            "an unknown coding",
            "Transfer-Encoding: cow\r\n\r\n0\r\n\r\n",
        ),
    ] {
        let request = format!("{head}{rest}{smuggled}");
        door.refuses(what, &request, 400).await;
    }
    // Read by its chunks alone, as RFC 9112 6.3 allows, and then nothing more: no proxy's idea of where it ends can
    // make a second request of it.
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let request = format!("{head}{lengths}\r\n0\r\n\r\n{smuggled}");
        door.refuses(lengths, &request, 401).await;
    }
    door.ends().await;
}

#[tokio::test]
async fn i12_other_ways_to_speak_http_are_served_or_refused_cleanly() {
    let door = Door::open().await;
    let answer = door.say("GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.status == 200 && answer.is_closed, "{}", answer.text);
    let ask = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = door.say(ask.repeat(50) + last).await;
    assert_eq!(answer.count(), 51, "pipelined: each is answered");
    assert!(answer.is_closed);
    let body = "{}";
    let expecting = raw::request(
        "POST",
        OUTGOING,
        "Content-Type: application/json\r\nExpect: 100-continue\r\n",
        body,
    );
    let answer = door.say(expecting).await;
    assert_eq!(answer.status, 100, "{}", answer.text);
    assert!(answer.text.contains("HTTP/1.1 401"), "{}", answer.text);
    // HTTP/2 is not spoken: the preface ends the connection, and streams that are reset make no work.
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1..20_001_u32).step_by(2) {
        let [a, b, c, d] = stream.to_be_bytes();
        flood.extend([0, 0, 1, 1, 5, a, b, c, d, 0x82]);
        flood.extend([0, 0, 4, 3, 0, a, b, c, d, 0, 0, 0, 8]);
    }
    let answer = door.say(flood).await;
    assert!([0, 400, 505].contains(&answer.status), "{}", answer.text);
    assert!(answer.count() <= 1 && answer.is_closed, "{}", answer.text);
    let upgrade =
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let answer = door.say(upgrade).await;
    assert_eq!(
        answer.status, 200,
        "an upgrade is not taken up: {}",
        answer.text
    );
    for nonsense in [
        "\r\n\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let answer = raw::say_and_hang_up(&door.world.relay, nonsense.as_bytes()).await;
        assert!(
            [0, 400, 505].contains(&answer.status),
            "{nonsense:?} {}",
            answer.text
        );
        assert!(answer.is_closed);
    }
    door.ends().await;
}
