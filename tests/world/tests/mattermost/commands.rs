//! Slash commands, their answers and response URLs.

use crate::support::{
    Integration, Rest, body, head_shape, pairs, recorded_answer, vector, with_bot,
};
use serde_json::json;
use std::time::Duration;
use world::mattermost::{FakeMattermost, Options, TriggerWhen};

const JSON: &str = "application/json";

async fn commanded() -> (FakeMattermost, Rest, Integration, String) {
    let (chat, rest) = with_bot(Options::default()).await;
    let integration = Integration::start().await;
    let token = chat.register_command("plugnmeet", &format!("{}/cmd", integration.url));
    (chat, rest, integration, token)
}

/// Recorded and received forms with the same pairs, but for ids, tokens and addresses.
#[track_caller]
fn assert_form_as(recording: &str, got: &str) {
    let recorded = vector(&format!("{recording}.http"));
    assert_eq!(head_shape(got), head_shape(&recorded), "{recording}");
    let constant = |raw: &str| -> Vec<(String, String)> {
        let form = body(raw).trim_end();
        let form = if form.is_empty() {
            raw.split_once('?').unwrap().1.split(' ').next().unwrap()
        } else {
            form
        };
        let known = [
            "command",
            "text",
            "team_domain",
            "user_name",
            "user_mentions",
            "channel_mentions",
            "fixed",
        ];
        pairs(form)
            .into_iter()
            .map(|(key, value)| {
                (
                    key.to_owned(),
                    if known.contains(&key) {
                        value.to_owned()
                    } else {
                        String::new()
                    },
                )
            })
            .collect()
    };
    assert_eq!(constant(got), constant(&recorded), "{recording}");
}

#[tokio::test]
async fn commands_are_those_of_the_recordings() {
    let (chat, _, integration, token) = commanded().await;
    chat.register_get_command("pnmget", &format!("{}/cmdget?fixed=1", integration.url));
    let direct = chat.direct_channel("alice", "bob");
    let group = chat.group_channel(&["alice", "bob", "carol"]);
    let root = chat.say("alice", "dev", "root").await;
    let cases = [
        (
            "command-text",
            "dev",
            "/plugnmeet start Weekly: Übung & <b>",
            None,
        ),
        ("command-no-text", "dev", "/plugnmeet", None),
        (
            "command-thread",
            "dev",
            "/plugnmeet start in thread",
            Some(root.as_str()),
        ),
        (
            "command-mentions",
            "dev",
            "/plugnmeet start @bob @carol @nobody ~town-square ~secret @all",
            None,
        ),
        ("command-private-channel", "secret", "/plugnmeet list", None),
        ("command-direct-message", &direct, "/plugnmeet start", None),
        ("command-group-message", &group, "/plugnmeet start", None),
        ("command-get", "dev", "/pnmget start Weekly", None),
    ];
    for (index, (recording, channel, line, thread)) in cases.into_iter().enumerate() {
        let answer = chat.command("alice", channel, line, thread).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let got = integration.received(index + 1).await;
        assert_form_as(recording, &got);
        if recording == "command-thread" {
            assert!(body(&got).contains(&format!("root_id={root}&")));
        }
        if recording == "command-text" {
            assert!(got.contains(&format!("Authorization: Token {token}\n")));
            assert!(body(&got).contains(&format!("commands%2F{}&", answer.response_id)));
        }
    }
    assert!(chat.channel(&group).name.len() == 40 && chat.channel(&direct).name.contains("__"));
}

#[tokio::test]
async fn text_is_everything_behind_the_first_blank() {
    let (chat, _, integration, _) = commanded().await;
    chat.command("alice", "dev", "/PlugNmeet  x ", None).await;
    let got = integration.received(1).await;
    assert!(
        body(&got).contains("command=%2Fplugnmeet&") && body(&got).contains("&text=+x+&"),
        "{got}"
    );
}

#[tokio::test]
async fn answers_are_shown_as_in_the_real_client() {
    let (chat, _, integration, _) = commanded().await;
    integration.will_answer(
        "200 OK",
        JSON,
        r#"{"text":"**Join** <http://a.example|here>","goto_location":"http://g.example"}"#,
    );
    let answer = chat.command("alice", "dev", "/plugnmeet start", None).await;
    assert_eq!(
        (
            answer.status,
            answer.response_type.as_str(),
            answer.goto_location.as_str()
        ),
        (200, "ephemeral", "http://g.example")
    );
    assert_eq!(
        chat.ephemerals("alice")[0].text,
        "**Join** [here](http://a.example)"
    );
    assert!(chat.ephemerals("bob").is_empty() && chat.posts("dev").is_empty());

    integration.will_answer("200 OK", "text/plain", "just text");
    chat.command("alice", "dev", "/plugnmeet", None).await;
    assert_eq!(chat.ephemerals("alice")[1].text, "just text");

    integration.will_answer("200 OK", "text/plain", r#"{"text":"x"}"#);
    chat.command("alice", "dev", "/plugnmeet", None).await;
    assert_eq!(
        chat.ephemerals("alice")[2].text,
        r#"{"text":"x"}"#,
        "the content type decides"
    );
    assert_eq!(chat.unexpected().take().len(), 1);

    // in_channel: a post of the caller, in the thread, which fires outgoing webhooks.
    chat.register_outgoing_hook(
        "",
        &["meet"],
        TriggerWhen::ExactMatch,
        &format!("{}/out", integration.url),
        JSON,
    );
    let root = chat.say("alice", "dev", "root").await;
    integration.will_answer(
        "200 OK",
        JSON,
        r#"{"response_type":"in_channel","text":"meet here"}"#,
    );
    chat.command("alice", "dev", "/plugnmeet", Some(&root))
        .await;
    let thread = chat.thread(&root);
    assert_eq!(
        (thread[1].message.as_str(), thread[1].prop("from_webhook")),
        ("meet here", Some("true"))
    );
    assert_eq!(thread[1].user_id, chat.user("alice").id);
    assert!(integration.received(5).await.starts_with("POST /out"));
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn failures_are_those_of_the_recordings() {
    let (chat, _, integration, _) = commanded().await;
    let unknown = chat.command("alice", "dev", "/nosuchcmd x", None).await;
    let mut shown = vec![("command-execute-unknown-404", unknown)];
    integration.will_answer("202 Accepted", JSON, "{}");
    integration.will_answer("500 Internal Server Error", JSON, "{}");
    integration.will_answer("200 OK", JSON, "{bad");
    integration.will_answer("200 OK", JSON, "");
    integration.will_answer_raw("");
    for name in [
        "was-202-500",
        "was-500-500",
        "bad-json-500",
        "empty-json-500",
        "dropped-500",
    ] {
        let answer = chat.command("alice", "dev", "/plugnmeet a", None).await;
        shown.push((["command-answer-", name].concat().leak(), answer));
    }
    for (recording, answer) in shown {
        let (status, recorded) = recorded_answer(recording);
        assert_eq!(answer.status, status, "{recording}");
        assert_eq!(
            (json!(answer.error_id), json!(answer.error_text)),
            (recorded["id"].clone(), recorded["message"].clone()),
            "{recording}"
        );
    }
    let empty = chat.command("alice", "dev", "/plugnmeet a", None).await;
    assert_eq!(
        (empty.status, empty.text.as_str()),
        (200, ""),
        "an empty answer is fine"
    );
    integration.will_answer(
        "200 OK",
        JSON,
        &json!({"response_type": "in_channel", "text": "x".repeat(16_384)}).to_string(),
    );
    let long = chat.command("alice", "dev", "/plugnmeet a", None).await;
    assert_eq!(
        (long.status, long.error_id.as_str()),
        (
            500,
            "api.command.execute_command.create_post_failed.app_error"
        )
    );
    assert!(chat.ephemerals("alice").is_empty() && chat.posts("dev").is_empty());
}

#[tokio::test]
async fn response_url_works_five_times_within_30_minutes() {
    let (chat, rest, _, _) = commanded().await;
    let late = rest.with_token("");
    let root = chat.say("alice", "dev", "root").await;
    let id = chat
        .command("alice", "dev", "/plugnmeet start", Some(&root))
        .await
        .response_id;
    let path = format!("/hooks/commands/{id}");
    let refused = |answer: crate::support::Answer, recording: &str, id: &str| {
        let (status, recorded) = recorded_answer(recording);
        assert_eq!(
            (answer.status, &answer.json()["id"]),
            (status, &recorded["id"]),
            "{recording}"
        );
        assert!(answer.json()["message"].as_str().unwrap().contains(id));
    };
    refused(
        late.call("POST", &path, Some("{bad".to_owned())).await,
        "response-url-bad-json-400",
        &id,
    );
    let first = late
        .post(
            &path,
            json!({"response_type": "ephemeral", "text": "late one"}),
        )
        .await;
    assert_eq!(
        (
            first.status,
            first.text.as_str(),
            first.headers["content-type"].to_str().unwrap()
        ),
        (200, "ok", "text/plain")
    );
    let shown = &chat.ephemerals("alice")[0];
    assert_eq!(
        (shown.text.as_str(), shown.root_id.as_str()),
        ("late one", root.as_str())
    );
    let posted = late
        .post(
            &path,
            json!({"response_type": "in_channel", "text": "card", "props": {"relay": "1"}}),
        )
        .await;
    assert_eq!(posted.status, 200);
    assert_eq!(chat.thread(&root)[1].prop("relay"), Some("1"));
    let long = late
        .post(
            &path,
            json!({"response_type": "in_channel", "text": "x".repeat(16_384)}),
        )
        .await;
    assert_eq!(long.status, 500, "counted as a use all the same");
    chat.clock().advance(Duration::from_secs(29 * 60 + 50));
    for text in ["fourth", "fifth"] {
        assert_eq!(late.post(&path, json!({"text": text})).await.status, 200);
    }
    refused(
        late.post(&path, json!({"text": "sixth"})).await,
        "response-url-sixth-use-400",
        &id,
    );

    let id = chat
        .command("alice", "dev", "/plugnmeet", None)
        .await
        .response_id;
    chat.clock().advance(Duration::from_secs(30 * 60 + 10));
    let path = format!("/hooks/commands/{id}");
    refused(
        late.post(&path, json!({"text": "30:10"})).await,
        "response-url-expired-404",
        &id,
    );
    refused(
        late.post(
            &format!("/hooks/commands/{}", "x".repeat(26)),
            json!({"text": "?"}),
        )
        .await,
        "response-url-unknown-404",
        "xxx",
    );
    chat.unexpected().assert_none();

    let page = late.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.starts_with("<!DOCTYPE html>"),
        "GET is answered by the web app"
    );
    assert_eq!(chat.unexpected().take().len(), 1);
}

#[tokio::test]
async fn response_url_of_a_deleted_command_is_refused() {
    let (chat, rest, _, _) = commanded().await;
    let id = chat
        .command("alice", "dev", "/plugnmeet", None)
        .await
        .response_id;
    chat.delete_command("plugnmeet");
    assert_eq!(
        rest.post(&format!("/hooks/commands/{id}"), json!({"text": "x"}))
            .await
            .status,
        400
    );
    assert_eq!(
        chat.command("alice", "dev", "/plugnmeet", None)
            .await
            .status,
        404
    );
}
