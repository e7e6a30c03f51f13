//! Being down, being mistreated, being watched.

use crate::support::{SOON, with_bot};
use serde_json::json;
use std::time::{Duration, Instant};
use world::Fault;
use world::mattermost::Options;

#[tokio::test]
async fn stopped_server_refuses_and_comes_back_with_its_state() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let body = json!({"channel_id": weekly, "message": "m", "pending_post_id": "relay:1"});
    let before = rest.post("/posts", body.clone()).await.json();
    chat.stop().await;
    let refused = rest.try_call("GET", "/users/me", None).await.err().unwrap();
    assert!(refused.is_connect(), "{refused:?}");
    let url = chat.url();
    chat.start_again().await.unwrap();
    assert_eq!(chat.url(), url);
    assert_eq!(
        rest.get(&format!("/posts/{}", before["id"].as_str().unwrap()))
            .await
            .status,
        200
    );
    // Pending ids live in memory: after a restart the same key makes another post.
    assert_ne!(rest.post("/posts", body).await.json()["id"], before["id"]);
    assert_eq!(chat.posts("weekly").len(), 2);
}

#[tokio::test]
async fn stopping_breaks_off_a_request_in_flight() {
    let (chat, rest) = with_bot(Options::default()).await;
    chat.faults()
        .next("users.me", 1, Fault::Stall(Duration::from_secs(60)));
    let stalled = tokio::spawn({
        let rest = rest.clone();
        async move { rest.try_call("GET", "/users/me", None).await.is_err() }
    });
    chat.wait_for_calls("users.me", 1, SOON).await.unwrap();
    let start = Instant::now();
    chat.stop().await;
    assert!(stalled.await.unwrap());
    assert!(start.elapsed() < SOON);
}

#[tokio::test]
async fn faults_meet_the_named_operation_only() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let create = || {
        rest.try_call(
            "POST",
            "/posts",
            Some(json!({"channel_id": weekly, "message": "m"}).to_string()),
        )
    };
    chat.faults().next("posts.create", 1, Fault::Drop);
    assert!(create().await.is_err());
    assert!(chat.posts("weekly").is_empty());
    chat.faults().next("posts.create", 1, Fault::DropAfter);
    assert!(create().await.is_err());
    assert_eq!(chat.posts("weekly").len(), 1, "carried out, not answered");
    chat.faults().next("posts.create", 1, Fault::Garbage);
    let garbage = create().await.unwrap();
    assert_eq!(
        (
            garbage.status,
            serde_json::from_str::<serde_json::Value>(&garbage.text).is_err()
        ),
        (200, true)
    );
    let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
    chat.faults().set(
        "posts.",
        Fault::Answer {
            status: 503,
            body: "no".to_owned(),
            headers,
        },
    );
    let busy = create().await.unwrap();
    assert_eq!(
        (busy.status, busy.headers["retry-after"].to_str().unwrap()),
        (503, "7")
    );
    assert_eq!(rest.get("/users/me").await.status, 200);
    chat.faults().clear();
    assert_eq!(create().await.unwrap().status, 201);
    assert_eq!(chat.calls("posts.create"), 5);
    let statuses: Vec<_> = chat
        .requests()
        .into_iter()
        .filter(|r| r.operation == "posts.create")
        .map(|r| r.status)
        .collect();
    assert_eq!(statuses, [None, None, Some(200), Some(503), Some(201)]);
}

#[tokio::test]
async fn request_is_carried_out_although_the_caller_hung_up() {
    let (chat, rest) = with_bot(Options::default()).await;
    chat.faults()
        .next("posts.create", 1, Fault::Stall(Duration::from_millis(300)));
    let body = json!({"channel_id": chat.channel("weekly").id, "message": "late"}).to_string();
    let hung_up = tokio::time::timeout(
        Duration::from_millis(100),
        rest.try_call("POST", "/posts", Some(body)),
    );
    assert!(hung_up.await.is_err());
    chat.wait_for("the post", SOON, |model| {
        (model.posts("weekly").len() == 1).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn clock_skew_shows_in_date_and_create_at() {
    let (chat, rest) = with_bot(Options {
        clock_skew_ms: -3_600_000,
        ..Options::default()
    })
    .await;
    let here = jiff::Timestamp::now().as_millisecond();
    let answer = rest
        .post(
            "/posts",
            json!({"channel_id": chat.channel("weekly").id, "message": "m"}),
        )
        .await;
    let behind = here - answer.json()["create_at"].as_i64().unwrap();
    assert!((3_590_000..3_610_000).contains(&behind), "{behind}");
    let date = answer.headers["date"].to_str().unwrap();
    let date = jiff::fmt::rfc2822::parse(date)
        .unwrap()
        .timestamp()
        .as_millisecond();
    assert!((3_590_000..3_610_000).contains(&(here - date)), "{date}");
}

#[tokio::test]
async fn log_holds_bodies_but_never_tokens() {
    let (chat, rest) = with_bot(Options::default()).await;
    let token = chat.add_token("meetrelay");
    let body = json!({"channel_id": chat.channel("weekly").id, "message": "CANARY"});
    rest.with_token(&token).post("/posts", body).await;
    let log = format!("{:?}", chat.requests());
    assert!(log.contains("CANARY") && !log.contains(&token), "{log}");
}

#[tokio::test]
async fn waiting_in_vain_says_what_is_there_instead() {
    let (chat, _) = with_bot(Options::default()).await;
    chat.say("alice", "weekly", "only this").await;
    let error = chat
        .wait_for("a card", Duration::from_millis(50), |_| None::<()>)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a card") && error.contains("weekly | alice: \"only this\""),
        "{error}"
    );
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_server() {
    let (chat, rest) = with_bot(Options::default()).await;
    assert_eq!(rest.get("/system/ping").await.status, 200);
    drop(chat);
    let deadline = Instant::now() + SOON;
    while rest.try_call("GET", "/system/ping", None).await.is_ok() {
        assert!(Instant::now() < deadline, "still answering");
        tokio::task::yield_now().await;
    }
}
