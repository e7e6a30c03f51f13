#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use warp::Filter;

use super::{Authenticated, ListenLimits, PeerAddress, serve};

fn brisk() -> ListenLimits {
    ListenLimits {
        connections: 8,
        head_deadline: Duration::from_millis(300),
        request_deadline: Duration::from_millis(400),
        idle_deadline: Duration::from_millis(900),
        drain_deadline: Duration::from_millis(700),
        head_bytes: 16 * 1024,
    }
}

struct Listening {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<usize>,
    go_on: Arc<Notify>,
}

/// `/peer` answers the client's address, `/echo` the length of the body, `/wait` when it is notified, and `/known` as
/// if the client was authenticated.
async fn listening(limits: ListenLimits) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let routes = warp::path!("peer")
        .and(warp::ext::get::<PeerAddress>())
        .map(|peer: PeerAddress| peer.0.ip().to_string())
        .or(warp::path!("echo").and(warp::body::stream()).then(length))
        .unify()
        .or(warp::path!("wait").then(move || {
            let waiting = Arc::clone(&waiting);
            async move {
                waiting.notified().await;
                "waited".to_owned()
            }
        }))
        .unify()
        .or(warp::path!("known").map(known))
        .recover(|_| async { Ok::<_, std::convert::Infallible>("unknown") });
    let served = tokio::spawn(serve(listener, routes, limits, async {
        let _ = stopped.await;
    }));
    Listening {
        address,
        stop,
        served,
        go_on,
    }
}

fn known() -> http::Response<String> {
    let mut answer = http::Response::new("known".to_owned());
    answer.extensions_mut().insert(Authenticated);
    answer
}

async fn length(body: impl Stream<Item = Result<impl Buf, warp::Error>>) -> String {
    let read: usize = std::pin::pin!(body)
        .map(|chunk| chunk.map_or(0, |chunk| chunk.remaining()))
        .fold(0, |sum, length| async move { sum + length })
        .await;
    read.to_string()
}

async fn connect(listening: &Listening) -> TcpStream {
    TcpStream::connect(listening.address).await.unwrap()
}

/// Everything until the other end closes.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut read))
        .await
        .expect("the connection is closed in time");
    String::from_utf8_lossy(&read).into_owned()
}

/// Reads until `end` was seen.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    while !read.ends_with(end) {
        let mut buffer = [0; 4096];
        let length = timeout(Duration::from_secs(5), stream.read(&mut buffer))
            .await
            .expect("an answer in time")
            .unwrap();
        assert!(length > 0, "closed after {read:?}");
        read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    read
}

#[tokio::test]
async fn peer_address_reaches_the_filter() {
    let listening = listening(brisk()).await;
    let mut stream = connect(&listening).await;
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let answer = read_all(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"),
        "{answer}"
    );
}

#[tokio::test]
async fn connection_that_says_nothing_is_closed_at_the_head_deadline() {
    let listening = listening(brisk()).await;
    let began = Instant::now();
    assert_eq!(read_all(&mut connect(&listening).await).await, "");
    let took = began.elapsed();
    assert!(
        took >= Duration::from_millis(290) && took < Duration::from_millis(850),
        "{took:?}"
    );
}

#[tokio::test]
async fn head_that_drips_is_cut_at_the_head_deadline_also_on_a_used_connection() {
    let listening = listening(brisk()).await;
    let mut stream = connect(&listening).await;
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "127.0.0.1").await;
    let began = Instant::now();
    let mut closed = false;
    for byte in b"GET /peer HTTP/1.1\r\nX-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaa" {
        if stream.write_all(&[*byte]).await.is_err() {
            closed = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        if began.elapsed() > Duration::from_millis(800) {
            break;
        }
    }
    if !closed {
        read_all(&mut stream).await;
    }
    assert!(
        began.elapsed() < Duration::from_millis(880),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn idle_connection_is_kept_past_the_head_deadline_and_closed_at_its_own() {
    let listening = listening(brisk()).await;
    let mut stream = connect(&listening).await;
    for _ in 0..2 {
        stream
            .write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        read_until(&mut stream, "127.0.0.1").await;
        // Longer than the head deadline of 300 ms, shorter than the idle one of 900 ms.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let began = Instant::now();
    read_all(&mut stream).await;
    assert!(began.elapsed() < Duration::from_millis(900));
}

#[tokio::test]
async fn body_that_stalls_is_answered_408_and_closed() {
    let listening = listening(brisk()).await;
    let mut stream = connect(&listening).await;
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        .await
        .unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn crowd_of_silent_connections_does_not_lock_out_a_good_client() {
    let mut limits = brisk();
    limits.head_deadline = Duration::from_secs(30);
    limits.idle_deadline = Duration::from_secs(30);
    let listening = listening(limits).await;
    let mut crowd = Vec::new();
    for _ in 0..30 {
        crowd.push(connect(&listening).await);
    }
    let began = Instant::now();
    let mut stream = connect(&listening).await;
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.ends_with("127.0.0.1"), "{answer}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

/// Sends a request whose answer ends with `end`, on a connection that stays open.
async fn ask(stream: &mut TcpStream, request: &str, end: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(stream, end).await;
}

#[tokio::test]
async fn s1_half_bodies_lock_out_nobody_and_close_neither_known_connections_nor_whole_requests() {
    let mut limits = brisk();
    limits.head_deadline = Duration::from_secs(30);
    limits.idle_deadline = Duration::from_secs(30);
    limits.request_deadline = Duration::from_secs(30);
    let listening = listening(limits).await;
    let (mut known, mut busy) = (connect(&listening).await, connect(&listening).await);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(&mut known, &get("/known"), "known").await;
    busy.write_all(get("/wait").as_bytes()).await.unwrap();
    let half = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\na";
    let mut crowd = Vec::new();
    for _ in 0..60 {
        let mut one = connect(&listening).await;
        one.write_all(half).await.unwrap();
        crowd.push(one);
    }
    let mut good = connect(&listening).await;
    let whole = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    ask(&mut good, whole, "3").await;
    // The crowd is still connected: some in the eight slots, the others in the backlog.
    ask(&mut known, &get("/known"), "known").await;
    listening.go_on.notify_one();
    read_until(&mut busy, "waited").await;
}

#[tokio::test]
async fn request_in_work_is_finished_after_the_stop_and_idle_connections_close() {
    let listening = listening(brisk()).await;
    let mut idle = connect(&listening).await;
    idle.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut idle, "127.0.0.1").await;
    let mut busy = connect(&listening).await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    listening.stop.send(()).unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    listening.go_on.notify_one();
    let answer = read_all(&mut busy).await;
    assert!(answer.ends_with("waited"), "{answer}");
    assert_eq!(listening.served.await.unwrap(), 0);
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test]
async fn request_longer_than_the_drain_deadline_is_cut() {
    let mut limits = brisk();
    limits.request_deadline = Duration::from_secs(30);
    let listening = listening(limits).await;
    let mut busy = connect(&listening).await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    listening.stop.send(()).unwrap();
    assert_eq!(read_all(&mut busy).await, "");
    assert_eq!(listening.served.await.unwrap(), 1);
}

#[tokio::test]
async fn head_over_the_limit_is_answered_431() {
    let listening = listening(brisk()).await;
    let mut stream = connect(&listening).await;
    let mut head = b"GET /peer HTTP/1.1\r\nHost: x\r\nX-Filler: ".to_vec();
    head.extend(std::iter::repeat_n(b'a', 100 * 1024));
    // The other end may close before it has read everything.
    let _ = stream.write_all(&head).await;
    let mut buffer = [0; 12];
    if stream.read_exact(&mut buffer).await.is_ok() {
        assert_eq!(&buffer, b"HTTP/1.1 431");
    }
    let mut other = connect(&listening).await;
    other
        .write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(read_all(&mut other).await.ends_with("127.0.0.1"));
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let listening = listening(brisk()).await;
    let mut stream = connect(&listening).await;
    stream
        .write_all(b"GET /peer HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let answer = read_all(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.0 200") && answer.ends_with("127.0.0.1"),
        "{answer}"
    );
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let listening = listening(brisk()).await;
    let mut stream = connect(&listening).await;
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
              POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde\
              GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await
        .unwrap();
    let answer = read_all(&mut stream).await;
    let ends: Vec<_> = answer
        .split("\r\n\r\n")
        .skip(1)
        .map(|body| body.split("HTTP/1.1").next().unwrap())
        .collect();
    assert_eq!(ends, ["3", "5", "127.0.0.1"], "{answer}");
}

#[tokio::test]
async fn smuggled_lengths_are_refused_and_the_connection_closed() {
    for head in [
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let listening = listening(brisk()).await;
        let mut stream = connect(&listening).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // `read_all` proves that the connection is closed; a second request on it is never read.
        let answer = read_all(&mut stream).await;
        let answers = answer.matches("HTTP/1.").count();
        assert!(answers <= 1, "{head}: {answer}");
    }
}

#[tokio::test]
async fn socket_file_is_served_like_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let routes = warp::ext::optional::<PeerAddress>()
        .map(|peer: Option<PeerAddress>| format!("has an address: {}", peer.is_some()));
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, routes, brisk(), async {
        let _ = stopped.await;
    }));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("has an address: false"), "{answer}");
    let _silent = UnixStream::connect(&path).await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(
        served.await.unwrap(),
        0,
        "a connection that says nothing is closed"
    );
}
