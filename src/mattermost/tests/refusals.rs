//! Throttling, outages and secrets.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use super::*;
use crate::http::CallOutcome;

#[tokio::test]
async fn throttled_calls_return_how_long_to_wait() {
    let bench = bench(vec![recorded("ratelimit-429")]).await;
    let after = Some(Duration::from_secs(1));
    assert_eq!(
        bench.client.own_account().await,
        Err(ChatError::Throttled { after })
    );
    type Headers = [(&'static str, &'static str)];
    let cases: [(&Headers, Option<u64>); 4] = [
        (&[], None),
        (&[("Retry-After", "soon")], None),
        (&[("Retry-After", "1e99")], Some(3600)),
        (
            &[
                ("X-Ratelimit-Limit", "11"),
                ("X-Ratelimit-Remaining", "0"),
                ("X-Ratelimit-Reset", "6"),
            ],
            Some(6),
        ),
    ];
    for (headers, seconds) in cases {
        let bench = super::bench(vec![StubReply::new(429, headers, "limit exceeded\n")]).await;
        let after = seconds.map(Duration::from_secs);
        assert_eq!(
            bench.client.own_account().await,
            Err(ChatError::Throttled { after })
        );
    }
}

#[tokio::test]
async fn the_observer_learns_of_outcomes_and_the_rate_limit() {
    let bench = bench(vec![
        recorded("ratelimit-headers-200"),
        recorded("ratelimit-429"),
    ])
    .await;
    bench.client.own_account().await.unwrap();
    bench.client.own_account().await.unwrap_err();
    let reports = bench.observer.0.lock().unwrap();
    let reported: Vec<_> = reports
        .iter()
        .map(|r| {
            (
                r.operation,
                r.outcome,
                r.rate_limit.map(|limit| limit.remaining),
            )
        })
        .collect();
    assert_eq!(
        reported,
        [
            (Operation::Read, CallOutcome::Success, Some(9)),
            (Operation::Read, CallOutcome::RateLimited, Some(0)),
        ]
    );
}

#[tokio::test]
async fn every_error_has_its_outcome_in_metrics() {
    use CallOutcome::{Refused, ServerError, Unauthorized, Unreachable};
    let own = [
        "bot-token-revoked-401",
        "bot-create-403",
        "channel-member-404",
    ];
    let mut replies: Vec<_> = own.map(recorded).into();
    replies.push(StubReply::new(503, &[], ""));
    let bench = bench(replies).await;
    for _ in 0..5 {
        bench.client.read_post(&post_id()).await.unwrap_err();
    }
    let outcomes = bench.observer.outcomes();
    let expected = [Unauthorized, Refused, Refused, ServerError, Unreachable];
    assert_eq!(outcomes, expected.map(|outcome| (Operation::Read, outcome)));
}

#[tokio::test]
async fn every_call_has_its_operation_in_metrics() {
    use Operation::{AnswerCommand, CreatePost, PatchPost, Read};
    let bench = bench(vec![me()]).await;
    let (client, content) = (&bench.client, new_post().content);
    let hook = ResponseHook::parse("1w3ncsn8wj8z3qmzkf91xdxuka").unwrap();
    client.create_post(new_post()).await.unwrap_err();
    let post = post_id();
    let patched = client.patch_post(&post, "m1:card", content.clone());
    patched.await.unwrap_err();
    client.delete_post(&post_id()).await.unwrap_err();
    client.show_in_channel(&hook, content).await.unwrap_err();
    let operations: Vec<_> = bench
        .observer
        .outcomes()
        .iter()
        .map(|call| call.0)
        .collect();
    let expected = [Read, CreatePost, PatchPost, PatchPost, AnswerCommand];
    assert_eq!(operations, expected);
}

#[tokio::test]
async fn an_outage_is_no_refusal() {
    for status in [404, 408, 500, 502, 503, 504] {
        let down = StubReply::new(status, &[("Retry-After", "3")], "<html>down</html>");
        let bench = bench(vec![down]).await;
        let result = bench.client.read_post(&post_id()).await;
        let Err(ChatError::Unavailable { after, .. }) = result else {
            panic!("{status}: {result:?}");
        };
        assert_eq!(after, Some(Duration::from_secs(3)), "{status}");
    }
}

/// Answers of something in front of the server: an HTML page, a line of text, or other JSON.
const FOREIGN: [(&[(&str, &str)], &str); 4] = [
    (&[("Content-Type", "text/html")], "<html>sign in</html>"),
    (&[("Content-Type", "text/plain")], "blocked by policy"),
    (
        &[("Content-Type", "application/json")],
        r#"{"error":"forbidden"}"#,
    ),
    // An error id without the rest of Mattermost's format.
    (
        &[("Content-Type", "application/json")],
        r#"{"id":"gateway.denied"}"#,
    ),
];

#[tokio::test]
async fn f4_an_answer_without_mattermosts_format_never_counts_as_its_own() {
    for status in [
        301, 302, 307, 400, 401, 403, 404, 405, 407, 410, 413, 414, 451, 501,
    ] {
        for (headers, body) in FOREIGN {
            let replies = vec![StubReply::new(status, headers, body); 6];
            let bench = bench(replies).await;
            let client = &bench.client;
            let said = [
                client.own_account().await.map(drop),
                client.read_post(&post_id()).await.map(drop),
                client.patch_post(&post_id(), "k", new_post().content).await,
                client.delete_post(&post_id()).await,
                client.channel_kind(&channel()).await.map(drop),
                client.is_channel_admin(&channel(), &user()).await.map(drop),
            ];
            for said in said {
                let is_outage = matches!(said, Err(ChatError::Unavailable { .. }));
                assert!(is_outage, "{status} {body}: {said:?}");
            }
            assert_eq!(bench.stub.seen().len(), 6, "{status}: nothing is followed");
        }
    }
}

#[tokio::test]
async fn f4_a_hook_refused_by_a_stranger_was_not_used() {
    let hook = ResponseHook::parse("1w3ncsn8wj8z3qmzkf91xdxuka").unwrap();
    for status in [200, 302, 401, 403, 404, 405] {
        let page = StubReply::new(
            status,
            &[("Content-Type", "text/html")],
            "<html>sign in</html>",
        );
        let bench = bench(vec![page]).await;
        let said = bench.client.answer_command(&hook, "x").await;
        let is_turned_away = matches!(said, Err(ChatError::TurnedAway { .. }));
        assert!(is_turned_away, "{status}: {said:?}");
    }
    // It may be Mattermost's own success, rewritten on its way.
    for body in ["", "OK", "{}"] {
        let bench = bench(vec![StubReply::new(200, &[], body)]).await;
        let said = bench.client.answer_command(&hook, "x").await;
        let is_unknown = matches!(said, Err(ChatError::Unavailable { .. }));
        assert!(is_unknown, "{body:?}: {said:?}");
    }
}

#[tokio::test]
async fn f5_success_without_the_expected_answer_is_none() {
    for body in [
        "",
        "<html>welcome</html>",
        "{}",
        "null",
        "[]",
        r#"{"status":"ok"}"#,
    ] {
        // Creating a post first reads the relay's own account.
        let mut replies = vec![me()];
        replies.extend(vec![StubReply::new(200, &[], body); 9]);
        let bench = bench(replies).await;
        let client = &bench.client;
        let since = Timestamp::from_millis(0);
        let said = [
            client.create_post(new_post()).await.map(drop),
            client.patch_post(&post_id(), "k", new_post().content).await,
            client.delete_post(&post_id()).await,
            client.join_channel(&channel()).await,
            client.read_post(&post_id()).await.map(drop),
            client.find_posts(&channel(), "k", since).await.map(drop),
            client.channel_kind(&channel()).await.map(drop),
            client.is_channel_admin(&channel(), &user()).await.map(drop),
            client.is_channel_member(&channel()).await.map(drop),
        ];
        for (index, said) in said.into_iter().enumerate() {
            let is_unknown = matches!(said, Err(ChatError::Unreachable { sent: true, .. }));
            assert!(is_unknown, "{index} {body}: {said:?}");
        }
    }
}

#[tokio::test]
async fn a_post_whose_answer_never_came_may_exist() {
    let started = Instant::now();
    let silent = bench_at(
        vec![me(), StubReply::Silence],
        "",
        Duration::from_millis(400),
    )
    .await;
    let result = silent.client.create_post(new_post()).await;
    assert!(
        matches!(result, Err(ChatError::Unreachable { sent: true, .. })),
        "{result:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(10));

    for answer in [
        "<!doctype html>",
        "",
        "{}",
        "[]",
        "\"x\"",
        "{\"id\":\"../..\"}",
    ] {
        let page = bench(vec![me(), StubReply::new(201, &[], answer)]).await;
        let result = page.client.create_post(new_post()).await;
        assert!(
            matches!(result, Err(ChatError::Unreachable { sent: true, .. })),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn an_unreachable_server_received_nothing() {
    let unreachable = bench(vec![]).await;
    let port = unreachable.stub.url.port().unwrap();
    drop(unreachable.stub);
    // The port is free again once the stub's task is gone.
    loop {
        let result = unreachable.client.own_account().await;
        if let Err(ChatError::Unreachable { sent: false, why }) = result {
            assert!(
                !why.contains(TOKEN) && !why.contains(&format!("{port}/api")),
                "{why}"
            );
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_edit_after_the_time_limit_has_its_own_error() {
    let id = "api.post.update_post.permissions_time_limit.app_error";
    let error = json!({ "id": id, "message": "m", "request_id": "r", "status_code": 400 });
    let bench = bench(vec![StubReply::json(400, &error)]).await;
    let content = new_post().content;
    let result = bench
        .client
        .patch_post(&post_id(), "m1:card", content)
        .await;
    assert!(
        matches!(result, Err(ChatError::NotEditable { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn no_refusal_repeats_the_hooks_secret_or_the_servers_words() {
    for name in [
        "response-url-expired-404",
        "response-url-sixth-use-400",
        "response-url-unknown-404",
    ] {
        let file = crate::http::stub::Recorded::read(&format!("mattermost-11/rest/{name}.http"));
        let id = file.request[0].rsplit('/').next().unwrap().to_owned();
        let bench = bench(vec![recorded(name)]).await;
        let hook = ResponseHook::parse(&id).unwrap();
        let error = bench.client.answer_command(&hook, "x").await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains(&id), "{error:?}");
    }
    let words =
        json!({ "id": "a b\n\u{1b}[31m<x>".repeat(50), "message": "CANARY", "request_id": "r" });
    let bench = bench(vec![StubReply::json(400, &words)]).await;
    let error = bench.client.own_account().await.unwrap_err().to_string();
    assert!(
        !error.contains("CANARY") && !error.contains('\u{1b}') && error.len() < 300,
        "{error}"
    );
}

#[tokio::test]
async fn an_id_that_would_change_the_path_is_never_sent() {
    let bench = bench(vec![]).await;
    for id in [".", ".."] {
        let result = bench.client.delete_post(&id.parse().unwrap()).await;
        assert!(
            matches!(result, Err(ChatError::Refused { .. })),
            "{result:?}"
        );
    }
    assert!(bench.stub.seen().is_empty());
}

#[test]
fn settings_that_cannot_work_are_named_and_never_shown() {
    let http = Http::new(HttpSettings::default(), Arc::new(crate::http::Unobserved)).unwrap();
    let key = |url: &str, token: &str| {
        let settings = MattermostSettings {
            url: url.parse().unwrap(),
            credential: Credential::Token(SecretString::from(token)),
            post_secret: SecretString::from("canary-secret"),
        };
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("canary-secret") && !shown.contains("canary-token"),
            "{shown}"
        );
        let clock = Arc::new(StandingClock(AtomicI64::new(0)));
        Mattermost::new(settings, http.clone(), clock)
            .err()
            .map(|bad| bad.key)
    };
    assert_eq!(key("https://chat.example.org/mm", "canary-token"), None);
    assert_eq!(key("unix:/run/x", "canary-token"), Some("url"));
    assert_eq!(
        key("https://u:p@chat.example.org", "canary-token"),
        Some("url")
    );
    assert_eq!(
        key("https://chat.example.org", "canary-token\n"),
        Some("bot_token")
    );
}
