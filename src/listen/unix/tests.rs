#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::*;

struct Listening {
    path: PathBuf,
    stop: oneshot::Sender<()>,
    served: JoinHandle<usize>,
    go_on: Arc<Notify>,
    _folder: tempfile::TempDir,
}

/// `/ok` answers, `/wait` when told.
fn listening(limits: ListenLimits) -> Listening {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let routes = warp::path!("ok")
        .map(|| "answered")
        .or(warp::path!("wait").then(move || {
            let waiting = Arc::clone(&waiting);
            async move {
                waiting.notified().await;
                "waited"
            }
        }))
        .unify()
        .recover(|_| async { Ok::<_, Infallible>("unknown") });
    let served = tokio::spawn(serve_unix(listener, routes, limits, async {
        let _ = stopped.await;
    }));
    Listening {
        path,
        stop,
        served,
        go_on,
        _folder: folder,
    }
}

fn limits() -> ListenLimits {
    ListenLimits {
        head_deadline: Duration::from_secs(20),
        request_deadline: Duration::from_secs(20),
        drain_deadline: Duration::from_secs(20),
        ..ListenLimits::default()
    }
}

async fn ask(listening: &Listening, path: &str) -> UnixStream {
    let mut stream = UnixStream::connect(&listening.path).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Everything until the other end closes.
async fn read_all(stream: &mut UnixStream) -> String {
    let mut read = String::new();
    let reading = stream.read_to_string(&mut read);
    // A connection that is cut may end with an error.
    let _ = timeout(Duration::from_secs(15), reading)
        .await
        .expect("the connection is closed in time");
    read
}

#[tokio::test]
async fn each_connection_has_one_request() {
    let listening = listening(limits());
    for path in ["/ok", "//ok/"] {
        let answer = read_all(&mut ask(&listening, path).await).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("answered"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn connection_that_says_nothing_is_closed_at_the_head_deadline() {
    let mut limits = limits();
    limits.head_deadline = Duration::from_millis(300);
    let listening = listening(limits);
    let began = Instant::now();
    let mut stream = UnixStream::connect(&listening.path).await.unwrap();
    stream.write_all(b"GET /ok HT").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(!answer.contains("answered"), "{answer}");
    assert!(began.elapsed() >= Duration::from_millis(290));
}

#[tokio::test]
async fn request_over_its_deadline_is_answered_408() {
    let mut limits = limits();
    limits.request_deadline = Duration::from_millis(200);
    let listening = listening(limits);
    let answer = read_all(&mut ask(&listening, "/wait").await).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_waits_for_a_place() {
    let listening = listening(limits());
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        crowd.push(UnixStream::connect(&listening.path).await.unwrap());
    }
    let mut next = ask(&listening, "/ok").await;
    let waited = timeout(Duration::from_millis(300), next.readable()).await;
    assert!(waited.is_err(), "there is no place for it");
    crowd.pop();
    let answer = read_all(&mut next).await;
    assert!(answer.ends_with("answered"), "{answer}");
}

#[tokio::test]
async fn stop_finishes_what_is_in_work_and_drops_what_says_nothing() {
    let listening = listening(limits());
    let mut idle = UnixStream::connect(&listening.path).await.unwrap();
    let mut busy = ask(&listening, "/wait").await;
    // Answered after `busy` was accepted; that its request has begun is seen by nobody, so it is given a moment.
    read_all(&mut ask(&listening, "/ok").await).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    listening.stop.send(()).unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    listening.go_on.notify_one();
    let answer = read_all(&mut busy).await;
    assert!(answer.ends_with("waited"), "{answer}");
    assert_eq!(listening.served.await.unwrap(), 0);
}
