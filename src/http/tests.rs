#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests")]

mod any;

use std::time::Instant;

use super::stub::{Stub, StubReply};
use super::*;

fn http(deadline: Duration, response_bytes_max: usize) -> Http {
    let settings = HttpSettings {
        deadline,
        response_bytes_max,
        ..HttpSettings::default()
    };
    Http::new(settings, Arc::new(Unobserved)).unwrap()
}

fn patient() -> Http {
    http(Duration::from_secs(20), 1000)
}

async fn get(http: &Http, url: &str) -> Result<HttpAnswer, CallError> {
    http.send(HttpRequest::new(Method::GET, url.parse().unwrap()))
        .await
}

fn no_answer(result: Result<HttpAnswer, CallError>) -> String {
    match result {
        Err(CallError::NoAnswer { why }) => why,
        Err(other) => panic!("{other:?}"),
        Ok(answer) => panic!("answered {}", answer.status),
    }
}

fn not_sent(result: Result<HttpAnswer, CallError>) -> String {
    match result {
        Err(CallError::NotSent { why }) => why,
        Err(other) => panic!("{other:?}"),
        Ok(answer) => panic!("answered {}", answer.status),
    }
}

#[tokio::test]
async fn a_request_arrives_as_given_and_its_answer_comes_back() {
    let headers = [
        ("Date", "Sat, 21 Nov 2026 07:28:24 GMT"),
        ("Retry-After", "2"),
        ("X-Ratelimit-Limit", "11"),
        ("X-Ratelimit-Remaining", "9"),
        ("X-Ratelimit-Reset", "1"),
    ];
    let stub = Stub::start(vec![StubReply::new(418, &headers, "tea")]).await;
    let request = HttpRequest::new(Method::PUT, stub.url.join("/a/b?c=d").unwrap())
        .header(
            reqwest::header::AUTHORIZATION,
            HeaderValue::from_static("Bearer x"),
        )
        .json(r#"{"a": 1}"#);
    let answer = patient().send(request).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (418, &b"tea"[..]));
    assert_eq!(answer.retry_after, Some(Duration::from_secs(2)));
    assert_eq!(answer.rate_limit.unwrap().remaining, 9);
    let date = httpdate::parse_http_date("Sat, 21 Nov 2026 07:28:24 GMT").unwrap();
    assert_eq!(answer.date, Some(date));

    let seen = stub.only();
    assert_eq!(seen.line(), "PUT /a/b?c=d");
    assert_eq!(seen.body, br#"{"a": 1}"#);
    assert_eq!(seen.header("authorization"), Some("Bearer x"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept-encoding"), None);
    assert!(seen.header("user-agent").unwrap().starts_with("meetrelay/"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let redirect = StubReply::new(status, &[("Location", "/elsewhere?secret=1")], "");
        let stub = Stub::start(vec![redirect, StubReply::new(200, &[], "followed")]).await;
        let answer = get(&patient(), stub.url.as_str()).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.location.as_deref(), Some("/elsewhere?secret=1"));
        assert_eq!(stub.lines(), ["GET /"]);
    }
}

#[tokio::test]
async fn a_refused_connection_is_known_not_to_be_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://user:hunter2@{address}/path?token=hunter3");
    let why = not_sent(get(&patient(), &url).await);
    assert!(why.contains("refused"), "{why}");
    for secret in ["hunter2", "hunter3", "/path"] {
        assert!(!why.contains(secret), "{why}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_known_not_to_be_sent() {
    // A label of more than 63 characters fails in the resolver itself, without a DNS query.
    let url = format!("http://{}.invalid/p?token=hunter3", "a".repeat(64));
    let why = not_sent(get(&patient(), &url).await);
    assert!(why.contains("lookup"), "{why}");
    assert!(!why.contains("hunter3"), "{why}");
}

#[tokio::test]
async fn a_failed_tls_handshake_is_known_not_to_be_sent() {
    let stub = Stub::start(vec![]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 plain\r\n\r\n")
            .await
            .unwrap();
    });
    not_sent(get(&patient(), &url).await);
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_may_have_been_carried_out() {
    let stub = Stub::start(vec![StubReply::Silence]).await;
    let started = Instant::now();
    let why = no_answer(get(&http(Duration::from_millis(300), 1000), stub.url.as_str()).await);
    assert_eq!(why, "not answered within 300ms");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(stub.lines(), ["GET /"]);
}

#[tokio::test]
async fn a_dripping_body_ends_at_the_total_deadline() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n".to_vec();
    let stub = Stub::start(vec![StubReply::Drip(head, Duration::from_millis(20))]).await;
    no_answer(get(&http(Duration::from_millis(400), 1000), stub.url.as_str()).await);
}

#[tokio::test]
async fn dripping_headers_end_at_the_total_deadline() {
    let head = b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec();
    let stub = Stub::start(vec![StubReply::Drip(head, Duration::from_millis(20))]).await;
    no_answer(get(&http(Duration::from_millis(400), 1000), stub.url.as_str()).await);
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_bound() {
    let chunked = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let stub = Stub::start(vec![StubReply::Endless(chunked)]).await;
    let error = get(&patient(), stub.url.as_str()).await.err();
    assert_eq!(error, Some(CallError::TooLarge { limit: 1000 }));
}

#[tokio::test]
async fn an_announced_body_beyond_the_bound_is_not_read() {
    let stub = Stub::start(vec![StubReply::new(200, &[], vec![b'x'; 1001])]).await;
    let error = get(&patient(), stub.url.as_str()).await.err();
    assert_eq!(error, Some(CallError::TooLarge { limit: 1000 }));
    let stub = Stub::start(vec![StubReply::new(200, &[], vec![b'x'; 1001])]).await;
    let request = HttpRequest::new(Method::GET, stub.url.clone()).answer_bytes_max(1001);
    assert_eq!(patient().send(request).await.unwrap().body.len(), 1001);
}

#[tokio::test]
async fn endless_headers_are_refused_within_bounds() {
    let head = b"HTTP/1.1 200 OK\r\nX-Huge: ".to_vec();
    let stub = Stub::start(vec![StubReply::Endless(head)]).await;
    no_answer(get(&patient(), stub.url.as_str()).await);
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    for garbage in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 banana\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "",
    ] {
        let stub = Stub::start(vec![StubReply::Raw(garbage.into())]).await;
        no_answer(get(&patient(), stub.url.as_str()).await);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec();
    let stub = Stub::start(vec![StubReply::Raw(half)]).await;
    no_answer(get(&patient(), stub.url.as_str()).await);
}
