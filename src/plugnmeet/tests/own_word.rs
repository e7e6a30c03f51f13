//! Which answers come from plugNmeet itself, and what they show about the relay's key.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;

#[tokio::test]
async fn f4_answer_without_plugnmeets_format_never_counts_as_its_own() {
    let page = "<html><body>Please log in</body></html>";
    let own = r#"{"status":false,"msg":"x","status_code":"INVALID_API_KEY"}"#;
    for (status, body) in [
        (200, page),
        (200, "[]"),
        (200, "{\"status\":403}"),
        (200, ""),
        (301, ""),
        (302, page),
        (307, ""),
        (308, page),
        (400, page),
        (401, page),
        (403, page),
        (403, own),
        (404, page),
        (404, own),
        (405, page),
        (413, ""),
    ] {
        let bench = bench((0..8).map(|_| StubReply::new(status, &[], body)).collect()).await;
        let client = &bench.client;
        let id: ArtifactId = "4ce5cedd-a732-4dc4-8cbf-03bbe5d9141c".parse().unwrap();
        let download = client.download_address(&id, ArtifactKind::Recording).await;
        for result in [
            client.create_room(new_room()).await.map(drop),
            client.join_address(&room(), joiner()).await.map(drop),
            client.room_activity(&room()).await.map(drop),
            client.end_room(&room()).await.map(drop),
            client.artifacts(&"s".parse().unwrap()).await.map(drop),
            download.map(drop),
        ] {
            let Err(ConferenceError::Unavailable { why, .. }) = &result else {
                panic!("{status} {body}: {result:?}");
            };
            assert!(why.starts_with(&format!("HTTP {status}")), "{why}");
        }
        assert!(!client.is_key_refused.load(Ordering::Relaxed), "{status}");
    }
}

#[tokio::test]
async fn f19_refused_key_is_known_until_it_is_replaced_or_taken() {
    let refused = || StubReply::recorded("plugnmeet/recorded/api-create-401-wrong-key.http");
    let alive = || StubReply::json(200, &json!({"status": true, "is_active": true}));
    // A server that does not know the path has not checked the key.
    let no_path = || StubReply::new(404, &[], "not found");
    let replies = vec![refused(), refused(), no_path(), alive(), refused()];
    let bench = bench(replies).await;
    let client = &bench.client;
    for is_refused in [true, true, true, false, true] {
        let result = client.room_activity(&room()).await;
        assert_eq!(
            client.is_key_refused.load(Ordering::Relaxed),
            is_refused,
            "{result:?}"
        );
    }
    let next = ApiKeys::new("another", SecretString::from("new-secret")).unwrap();
    client.replace_keys(next);
    assert!(!client.is_key_refused.load(Ordering::Relaxed));
}
