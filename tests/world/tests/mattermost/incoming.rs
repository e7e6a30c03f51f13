//! Incoming webhooks as recorded, and a plugin's endpoint.

use crate::support::{Integration, vector};
use serde_json::{Value, json};
use world::mattermost::{FakeMattermost, Options, Post, TriggerWhen};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Status and text of the answer.
async fn send(address: &str, content_type: &str, body: impl Into<String>) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(address).body(body.into());
    if !content_type.is_empty() {
        request = request.header("Content-Type", content_type);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn say(address: &str, body: Value) -> (u16, String) {
    send(address, JSON, body.to_string()).await
}

/// The recorded answer, as it would be for the hook at `address`.
fn recorded(name: &str, address: &str) -> (u16, Value) {
    let text = vector(&format!("rest/{name}.http"));
    let line = text.lines().next().unwrap();
    let hook = line.rsplit('/').next().unwrap();
    let at = text.find("HTTP/1.1 ").unwrap();
    let status = text[at + 9..at + 12].parse().unwrap();
    let (_, body) = text[at..].split_once("\n\n").unwrap();
    let body = body.replace(hook, address.rsplit('/').next().unwrap());
    (status, without_request(&body))
}

fn without_request(body: &str) -> Value {
    let Ok(mut value) = serde_json::from_str::<Value>(body) else {
        return json!(body.trim_end());
    };
    value["request_id"] = Value::Null;
    value
}

#[track_caller]
fn assert_as(name: &str, address: &str, (status, body): (u16, String)) {
    let got = (status, without_request(&body));
    assert_eq!(got, recorded(name, address), "{name}");
}

async fn fake() -> (FakeMattermost, String) {
    let chat = FakeMattermost::start(Options::default()).await.unwrap();
    let address = chat.register_incoming_hook("ana", "weekly", false);
    (chat, address)
}

fn newest(chat: &FakeMattermost, channel: &str) -> Post {
    chat.posts(channel).pop().expect("a post")
}

#[tokio::test]
async fn incoming_webhook_posts_as_its_creator_and_says_ok() {
    let (chat, address) = fake().await;
    let props = json!({"relay_meeting": "05", "from_webhook": "no", "override_username": "x"});
    let answer = say(
        &address,
        json!({"text": "<http://a.example|Join>", "props": props}),
    )
    .await;
    assert_as("incoming-200", &address, answer);
    let post = newest(&chat, "weekly");
    assert_eq!(post.user_id, chat.user("ana").id);
    assert_eq!(post.message, "[Join](http://a.example)");
    assert_eq!(post.prop("from_webhook"), Some("true"));
    assert_eq!(post.prop("relay_meeting"), Some("05"));
    assert_eq!(post.prop("override_username"), None);

    let form = "payload=%7B%22text%22%3A%20%22form%22%7D";
    let answer = send(&address, FORM, form).await;
    assert_as("incoming-200-form", &address, answer);
    assert_eq!(newest(&chat, "weekly").message, "form");
    let field = json!({"title": "People", "value": 3, "short": true});
    let attachments = json!([{"fallback": "f", "text": "<http://a.example|t>", "fields": [field]}]);
    let body = json!({"attachments": attachments, "channel": "dev"}).to_string();
    assert_eq!(send(&address, "", body).await, (200, "ok".to_owned()));
    let shown = newest(&chat, "dev");
    assert_eq!(shown.attachments()[0]["text"], "[t](http://a.example)");
    assert_eq!(shown.attachments()[0]["fields"][0]["value"], "3");
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn incoming_webhook_refuses_as_recorded() {
    let (chat, address) = fake().await;
    let locked = chat.register_incoming_hook("ana", "town-square", true);
    let nobody = format!("{}/hooks/xxxxxxxxxxxxxxxxxxxxxxxxxx", chat.url());
    chat.archive("off-topic");
    let to = |channel: &str| json!({"text": "x", "channel": channel});
    let long = "z".repeat(400_000);
    for (name, address, body) in [
        ("incoming-400-no-text", &address, json!({"text": ""})),
        ("incoming-400-no-text", &address, json!({"attachments": []})),
        ("incoming-400-unknown-hook", &nobody, json!({"text": "x"})),
        ("incoming-400-unknown-user", &address, to("@nobody")),
        ("incoming-403-channel-locked", &locked, to("dev")),
        ("incoming-404-archived-channel", &address, to("off-topic")),
        ("incoming-404-channel", &address, to("nope")),
        ("incoming-500-nul", &address, json!({"text": "a\u{0}b"})),
        ("incoming-too-large-400", &address, json!({ "text": long })),
    ] {
        assert_as(name, address, say(address, body).await);
    }
    let answer = send(&address, JSON, "{\"text\":").await;
    assert_as("incoming-400-bad-json", &address, answer);
    let answer = send(&address, FORM, "{\"text\":\"x\"}").await;
    assert_as("incoming-400-form-without-payload", &address, answer);
    chat.enable_incoming_hooks(false);
    let answer = say(&address, json!({"text": "x"})).await;
    assert_as("incoming-disabled-501", &address, answer);
    chat.enable_incoming_hooks(true);
    chat.archive("weekly");
    let answer = say(&address, to("dev")).await;
    assert_as("incoming-own-channel-archived-400", &address, answer);
    for channel in ["dev", "town-square"] {
        assert_eq!(chat.posts(channel).len(), 0);
    }
    assert_eq!(say(&locked, to("town-square")).await.0, 200);
    chat.set_disabled("ana", true);
    let answer = say(&locked, json!({"text": "owner gone"})).await;
    assert_as("incoming-owner-deactivated-200", &locked, answer);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn private_channel_takes_posts_of_a_webhook_whose_owner_is_in_it() {
    let (chat, outside) = fake().await;
    let inside = chat.register_incoming_hook("bob", "weekly", false);
    let body = json!({"text": "x", "channel": "secret"});
    assert_eq!(say(&outside, body.clone()).await.0, 403);
    assert_eq!(say(&inside, body).await.0, 200);
    assert_eq!(chat.posts("secret").len(), 1);
}

#[tokio::test]
async fn posts_of_integrations_fire_no_outgoing_webhook() {
    let (chat, address) = fake().await;
    let integration = Integration::start().await;
    let when = TriggerWhen::ExactMatch;
    chat.register_outgoing_hook("", &["meet"], when, &integration.url, FORM);
    say(&address, json!({"text": "meet now"})).await;
    chat.say("bob", "weekly", "meet later").await;
    assert!(integration.received(1).await.contains("meet+later"));
    assert_eq!(integration.count(), 1);
}

#[tokio::test]
async fn plugin_posts_for_whoever_gives_its_authorization() {
    let (chat, _) = fake().await;
    let address = chat.install_plugin("Relay s3cret");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = |value: &'static str| {
        let body = json!({"text": "now", "channel": "dev"}).to_string();
        let request = client.post(&address).header("Authorization", value);
        let sent = request.body(body).send();
        async move { sent.await.unwrap().status().as_u16() }
    };
    assert_eq!(call("Relay s3cret").await, 201);
    assert_eq!(newest(&chat, "dev").user_id, chat.user("notices").id);
    assert_eq!(call("Relay other").await, 401);
    chat.drop_authorization(true);
    assert_eq!(call("Relay s3cret").await, 401);
    assert_eq!(chat.posts("dev").len(), 1);
    let unknown = format!("{}/plugins/org.example.none/x", chat.url());
    assert_eq!(say(&unknown, json!({"text": "x"})).await.0, 404);
}
