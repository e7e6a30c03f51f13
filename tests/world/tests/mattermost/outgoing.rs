//! Outgoing webhooks byte for byte, what fires them, and what becomes of answers.

use crate::support::{Integration, Rest, SOON, body, head_shape, keys, pairs, vector, with_bot};
use serde_json::{Value, json};
use std::time::Duration;
use world::mattermost::{ChannelKind, FakeMattermost, Options, TriggerWhen};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const WORDS: [&str; 4] = ["meet now", "meet", "Meet", "MEET"];

async fn hooked(content_type: &str) -> (FakeMattermost, Rest, Integration, String) {
    let (chat, rest) = with_bot(Options::default()).await;
    let integration = Integration::start().await;
    let url = format!("{}/out/form", integration.url);
    let token =
        chat.register_outgoing_hook("", &WORDS, TriggerWhen::ExactMatch, &url, content_type);
    (chat, rest, integration, token)
}

/// The values of a form that the test knows, in place of the recorded ones.
fn decoded(form: &str) -> Vec<(String, String)> {
    serde_urlencoded::from_str(form.trim_end()).unwrap()
}

#[tokio::test]
async fn forms_are_those_of_the_recordings() {
    let (chat, _, integration, token) = hooked(FORM).await;
    let names = [
        "meet-now",
        "case",
        "word-only",
        "title",
        "unicode",
        "leading-spaces",
        "newline-after-word",
    ];
    for (index, name) in names.into_iter().enumerate() {
        let recorded = vector(&format!("outgoing-form-{name}.http"));
        let text = decoded(body(&recorded))
            .into_iter()
            .find(|(key, _)| key == "text")
            .unwrap()
            .1;
        let post_id = chat.say("alice", "town-square", &text).await;
        let got = integration.received(index + 1).await;
        assert_eq!(got.lines().next(), Some("POST /out/form HTTP/1.1"));
        assert_eq!(head_shape(&got), head_shape(&recorded), "{name}");
        let post = chat.post(&post_id).unwrap();
        let (alice, town, seconds) = (
            chat.user("alice"),
            chat.channel("town-square"),
            (post.create_at / 1000).to_string(),
        );
        let expected: Vec<(&str, &str)> = pairs(body(&recorded))
            .into_iter()
            .map(|(key, value)| {
                let value = match key {
                    "channel_id" => &town.id,
                    "post_id" => &post_id,
                    "team_id" => &town.team_id,
                    "timestamp" => &seconds,
                    "token" => &token,
                    "user_id" => &alice.id,
                    _ => return (key, value),
                };
                (key, value.as_str())
            })
            .collect();
        assert_eq!(pairs(body(&got)), expected, "{name}");
    }
    let root = chat.say("alice", "town-square", "root").await;
    chat.reply("alice", &root, "meet now in thread").await;
    let got = integration.received(names.len() + 1).await;
    let recorded = vector("outgoing-form-thread-reply.http");
    assert_eq!(
        pairs(body(&got)).len(),
        pairs(body(&recorded)).len(),
        "nothing tells that it is a reply"
    );
}

#[tokio::test]
async fn json_is_that_of_the_recording() {
    let (chat, _, integration, _) = hooked(JSON).await;
    chat.register_outgoing_hook(
        "",
        &["meetjson"],
        TriggerWhen::StartsWith,
        &format!("{}/j", integration.url),
        JSON,
    );
    let recorded = vector("outgoing-json.http");
    let mut expected: Value = serde_json::from_str(body(&recorded)).unwrap();
    let post_id = chat
        .say("alice", "town-square", expected["text"].as_str().unwrap())
        .await;
    let got = integration.received(1).await;
    assert_eq!(head_shape(&got), head_shape(&recorded));
    let (post, town) = (chat.post(&post_id).unwrap(), chat.channel("town-square"));
    let known: Value = serde_json::from_str(body(&got)).unwrap();
    for (key, value) in [
        ("token", known["token"].clone()),
        ("team_id", json!(town.team_id)),
        ("channel_id", json!(town.id)),
        ("timestamp", json!(post.create_at)),
        ("user_id", json!(post.user_id)),
        ("post_id", json!(post_id)),
    ] {
        expected[key] = value;
    }
    assert_eq!(known, expected);
    // Order of keys and Go's escapes, byte for byte.
    let tail = |raw: &str| {
        body(raw)
            .trim_end()
            .split_once(",\"text\":")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(tail(&got), tail(&recorded));
    let order = |raw: &str| {
        body(raw)
            .split('"')
            .filter(|word| keys(&expected).contains(&(*word).to_owned()))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(order(&got)[..5], order(&recorded)[..5]);

    chat.say("alice", "town-square", "meetjsonly prefix").await;
    let prefixed: Value = serde_json::from_str(body(&integration.received(2).await)).unwrap();
    assert_eq!(prefixed["trigger_word"], "meetjson");
}

#[tokio::test]
async fn only_the_exact_first_word_in_public_channels_fires() {
    let (chat, rest, integration, _) = hooked(FORM).await;
    let direct = chat.direct_channel("alice", "bob");
    let group = chat.group_channel(&["alice", "bob", "carol"]);
    for text in [
        "mEET now",
        "meet, now",
        "@meet now",
        "**meet** now",
        "I say meet now",
        "meeting",
        "",
    ] {
        chat.say("alice", "town-square", text).await;
    }
    for closed in ["secret", &direct, &group] {
        chat.say("alice", closed, "meet now").await;
    }
    let edited = chat.say("alice", "town-square", "hello").await;
    chat.edit_post(&edited, "meet now");
    let elsewhere = chat.add_channel("quiet", "Quiet", ChannelKind::Private, &["alice"]);
    chat.say("alice", &elsewhere, "meet").await;
    chat.clock().advance(Duration::from_millis(1));
    // A bot's own post fires as well: the loop risk.
    let body_of_bot = json!({"channel_id": chat.channel("weekly").id, "message": "meet from bot"});
    rest.post("/posts", body_of_bot).await;
    let fired = integration.received(1).await;
    assert!(
        body(&fired).contains("text=meet+from+bot") && body(&fired).contains("user_name=meetrelay"),
        "{fired}"
    );
    assert_eq!(integration.count(), 1);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn answers_are_posted_as_the_hooks_creator_whatever_the_status() {
    let (chat, _, integration, _) = hooked(FORM).await;
    integration.will_answer(
        "503 Service Unavailable",
        "text/plain",
        r#"{"text":"try <http://a.example|again> ref 1"} trailing"#,
    );
    chat.say("alice", "weekly", "meet now").await;
    let posts = chat
        .wait_for("the answer", SOON, |model| {
            Some(model.posts("weekly")).filter(|posts| posts.len() == 2)
        })
        .await
        .unwrap();
    assert_eq!(posts[1].message, "try [again](http://a.example) ref 1");
    assert_eq!(posts[1].user_id, chat.user("root").id);
    assert_eq!(posts[1].prop("from_webhook"), Some("true"));

    integration.will_answer(
        "200 OK",
        JSON,
        r#"{"text":"in thread","response_type":"comment"}"#,
    );
    let root = chat.say("alice", "weekly", "meet in thread").await;
    chat.wait_for("the comment", SOON, |model| {
        (model.thread(&root).len() == 2).then_some(())
    })
    .await
    .unwrap();

    // A comment on a reply is lost; empty, non-JSON and contentless answers post nothing.
    integration.will_answer(
        "200 OK",
        JSON,
        r#"{"text":"lost","response_type":"comment"}"#,
    );
    integration.will_answer("200 OK", "text/plain", "ok");
    integration.will_answer("200 OK", JSON, r#"{"error":"x"}"#);
    chat.reply("alice", &root, "meet again").await;
    for text in ["meet 1", "meet 2", "meet 3"] {
        chat.say("alice", "weekly", text).await;
    }
    integration.received(6).await;
    chat.wait_for("all deliveries", SOON, |_| {
        (chat.deliveries().len() == 6).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(chat.posts("weekly").len(), 8, "{:?}", chat.posts("weekly"));
    assert_eq!(chat.deliveries()[0].answer.as_ref().unwrap().0, 503);
}

#[tokio::test]
async fn slow_integration_is_given_up_and_never_tried_again() {
    let options = Options {
        integration_timeout: Duration::from_millis(200),
        ..Options::default()
    };
    let (chat, _) = with_bot(options).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    chat.register_outgoing_hook("", &["meet"], TriggerWhen::ExactMatch, &url, FORM);
    chat.say("alice", "weekly", "meet").await;
    chat.wait_for("the failed delivery", SOON, |_| {
        (chat.deliveries().len() == 1).then_some(())
    })
    .await
    .unwrap();
    let failure = chat.deliveries()[0].answer.clone().unwrap_err();
    assert!(failure.contains("no answer within"), "{failure}");
}

#[tokio::test]
async fn redirect_turns_the_post_into_a_get_and_its_answer_counts() {
    let (chat, _, integration, _) = hooked(FORM).await;
    let target = format!("{}/moved", integration.url);
    integration.will_answer_raw(&format!(
        "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ));
    integration.will_answer("200 OK", JSON, r#"{"text":"from there"}"#);
    chat.say("alice", "weekly", "meet").await;
    let second = integration.received(2).await;
    assert!(
        second.starts_with("GET /moved HTTP/1.1\n") && body(&second).is_empty(),
        "{second}"
    );
    chat.wait_for("the answer", SOON, |model| {
        (model.posts("weekly").len() == 2).then_some(())
    })
    .await
    .unwrap();
}
