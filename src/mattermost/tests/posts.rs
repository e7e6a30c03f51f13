//! Posts: the requests, and which answers are accepted.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::{Attachment, Field};

fn card() -> Rendered {
    Rendered {
        message: "Ana started **Weekly sync**".to_owned(),
        attachment: Some(Attachment {
            fallback: "Weekly sync is live.".to_owned(),
            color: "#2e7d32",
            title: "Weekly sync".to_owned(),
            title_link: Some("https://relay.example.org/join/x".to_owned()),
            text: "Started by Ana".to_owned(),
            fields: vec![Field {
                title: "People".to_owned(),
                value: "3".to_owned(),
            }],
            footer: "mm-7c1e4k9q2xw8".to_owned(),
        }),
        ..Rendered::default()
    }
}

#[tokio::test]
async fn a_post_carries_its_key_and_an_unguessable_pending_id() {
    let bench = bench(vec![me(), StubReply::json(201, &post_json(&json!({})))]).await;
    let root: PostId = "5jjg7w1qcbfefctfkjrgggi4ie".parse().unwrap();
    let post = NewPost {
        root: Some(root),
        content: card(),
        ..new_post()
    };
    let view = bench.client.create_post(post).await.unwrap();
    assert_eq!(view.id, post_id());
    assert_eq!(view.root, None);
    assert_eq!(view.key.as_deref(), Some("m1:card"));
    assert_eq!(view.created_at, Timestamp::from_millis(1_795_246_293_912));
    assert_eq!(
        bench.stub.lines(),
        ["GET /api/v4/users/me", "POST /api/v4/posts"]
    );
    let seen = bench.stub.seen()[1].clone();
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {TOKEN}").as_str())
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    insta::assert_json_snapshot!(seen.json(), @r##"
    {
      "channel_id": "mpa8m9xzb3ymjdbmu6ynkqjznh",
      "message": "Ana started **Weekly sync**",
      "pending_post_id": "relay:m1:card:68fc5e25915155299d7dbbb47793c990",
      "props": {
        "attachments": [
          {
            "color": "#2e7d32",
            "fallback": "Weekly sync is live.",
            "fields": [
              {
                "short": true,
                "title": "People",
                "value": "3"
              }
            ],
            "footer": "mm-7c1e4k9q2xw8",
            "text": "Started by Ana",
            "title": "Weekly sync",
            "title_link": "https://relay.example.org/join/x"
          }
        ],
        "meetrelay": {
          "key": "m1:card"
        }
      },
      "root_id": "5jjg7w1qcbfefctfkjrgggi4ie"
    }
    "##);
}

#[tokio::test]
async fn the_pending_id_is_the_same_for_each_attempt_and_differs_by_key_and_place() {
    let bench = bench(vec![]).await;
    let of = |key: &str, place: &str| {
        bench.client.pending_post_id(&NewPost {
            key: key.to_owned(),
            channel: place.parse().unwrap(),
            ..new_post()
        })
    };
    let first = of("m1:card", CHANNEL);
    assert!(first.starts_with("relay:m1:card:"), "{first}");
    assert_eq!(first.len(), "relay:m1:card:".len() + 32);
    assert_eq!(of("m1:card", CHANNEL), first);
    let tag = |id: &str| id.rsplit_once(':').unwrap().1.to_owned();
    assert_ne!(tag(&of("m1:final", CHANNEL)), tag(&first));
    assert_ne!(tag(&of("m1:card", "c2")), tag(&first));
}

#[tokio::test]
async fn a_post_that_is_not_ours_is_not_taken_for_it() {
    for change in [
        json!({ "user_id": "someoneelse" }),
        json!({ "channel_id": "anotherchannel" }),
        json!({ "props": {} }),
        json!({ "props": null }),
        json!({ "props": { "meetrelay": { "key": "m2:card" } } }),
        json!({ "props": { "meetrelay": "m1:card" } }),
    ] {
        let bench = bench(vec![me(), StubReply::json(201, &post_json(&change))]).await;
        let result = bench.client.create_post(new_post()).await;
        assert!(
            matches!(result, Err(ChatError::Refused { .. })),
            "{change}: {result:?}"
        );
    }
}

#[tokio::test]
async fn the_own_account_is_asked_once() {
    let made = || StubReply::json(201, &post_json(&json!({})));
    let bench = bench(vec![me(), made(), made()]).await;
    bench.client.create_post(new_post()).await.unwrap();
    bench.client.create_post(new_post()).await.unwrap();
    let lines = bench.stub.lines();
    assert_eq!(
        lines,
        [
            "GET /api/v4/users/me",
            "POST /api/v4/posts",
            "POST /api/v4/posts"
        ]
    );
}

#[tokio::test]
async fn a_patch_replaces_message_and_props_with_the_key_again() {
    let bench = bench(vec![recorded("post-patch-200")]).await;
    bench
        .client
        .patch_post(&post_id(), "m1:card", card())
        .await
        .unwrap();
    let seen = bench.stub.only();
    assert_eq!(
        seen.line(),
        format!("PUT /api/v4/posts/{}/patch", post_id())
    );
    let body = seen.json();
    assert_eq!(body["message"], "Ana started **Weekly sync**");
    assert_eq!(body["props"]["meetrelay"], json!({ "key": "m1:card" }));
    assert_eq!(body["props"]["attachments"][0]["title"], "Weekly sync");
    assert_eq!(body["props"]["attachments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_deleted_post_and_a_bot_outside_the_channel_are_distinguished() {
    let gone = bench(vec![
        recorded("post-patch-deleted-403"),
        recorded("post-get-deleted-404"),
    ])
    .await;
    let result = gone.client.patch_post(&post_id(), "m1:card", card()).await;
    assert!(
        matches!(result, Err(ChatError::NotFound { .. })),
        "{result:?}"
    );
    let lines = gone.stub.lines();
    assert_eq!(lines[1], format!("GET /api/v4/posts/{}", post_id()));

    let stamped = StubReply::json(200, &post_json(&json!({ "delete_at": 5 })));
    let gone = bench(vec![recorded("post-patch-deleted-403"), stamped]).await;
    let result = gone.client.delete_post(&post_id()).await;
    assert!(
        matches!(result, Err(ChatError::NotFound { .. })),
        "{result:?}"
    );

    let there = || StubReply::json(200, &post_json(&json!({})));
    for second in [there(), recorded("channel-get-dm-403")] {
        let outside = bench(vec![recorded("post-patch-deleted-403"), second]).await;
        let result = outside
            .client
            .patch_post(&post_id(), "m1:card", card())
            .await;
        assert!(
            matches!(result, Err(ChatError::Forbidden { .. })),
            "{result:?}"
        );
    }

    // Neither a proxy's 404 nor an unavailable server proves that a post is deleted.
    for second in [
        StubReply::new(404, &[], "<html>404</html>"),
        StubReply::new(503, &[], ""),
    ] {
        let unavailable = bench(vec![recorded("post-patch-deleted-403"), second]).await;
        let result = unavailable
            .client
            .patch_post(&post_id(), "m1:card", card())
            .await;
        assert!(
            matches!(result, Err(ChatError::Unavailable { .. })),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn deleting_names_the_post() {
    let bench = bench(vec![StubReply::json(200, &json!({ "status": "OK" }))]).await;
    bench.client.delete_post(&post_id()).await.unwrap();
    assert_eq!(
        bench.stub.lines(),
        [format!("DELETE /api/v4/posts/{}", post_id())]
    );
}

#[tokio::test]
async fn reading_a_reply_returns_its_root() {
    let reply = post_json(&json!({ "root_id": "5jjg7w1qcbfefctfkjrgggi4ie" }));
    let bench = bench(vec![StubReply::json(200, &reply)]).await;
    let view = bench.client.read_post(&post_id()).await.unwrap();
    assert_eq!(view.root.unwrap().as_str(), "5jjg7w1qcbfefctfkjrgggi4ie");
    assert_eq!(view.user.as_str(), BOT);
}

fn list(posts: &[Value]) -> StubReply {
    let ids: Vec<&str> = posts
        .iter()
        .map(|post| post["id"].as_str().unwrap())
        .collect();
    let map: serde_json::Map<String, Value> = posts
        .iter()
        .map(|post| (post["id"].as_str().unwrap().to_owned(), post.clone()))
        .collect();
    StubReply::json(200, &json!({ "order": ids, "posts": map }))
}

const SINCE: i64 = 1_795_246_200_000;

fn at(id: &str, millis: i64) -> Value {
    post_json(&json!({ "id": id, "create_at": SINCE + millis }))
}

#[tokio::test]
async fn own_posts_with_the_key_are_found_oldest_first() {
    let with = |id: &str, change: Value| {
        let mut post = at(id, 1_000);
        post.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        post
    };
    let posts = [
        at("younger", 9_000),
        at("oldest", 2_000),
        with("deleted", json!({ "delete_at": 1 })),
        with("others", json!({ "user_id": "someoneelse" })),
        with(
            "otherkey",
            json!({ "props": { "meetrelay": { "key": "m1:final" } } }),
        ),
        with("nokey", json!({ "props": null })),
        with("broken", json!({ "create_at": "x" })),
        at("edited-later", -3_600_000),
    ];
    let bench = bench(vec![me(), list(&posts)]).await;
    let since = Timestamp::from_millis(SINCE);
    let found = bench
        .client
        .find_posts(&channel(), "m1:card", since)
        .await
        .unwrap();
    let ids: Vec<&str> = found.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(ids, ["oldest", "younger"]);
    let expected = format!(
        "GET /api/v4/channels/{CHANNEL}/posts?since={}",
        SINCE - 60_000
    );
    assert_eq!(bench.stub.lines()[1], expected);
}

#[tokio::test]
async fn since_is_corrected_to_the_servers_clock() {
    // Our clock shows 1795246500 s; the server's clock is ten minutes ahead.
    let date =
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(1_795_246_500 + 600));
    let own = json!({ "id": BOT, "username": "meetrelay" }).to_string();
    let bench = bench(vec![
        StubReply::new(200, &[("Date", &date)], own),
        list(&[]),
    ])
    .await;
    let since = Timestamp::from_millis(SINCE);
    bench
        .client
        .find_posts(&channel(), "m1:card", since)
        .await
        .unwrap();
    let asked = SINCE + 600_500 - 60_000;
    let expected = format!("GET /api/v4/channels/{CHANNEL}/posts?since={asked}");
    assert_eq!(bench.stub.lines()[1], expected);
}

#[tokio::test]
async fn a_busy_channel_is_read_page_by_page_down_to_since() {
    let other = |n: i64, age: i64| {
        post_json(&json!({ "id": format!("p{n}"), "user_id": "x", "create_at": SINCE + age }))
    };
    let thousand: Vec<Value> = (0..1000).map(|n| other(n, 50_000)).collect();
    let page: Vec<Value> = (0..200).map(|n| other(n, 50_000)).collect();
    let mut last: Vec<Value> = (200..399).map(|n| other(n, -90_000)).collect();
    last.push(at("ours", 100));
    let bench = bench(vec![me(), list(&thousand), list(&page), list(&last)]).await;
    let since = Timestamp::from_millis(SINCE);
    let found = bench
        .client
        .find_posts(&channel(), "m1:card", since)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let lines = bench.stub.lines();
    assert!(
        lines[2].ends_with("/posts?page=0&per_page=200"),
        "{lines:?}"
    );
    assert!(
        lines[3].ends_with("/posts?page=1&per_page=200"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 4);
}

#[tokio::test]
async fn a_search_without_end_is_bounded() {
    let posts: Vec<Value> = (0..1000)
        .map(|n| post_json(&json!({ "id": format!("p{n}"), "user_id": "x", "create_at": SINCE })))
        .collect();
    let mut replies = vec![me(), list(&posts)];
    replies.extend((0..40).map(|_| list(&posts[..200])));
    let bench = bench(replies).await;
    let since = Timestamp::from_millis(SINCE);
    assert_eq!(
        bench
            .client
            .find_posts(&channel(), "m1:card", since)
            .await
            .unwrap(),
        []
    );
    assert_eq!(bench.stub.seen().len(), 2 + 25);
}

#[tokio::test]
async fn a_direct_message_goes_to_the_channel_of_both() {
    let direct = json!({ "channel_id": "ui3hcpm61fno7rtjy613wxsyra", "props": { "meetrelay": { "key": "m1:invite" } } });
    let bench = bench(vec![
        me(),
        recorded("dm-create-201"),
        list(&[]),
        StubReply::json(201, &post_json(&direct)),
        recorded("dm-create-201"),
        list(&[post_json(&direct)]),
    ])
    .await;
    // The second time the message exists already.
    for _ in 0..2 {
        let (user, text, since) = (user(), "Invite me", Timestamp::from_millis(1));
        let sent = bench.client.direct_message(&user, "m1:invite", text, since);
        sent.await.unwrap();
    }
    let seen = bench.stub.seen();
    assert_eq!(seen[1].line(), "POST /api/v4/channels/direct");
    assert_eq!(seen[1].json(), json!([BOT, user()]));
    assert_eq!(seen[3].json()["channel_id"], "ui3hcpm61fno7rtjy613wxsyra");
    assert_eq!(seen[3].json()["message"], "Invite me");
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn the_servers_path_is_kept() {
    let bench = bench_at(vec![me()], "/chat/", Duration::from_secs(20)).await;
    let own = bench.client.own_account().await.unwrap();
    assert_eq!(
        (own.user_id.as_str(), own.user_name.as_str()),
        (BOT, "meetrelay")
    );
    assert_eq!(bench.stub.lines(), ["GET /chat/api/v4/users/me"]);
}
