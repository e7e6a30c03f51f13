//! Every refusal has the status, id and text that were recorded; every success has the recorded fields.

use crate::support::{Answer, keys, recorded_answer, with_bot};
use serde_json::{Value, json};
use world::mattermost::{AuthKind, ChannelKind, Options, RateLimit};

const NOBODY: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxx";

#[track_caller]
fn assert_refused_as(recording: &str, answer: &Answer) {
    let (status, recorded) = recorded_answer(recording);
    assert_eq!(answer.status, status, "{recording}: {}", answer.text);
    let got = answer.json();
    assert_eq!(keys(&got), keys(&recorded), "{recording}");
    for field in ["id", "message", "detailed_error", "status_code"] {
        assert_eq!(got[field], recorded[field], "{recording}: {field}");
    }
}

#[track_caller]
fn assert_fields_as(recording: &str, answer: &Answer, pick: impl Fn(&Value) -> &Value) {
    let (status, recorded) = recorded_answer(recording);
    assert_eq!(answer.status, status, "{recording}: {}", answer.text);
    assert_eq!(
        keys(pick(&answer.json())),
        keys(pick(&recorded)),
        "{recording}"
    );
}

#[tokio::test]
async fn posts_are_refused_as_recorded() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    chat.join("meetrelay", "town-square");
    chat.join("meetrelay", "off-topic");
    let root = chat.say("alice", "weekly", "root").await;
    let reply = chat.reply("bob", &root, "reply").await;
    let gone = chat.say("alice", "weekly", "gone").await;
    chat.delete_post(&gone);
    let create = |body: Value| rest.post("/posts", body);
    let town = chat.channel("town-square").id;

    let dev = chat.channel("dev").id;
    assert_refused_as(
        "post-create-403-not-member",
        &create(json!({"channel_id": dev, "message": "x"})).await,
    );
    assert_refused_as(
        "post-create-unknown-channel-403",
        &create(json!({"channel_id": NOBODY, "message": "x"})).await,
    );
    assert_refused_as(
        "post-create-too-long-400",
        &create(json!({"channel_id": weekly, "message": "x".repeat(16_384)})).await,
    );
    assert_refused_as(
        "post-create-nul-500",
        &create(json!({"channel_id": weekly, "message": "a\u{0}b"})).await,
    );
    let nul_prop = json!({"channel_id": weekly, "message": "a", "props": {"x": ["\u{0}"]}});
    assert_refused_as("post-create-nul-500", &create(nul_prop).await);
    let threads = [
        (NOBODY, &weekly, "unknown-root"),
        (&*gone, &weekly, "deleted-root"),
        (&*reply, &weekly, "to-reply"),
        (&*root, &town, "other-channel"),
    ];
    for (root_id, channel, name) in threads {
        let answer =
            create(json!({"channel_id": channel, "message": "x", "root_id": root_id})).await;
        assert_refused_as(&format!("post-reply-{name}-400"), &answer);
    }
    let bad = rest.call("POST", "/posts", Some("{bad".to_owned())).await;
    assert_refused_as("post-create-bad-json-400", &bad);
    assert_eq!(
        chat.unexpected().take().len(),
        1,
        "only the bad JSON is a fault of the caller's form"
    );
    let big = json!({"channel_id": weekly, "message": "m", "props": {"x": "a".repeat(400_000)}});
    assert_refused_as("post-create-413", &create(big).await);
    let shown = rest.post("/posts/ephemeral", json!({"user_id": chat.user("alice").id, "post": {"channel_id": weekly, "message": "e"}})).await;
    assert_refused_as("ephemeral-bot-403", &shown);

    let mine = create(json!({"channel_id": town, "message": "mine"}))
        .await
        .json();
    let mine = mine["id"].as_str().unwrap();
    chat.archive("town-square");
    assert_refused_as(
        "post-create-archived-400",
        &create(json!({"channel_id": town, "message": "x"})).await,
    );
    let patch = |id: String| {
        let rest = rest.clone();
        async move {
            rest.put(&format!("/posts/{id}/patch"), json!({"message": "y"}))
                .await
        }
    };
    assert_refused_as("post-patch-archived-400", &patch(mine.to_owned()).await);
    assert_refused_as("post-patch-unknown-403", &patch(NOBODY.to_owned()).await);
    assert_refused_as("post-patch-deleted-403", &patch(gone.clone()).await);
    assert_refused_as("post-patch-403-not-author", &patch(root).await);
    let left = create(json!({"channel_id": weekly, "message": "left"}))
        .await
        .json();
    chat.leave("meetrelay", "weekly");
    assert_refused_as(
        "post-patch-unknown-403",
        &patch(left["id"].as_str().unwrap().to_owned()).await,
    );
    assert_refused_as(
        "post-get-deleted-404",
        &rest.get(&format!("/posts/{gone}")).await,
    );
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn channels_and_users_are_refused_as_recorded() {
    let (chat, rest) = with_bot(Options::default()).await;
    let (alice, bot) = (chat.user("alice").id, chat.user("meetrelay").id);
    let dev = chat.channel("dev").id;
    let direct = chat.direct_channel("alice", "bob");
    let group = chat.group_channel(&["alice", "bob", "carol"]);

    let member = format!("/channels/{dev}/members/{alice}");
    assert_refused_as("channel-member-bot-outside-403", &rest.get(&member).await);
    chat.join("meetrelay", "dev");
    assert_fields_as("channel-member-200", &rest.get(&member).await, |body| body);
    let newcomer = chat.add_user("dora", "", "");
    assert_refused_as(
        "channel-member-404",
        &rest
            .get(&format!("/channels/{dev}/members/{newcomer}"))
            .await,
    );
    let admin = rest
        .get(&format!("/channels/{dev}/members/{}", chat.user("root").id))
        .await
        .json();
    assert_eq!(
        (admin["roles"].as_str(), admin["scheme_admin"].as_bool()),
        (Some("channel_user channel_admin"), Some(true))
    );
    assert_refused_as(
        "channel-get-dm-403",
        &rest.get(&format!("/channels/{direct}")).await,
    );
    assert_refused_as(
        "channel-get-dm-403",
        &rest.get(&format!("/channels/{direct}/posts")).await,
    );
    assert_refused_as("user-get-404", &rest.get(&format!("/users/{NOBODY}")).await);

    for closed in [direct, group] {
        let answer = rest
            .post(
                &format!("/channels/{closed}/members"),
                json!({"user_id": bot}),
            )
            .await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.json()["id"],
            "api.channel.add_user_to_channel.type.app_error"
        );
        let post = rest
            .post("/posts", json!({"channel_id": closed, "message": "x"}))
            .await;
        assert_eq!(post.status, 403, "closed to bots");
    }
    let outsider = rest.with_token(&chat.add_bot("otherbot", "Other"));
    let other = json!({"user_id": chat.user("otherbot").id});
    let before_team = outsider
        .post(&format!("/channels/{dev}/members"), other.clone())
        .await;
    assert_refused_as("channel-add-member-before-team-404", &before_team);
    chat.join_team("otherbot");
    let joined = outsider
        .post(&format!("/channels/{dev}/members"), other.clone())
        .await;
    assert_fields_as("channel-add-member-201", &joined, |body| body);
    let secret = chat.add_channel("hidden", "Hidden", ChannelKind::Private, &["alice"]);
    assert_eq!(
        outsider
            .post(&format!("/channels/{secret}/members"), other)
            .await
            .status,
        403
    );
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn bad_sessions_get_one_and_the_same_401() {
    let (chat, rest) = with_bot(Options::default()).await;
    let none = rest.with_token("").get("/users/me").await;
    assert_refused_as("users-me-401-no-token", &none);
    assert!(none.headers.get("set-cookie").is_none());
    let wrong = rest.with_token("wrong").get("/users/me").await;
    assert_refused_as("users-me-401-bad-token", &wrong);
    assert!(wrong.headers.get("set-cookie").is_some());
    assert_eq!(rest.get("/users/me").await.status, 200);
    chat.set_disabled("meetrelay", true);
    assert_refused_as("bot-disabled-401", &rest.get("/users/me").await);
    chat.set_disabled("meetrelay", false);
    let token = chat.add_token("meetrelay");
    chat.revoke_token(&token);
    assert_refused_as(
        "session-revoked-401",
        &rest.with_token(&token).get("/users/me").await,
    );
    let kinds: Vec<AuthKind> = chat
        .requests()
        .into_iter()
        .map(|request| request.auth)
        .collect();
    let bot = AuthKind::Of("meetrelay".to_owned());
    assert_eq!(
        kinds,
        [
            AuthKind::None,
            AuthKind::Refused,
            bot,
            AuthKind::Refused,
            AuthKind::Refused
        ]
    );
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn answers_have_the_recorded_fields() {
    let (chat, rest) = with_bot(Options::default()).await;
    let (weekly, alice, bot) = (
        chat.channel("weekly").id,
        chat.user("alice").id,
        chat.user("meetrelay").id,
    );
    assert_fields_as("users-me-bot-200", &rest.get("/users/me").await, |body| {
        body
    });
    assert_fields_as(
        "user-get-200",
        &rest.get(&format!("/users/{alice}")).await,
        |body| body,
    );
    let ids = rest.post("/users/ids", json!([alice, NOBODY])).await;
    assert_eq!(ids.json().as_array().unwrap().len(), 1);
    assert_fields_as("users-ids-200", &ids, |body| &body[0]);
    assert_eq!(rest.post("/users/ids", json!([])).await.status, 400);
    assert_eq!(
        rest.get("/users/username/alice").await.json()["id"],
        json!(alice)
    );
    assert_fields_as(
        "channel-get-public-not-member-200",
        &rest
            .get(&format!("/channels/{}", chat.channel("dev").id))
            .await,
        |body| body,
    );
    assert_fields_as(
        "dm-create-201",
        &rest.post("/channels/direct", json!([bot, alice])).await,
        |body| body,
    );
    assert_fields_as(
        "ping-200",
        &rest.with_token("").get("/system/ping").await,
        |body| body,
    );
    assert_fields_as(
        "config-client-bot-200",
        &rest.get("/config/client?format=old").await,
        |body| body,
    );
    assert_fields_as(
        "config-client-anonymous-200",
        &rest.with_token("").get("/config/client?format=old").await,
        |body| body,
    );
    assert_fields_as(
        "users-me-teams-200",
        &rest.get("/users/me/teams").await,
        |body| &body[0],
    );
    let body = json!({"channel_id": weekly, "message": "reply", "pending_post_id": "relay:1"});
    let post = rest.post("/posts", body).await;
    assert_fields_as("post-reply-201", &post, |body| body);
    assert_eq!(post.json()["pending_post_id"], "relay:1");
    assert!(post.headers.contains_key("x-request-id") && post.headers.contains_key("x-version-id"));
    let list = rest
        .get(&format!("/channels/{weekly}/posts?per_page=2"))
        .await;
    assert_fields_as("channel-posts-200", &list, |body| body);
    assert_eq!(list.json()["order"][0], post.json()["id"]);
    let thread = rest
        .get(&format!(
            "/posts/{}/thread",
            post.json()["id"].as_str().unwrap()
        ))
        .await;
    assert_fields_as("post-thread-200", &thread, |body| body);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn unknown_routes_fields_and_content_types_are_noted() {
    let (chat, rest) = with_bot(Options::default()).await;
    let answer = rest.get("/nosuch").await;
    let (status, recorded) = recorded_answer("unknown-route-404");
    assert_eq!((answer.status, answer.json()), (status, recorded));
    let weekly = chat.channel("weekly").id;
    rest.post(
        "/posts",
        json!({"channel_id": weekly, "message": "m", "text": "typo"}),
    )
    .await;
    rest.post(
        "/posts",
        json!({"channel_id": weekly, "message": "m", "props": {"override_username": "Ana"}}),
    )
    .await;
    let notes = chat.unexpected().take();
    assert_eq!(notes.len(), 3, "{notes:?}");
}

#[tokio::test]
async fn rate_limit_refuses_with_the_recorded_head() {
    let options = Options {
        rate_limit: Some(RateLimit {
            per_second: 2,
            max_burst: 10,
        }),
        ..Options::default()
    };
    let (chat, rest) = with_bot(options).await;
    let header = |answer: &Answer, name: &str| {
        answer
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let first = rest.get("/users/me").await;
    assert_eq!(header(&first, "x-ratelimit-limit").as_deref(), Some("11"));
    let mut refused = None;
    for _ in 0..20 {
        let answer = rest.get("/users/me").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a 429");
    assert_eq!(refused.text, "limit exceeded\n");
    assert_eq!(
        header(&refused, "content-type").as_deref(),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(header(&refused, "retry-after").as_deref(), Some("1"));
    assert_eq!(header(&refused, "x-request-id"), None);
    chat.clock().advance(std::time::Duration::from_secs(1));
    assert_eq!(
        rest.get("/users/me").await.status,
        200,
        "waiting as told helps"
    );
}
