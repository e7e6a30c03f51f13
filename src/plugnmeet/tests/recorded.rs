//! Every recorded answer to a call that the relay makes, with the class that it must get.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::http::stub::{Recorded, class};

async fn class_of(file: &str) -> String {
    let path = format!("plugnmeet/recorded/{file}.http");
    let replies = (0..12).map(|_| StubReply::recorded(&path)).collect();
    let bench = bench(replies).await;
    let client = &bench.client;
    let line = Recorded::read(&path).request[0].clone();
    let id: ArtifactId = "4ce5cedd-a732-4dc4-8cbf-03bbe5d9141c".parse().unwrap();
    let ok = || "ok".to_owned();
    if line.contains("/room/create") || line.contains("/auth/nosuch") {
        class(client.create_room(new_room()).await, |_| ok())
    } else if line.contains("getJoinToken") {
        class(client.join_address(&room(), joiner()).await, |_| ok())
    } else if line.contains("isRoomActive") {
        class(client.room_activity(&room()).await, |it| format!("{it:?}"))
    } else if line.contains("endRoom") {
        class(client.end_room(&room()).await, |it| format!("{it:?}"))
    } else if line.contains("artifact/fetch") {
        class(
            client
                .fetch_all(&"s".parse().unwrap(), &artifacts::ARTIFACTS)
                .await,
            |_| ok(),
        )
    } else if line.contains("recording/fetch") {
        class(
            client
                .fetch_all(&"s".parse().unwrap(), &artifacts::RECORDINGS)
                .await,
            |_| ok(),
        )
    } else if line.contains("artifact/getDownloadToken") {
        class(
            client.download_address(&id, ArtifactKind::Summary).await,
            |_| ok(),
        )
    } else if line.contains("recording/getDownloadToken") {
        class(
            client.download_address(&id, ArtifactKind::Recording).await,
            |_| ok(),
        )
    } else if line.contains("GET /download/") {
        let address = bench.stub.url.join("/download/artifact/x").unwrap();
        class(client.download(address).await, |_| ok())
    } else {
        panic!("{file}: no call for {line}")
    }
}

/// File (without `api-`) and class.
const CLASSES: &[(&str, &str)] = &[
    ("active-created", "Active"),
    ("active-live", "Active"),
    ("active-empty", "Refused"),
    ("active-ended", "Ended"),
    ("active-ending", "Ended"),
    ("active-other-case", "Ended"),
    ("active-unknown", "Ended"),
    ("down-mysql-is-active", "Active"),
    ("down-mysql-is-active-unknown", "Ended"),
    ("down-nats-is-active", "Active"),
    ("down-nats-is-active-unknown", "Internal"),
    ("down-redis-is-active", "Active"),
    ("artifact-fetch", "ok"),
    ("artifact-fetch-bad-type", "ok"),
    ("artifact-fetch-by-type", "ok"),
    ("artifact-fetch-by-type-number", "ok"),
    ("artifact-fetch-page", "ok"),
    ("down-mysql-artifact-fetch", "Internal"),
    ("recording-fetch", "ok"),
    ("recording-fetch-by-room", "ok"),
    ("down-mysql-recording-fetch", "Internal"),
    ("artifact-token-ai_text_chat_interaction_usage", "Refused"),
    ("artifact-token-chat_translation_usage", "Refused"),
    ("artifact-token-speech_transcription_usage", "Refused"),
    ("artifact-token-meeting_analytics", "ok"),
    ("artifact-token-meeting_summary", "ok"),
    ("artifact-token-speech_transcription", "ok"),
    ("artifact-token-unknown", "NotFound"),
    ("recording-token", "ok"),
    ("recording-token-missing", "Refused"),
    ("recording-token-unknown", "NotFound"),
    ("down-mysql-recording-token", "Internal"),
    ("create-401-bad-signature", "Unauthorized"),
    ("create-401-no-key", "Unauthorized"),
    ("create-401-no-signature", "Unauthorized"),
    ("create-401-protobuf", "Unauthorized"),
    ("create-401-signature-uppercase", "Unauthorized"),
    ("create-401-wrong-key", "Unauthorized"),
    ("create-500-panic", "Unavailable"),
    ("create-after-db-row-ended", "ok"),
    ("create-after-killed-end", "Internal"),
    ("create-after-killed-end-2", "ok"),
    // The room was created for the meeting 01JH…, which is not the one of this test.
    ("create-again-other-values", "Refused"),
    ("create-full", "Refused"),
    ("create-bad-room-id", "Refused"),
    ("create-bool-as-string", "Refused"),
    ("create-broken-json", "Refused"),
    ("create-camel-case", "ok"),
    ("create-e2ee", "ok"),
    ("create-e2ee-self", "ok"),
    ("create-empty-body", "Refused"),
    ("create-empty-object", "Refused"),
    ("create-empty-room-id", "Refused"),
    ("create-empty-timeout-0", "Refused"),
    ("create-empty-timeout-60", "ok"),
    ("create-existing-after-nats-outage", "ok"),
    ("create-extra-data-number", "Refused"),
    ("create-extra-data-string", "Refused"),
    ("create-internal-field", "Refused"),
    ("create-max-participants-0", "Refused"),
    ("create-minimal", "ok"),
    ("create-no-features", "Refused"),
    ("create-no-metadata", "Refused"),
    ("create-no-title", "Refused"),
    ("create-nulls", "ok"),
    ("create-numbers-as-strings", "ok"),
    ("create-reserved-pattern", "Refused"),
    ("create-reserved-prefix", "Refused"),
    ("create-room-id-64", "ok"),
    ("create-room-id-65", "Refused"),
    ("create-sip-pin", "ok"),
    ("create-summary-is-enabled", "Refused"),
    ("create-switch-off", "ok"),
    ("create-title-256", "Refused"),
    ("create-title-number", "Refused"),
    ("create-unknown-fields", "ok"),
    ("create-webhook-url-empty", "Refused"),
    ("create-webhook-url-relative", "Refused"),
    ("create-webhook-url-too-long", "Refused"),
    ("create-while-ending", "ok"),
    ("down-mysql-create", "Internal"),
    ("down-mysql-create-existing", "Internal"),
    ("down-nats-create", "Internal"),
    ("down-nats-create-existing", "Internal"),
    ("down-redis-create", "Internal"),
    ("wrong-method", "Refused"),
    ("wrong-path", "Refused"),
    ("end-active", "Ending"),
    ("end-after-killed-end", "Ending"),
    ("end-after-nats-loss", "Ending"),
    ("end-again-at-once", "NotFound"),
    ("end-already-ended", "NotFound"),
    ("end-only-in-db", "Ending"),
    ("end-unknown", "NotFound"),
    ("end-user-stays", "Ending"),
    ("down-mysql-end", "Ending"),
    ("down-mysql-end-unknown", "Internal"),
    ("down-nats-end", "Ending"),
    ("down-nats-end-live", "Ending"),
    ("down-redis-end", "Internal"),
    ("down-redis-end-unknown", "Internal"),
    ("token-admin-metadata", "ok"),
    ("token-after-end", "RoomGone"),
    ("token-autogen", "ok"),
    ("token-autogen-no-user-id", "ok"),
    ("token-bad-user-id", "Refused"),
    ("token-before-create", "RoomGone"),
    ("token-blocked", "Blocked"),
    ("token-blocked-admin", "Blocked"),
    ("token-empty-name", "Refused"),
    ("token-empty-profile-pic", "Refused"),
    ("token-empty-user-id", "Refused"),
    ("token-internal-field", "Refused"),
    ("token-no-user-id", "Refused"),
    ("token-no-user-info", "Refused"),
    ("token-recorder-bot", "ok"),
    ("token-reserved-name", "Refused"),
    ("token-reserved-suffix", "Refused"),
    ("token-reserved-user-id", "Refused"),
    ("token-reserved-user-prefix", "Refused"),
    ("token-user", "ok"),
    ("token-user-online", "ok"),
    ("token-while-ending", "RoomGone"),
    ("down-mysql-token", "ok"),
    ("down-nats-token", "Internal"),
    ("down-nats-token-unknown", "RoomGone"),
    ("down-redis-token", "ok"),
    ("download-analytics", "ok"),
    ("download-artifact-meeting_analytics", "ok"),
    ("download-artifact-meeting_summary", "ok"),
    ("download-artifact-speech_transcription", "ok"),
    ("download-recording", "ok"),
    ("download-recording-range", "ok"),
    ("download-artifact-with-recording-token", "NotFound"),
    ("download-missing-file", "NotFound"),
    ("download-with-join-token", "NotFound"),
    ("download-expired", "Internal"),
    ("download-garbage-token", "Internal"),
    ("download-no-sub", "Refused"),
    ("download-traversal", "Refused"),
    // No host is allowed here.
    ("download-artifact-redirect", "Refused"),
    ("download-recording-redirect", "Refused"),
];

#[tokio::test]
async fn every_recorded_answer_gets_its_class() {
    let mut wrong = Vec::new();
    for (file, expected) in CLASSES {
        let made = class_of(&format!("api-{file}")).await;
        if made != *expected {
            wrong.push(format!("{file}: {made}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Recorded requests that the relay never makes.
const NOT_ASKED: &[&str] = &[
    "/room/getActiveRoomInfo",
    "/room/getActiveRoomsInfo",
    "/room/fetchPastRooms",
    "/room/broadcastToRoom",
    "/artifact/info",
    "/artifact/delete",
    "/recording/info",
    "/recording/recordingInfo",
    "/recording/delete",
    "/recording/updateMetadata",
    "/recording/mergeRecordings",
    "/auth/analytics/",
    "/getClientFiles",
    "/verifyToken",
    "/healthCheck",
    "HEAD /download/",
];

/// Names of the recorded exchanges, without `api-`.
fn exchanges() -> Vec<String> {
    let found: Vec<_> = Recorded::names("plugnmeet/recorded")
        .iter()
        .filter_map(|name| name.strip_prefix("api-")?.strip_suffix(".http"))
        .map(str::to_owned)
        .collect();
    assert!(found.len() >= CLASSES.len(), "{}", found.len());
    found
}

#[test]
fn no_recorded_answer_is_forgotten() {
    for name in exchanges() {
        let line =
            Recorded::read(&format!("plugnmeet/recorded/api-{name}.http")).request[0].clone();
        let is_asked = CLASSES.iter().any(|(file, _)| *file == name);
        let is_not_asked = NOT_ASKED.iter().any(|call| line.contains(call));
        assert!(is_asked != is_not_asked, "{name}: {line}");
    }
}

#[tokio::test]
async fn any_recorded_answer_to_any_call_is_understood_or_refused_and_reveals_no_secret() {
    let id: ArtifactId = "4ce5cedd-a732-4dc4-8cbf-03bbe5d9141c".parse().unwrap();
    let sid: crate::domain::Sid = "s".parse().unwrap();
    let mut wrong = Vec::new();
    for name in exchanges() {
        let path = format!("plugnmeet/recorded/api-{name}.http");
        let bench = bench((0..32).map(|_| StubReply::recorded(&path)).collect()).await;
        let client = &bench.client;
        let address = bench.stub.url.join("/download/artifact/x").unwrap();
        let said = [
            format!("{:?}", client.create_room(new_room()).await),
            format!("{:?}", client.join_address(&room(), joiner()).await),
            format!("{:?}", client.room_activity(&room()).await),
            format!("{:?}", client.end_room(&room()).await),
            format!("{:?}", client.artifacts(&sid).await),
            format!(
                "{:?}",
                client.download_address(&id, ArtifactKind::Recording).await
            ),
            format!("{:?}", client.summary_text(&id).await.map(drop)),
            format!("{:?}", client.download(address).await.map(drop)),
        ];
        let asked = bench.observer.outcomes().len();
        assert!(asked >= said.len(), "{name}: {asked} calls");
        for said in said {
            if said.contains("CANARY") || said.contains("eyJhbGciOi") {
                wrong.push(format!("{name}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn signatures_of_recorded_requests_are_ours() {
    for file in [
        "create-minimal",
        "create-full",
        "token-user",
        "artifact-fetch",
        "active-live",
    ] {
        let recorded = Recorded::read(&format!("plugnmeet/recorded/api-{file}.http"));
        let signature = signature::sign(
            &SecretString::from(SECRET),
            recorded.request_body().as_bytes(),
        );
        let header = format!("HASH-SIGNATURE: {signature}");
        assert!(recorded.request.contains(&header), "{file}");
    }
}
