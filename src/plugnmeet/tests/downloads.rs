//! Artifacts: lists, addresses, and the text of a summary.
#![allow(clippy::unwrap_used, reason = "tests")]

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::http::CallOutcome;

fn sid() -> Sid {
    "0fa90880-1b6f-4928-a5d2-bb5d27bc7f7a".parse().unwrap()
}

fn summary() -> ArtifactId {
    "4ce5cedd-a732-4dc4-8cbf-03bbe5d9141c".parse().unwrap()
}

fn recorded(name: &str) -> StubReply {
    StubReply::recorded(&format!("plugnmeet/recorded/api-{name}.http"))
}

fn nothing_found() -> StubReply {
    let body = json!({ "status": false, "msg": "no artifact found", "status_code": "NOT_FOUND" });
    StubReply::json(200, &body)
}

#[tokio::test]
async fn recordings_and_artifacts_of_a_session_are_found() {
    let bench = bench(vec![
        recorded("recording-fetch"),
        recorded("artifact-fetch"),
    ])
    .await;
    let found = bench.client.artifacts(&sid()).await.unwrap();
    let listed: Vec<String> = found
        .iter()
        .map(|a| format!("{} {}", a.kind.as_str(), a.id))
        .collect();
    let expected = [
        "recording 0fa90880-1b6f-4928-a5d2-bb5d27bc7f7a-1795245861225",
        "summary 4ce5cedd-a732-4dc4-8cbf-03bbe5d9141c",
        "analytics 91f4570a-2a0d-4bb9-9496-0ed9c4a8dbff",
        "transcript ce714778-a377-4879-9192-00aa8ea8b966",
    ];
    assert_eq!(listed, expected);
    assert_eq!(
        bench.stub.lines(),
        ["POST /auth/recording/fetch", "POST /auth/artifact/fetch"]
    );
    let asked = json!({ "room_sid": sid(), "from": 0, "limit": 100, "order_by": "ASC" });
    assert_eq!(bench.stub.seen()[1].json(), asked);
}

#[tokio::test]
async fn a_session_that_left_nothing_has_an_empty_list() {
    let bench = bench(vec![nothing_found(), nothing_found()]).await;
    assert_eq!(bench.client.artifacts(&sid()).await.unwrap(), []);
}

fn page(from: usize, count: usize, total: &Value) -> StubReply {
    let items: Vec<Value> = (from..from + count)
        .map(|n| json!({ "artifact_id": format!("a-{n}"), "type": if n % 2 == 0 { json!(4) } else { json!("NEW_KIND") } }))
        .collect();
    let result = json!({ "total_artifacts": total, "artifacts_list": items });
    StubReply::json(
        200,
        &json!({ "status": true, "msg": "success", "result": result }),
    )
}

#[tokio::test]
async fn pages_are_read_to_the_end_whatever_their_size() {
    let total = json!("120");
    let replies = vec![
        nothing_found(),
        page(0, 50, &total),
        page(50, 50, &total),
        page(100, 20, &total),
    ];
    let bench = bench(replies).await;
    let found = bench.client.artifacts(&sid()).await.unwrap();
    assert_eq!(found.len(), 60);
    assert!(found.iter().all(|one| one.kind == ArtifactKind::Transcript));
    let froms: Vec<Value> = bench
        .stub
        .seen()
        .iter()
        .map(|seen| seen.json()["from"].clone())
        .collect();
    assert_eq!(froms, [0, 0, 50, 100]);
}

#[tokio::test]
async fn pages_are_bounded_and_doubles_dropped() {
    let mut replies = vec![nothing_found()];
    replies.extend((0..20).map(|_| page(0, 10, &json!(1_000_000))));
    let bench = bench(replies).await;
    assert_eq!(bench.client.artifacts(&sid()).await.unwrap().len(), 5);
    assert_eq!(bench.stub.seen().len(), 1 + 10);

    let mut replies = vec![nothing_found()];
    replies.extend((0..20).map(|n| page(n * 100, 100, &Value::Null)));
    let bench = super::bench(replies).await;
    assert_eq!(bench.client.artifacts(&sid()).await.unwrap().len(), 200);
    assert_eq!(bench.stub.seen().len(), 1 + 4);
}

#[tokio::test]
async fn entries_with_unusable_ids_are_skipped() {
    let items = json!([{ "artifact_id": "../x", "type": 2 }, { "type": 2 }, 7, { "artifact_id": "a", "type": 2 }]);
    let body =
        json!({ "status": true, "result": { "total_artifacts": 4, "artifacts_list": items } });
    let bench = bench(vec![nothing_found(), StubReply::json(200, &body)]).await;
    let found = bench.client.artifacts(&sid()).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn download_addresses_are_external_and_by_kind() {
    for (kind, name, path, asked) in [
        (
            ArtifactKind::Recording,
            "recording-token",
            "recording",
            "POST /auth/recording/getDownloadToken",
        ),
        (
            ArtifactKind::Analytics,
            "artifact-token-meeting_analytics",
            "artifact",
            "POST /auth/artifact/getDownloadToken",
        ),
    ] {
        let bench = bench(vec![recorded(name)]).await;
        let address = bench
            .client
            .download_address(&summary(), kind)
            .await
            .unwrap();
        let start = format!("https://meet.example.org/pnm/download/{path}/eyJ");
        assert!(address.expose_secret().starts_with(&start));
        assert!(!format!("{address:?}").contains("eyJ"));
        assert_eq!(bench.stub.lines(), [asked]);
    }
}

#[tokio::test]
async fn a_summary_is_read_from_the_internal_address_as_markdown() {
    let replies = vec![
        recorded("artifact-token-meeting_summary"),
        recorded("download-artifact-meeting_summary"),
    ];
    let bench = bench(replies).await;
    let text = bench.client.summary_text(&summary()).await.unwrap();
    assert_eq!(
        text,
        "### Decisions\n\n- **Ship** on Friday @channel\n\nAction items: CANARY-summary-text & more"
    );
    let seen = bench.stub.seen();
    assert!(seen[1].target.starts_with("/download/artifact/eyJ"));
    assert_eq!(seen[1].header("api-key"), None);
    assert_eq!(seen[1].header("hash-signature"), None);
    assert_eq!(
        bench.observer.outcomes(),
        [
            (Operation::MintToken, CallOutcome::Success),
            (Operation::Ask, CallOutcome::Success)
        ]
    );
}

#[tokio::test]
async fn a_redirect_to_an_allowed_host_is_followed_once() {
    let file = StubReply::new(200, &[], "Meeting Summary for: x\n\n---\n\n<p>moved</p>");
    let storage = Stub::start(vec![file]).await;
    let location = storage.url.join("/file?X-Signature=CANARY").unwrap();
    let moved = StubReply::new(307, &[("Location", location.as_str())], "");
    let host = format!("127.0.0.1:{}", storage.url.port().unwrap());
    let replies = vec![recorded("artifact-token-meeting_summary"), moved];
    let bench = bench_with(replies, |settings| settings.download_hosts = vec![host]).await;
    assert_eq!(
        bench.client.summary_text(&summary()).await.unwrap(),
        "moved"
    );
    let seen = storage.only();
    assert_eq!(seen.line(), "GET /file?X-Signature=CANARY");
    assert_eq!(seen.header("api-key"), None);
}

#[tokio::test]
async fn a_redirect_within_plugnmeets_own_host_needs_no_permission() {
    let file = StubReply::new(200, &[], "<p>own</p>");
    let moved = StubReply::new(302, &[("Location", "/elsewhere")], "");
    let replies = vec![recorded("artifact-token-meeting_summary"), moved, file];
    let bench = bench(replies).await;
    assert_eq!(bench.client.summary_text(&summary()).await.unwrap(), "own");
    assert_eq!(bench.stub.lines()[2], "GET /elsewhere");
}

#[tokio::test]
async fn other_redirects_are_refused_without_their_secret() {
    let storage = Stub::start(vec![StubReply::new(
        307,
        &[("Location", "/again?s=CANARY")],
        "",
    )])
    .await;
    let to = |location: &str| StubReply::new(307, &[("Location", location)], "");
    let twice = storage.url.join("/file?X-Signature=CANARY").unwrap();
    let port = storage.url.port().unwrap();
    for (location, hosts, connected) in [
        (
            "http://169.254.169.254/latest?s=CANARY",
            vec!["127.0.0.1".to_owned()],
            0,
        ),
        (twice.as_str(), vec![], 0),
        (
            twice.as_str(),
            vec![format!("127.0.0.1:{}", port.wrapping_add(1))],
            0,
        ),
        ("file:///etc/passwd?CANARY", vec![String::new()], 0),
        ("http://[bad?CANARY", vec!["127.0.0.1".to_owned()], 0),
        (twice.as_str(), vec!["127.0.0.1".to_owned()], 1),
    ] {
        let replies = vec![recorded("artifact-token-meeting_summary"), to(location)];
        let bench = bench_with(replies, |settings| settings.download_hosts = hosts).await;
        let result = bench.client.summary_text(&summary()).await;
        let Err(ConferenceError::Refused { why }) = result else {
            panic!("{location}: {result:?}");
        };
        assert!(!why.contains("CANARY"), "{why}");
        assert_eq!(storage.seen().len(), connected, "{location}");
    }
}

#[tokio::test]
async fn f5_page_of_something_else_is_no_summary() {
    let page = "<!DOCTYPE html><html><body>Please log in</body></html>";
    let html = [("Content-Type", "text/html; charset=utf-8")];
    let login = [("Location", "https://login.example.org/?return=CANARY")];
    for reply in [
        StubReply::new(200, &html, page),
        StubReply::new(200, &[], page),
        StubReply::new(200, &html, ""),
        StubReply::new(302, &login, page),
        StubReply::new(403, &html, page),
        StubReply::new(404, &html, page),
        StubReply::new(405, &[], ""),
        StubReply::new(401, &html, page),
    ] {
        let bench = bench(vec![recorded("artifact-token-meeting_summary"), reply]).await;
        let result = bench.client.summary_text(&summary()).await;
        let Err(ConferenceError::Unavailable { why, .. }) = &result else {
            panic!("{result:?}");
        };
        assert!(!why.contains("CANARY"), "{why}");
    }
}

#[tokio::test]
async fn a_summary_beyond_the_bound_is_refused_unread() {
    let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 5242881\r\n\r\n".to_vec();
    let bench = bench(vec![
        recorded("artifact-token-meeting_summary"),
        StubReply::Endless(huge),
    ])
    .await;
    let result = bench.client.summary_text(&summary()).await;
    assert!(
        matches!(result, Err(ConferenceError::Refused { .. })),
        "{result:?}"
    );
}
