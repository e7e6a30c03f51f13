//! Recordings, artifacts and their downloads.

use serde_json::{Value, json};
use world::plugnmeet::FakePlugNmeet;

use crate::recorded::{assert_same, assert_same_shape, call, client, create, exchange, get, read};
use crate::{DEADLINE, fast};

/// The recorded meeting's room with a recording, a transcript, analytics and a summary; its sid.
async fn meeting(fake: &FakePlugNmeet) -> String {
    let sid = create(fake, "mm-7c1e4k9q2xw8", None).await;
    fake.join(&sid, "Ana", "ana").unwrap();
    fake.end_room(&sid);
    fake.wait_for("the end", DEADLINE, |fake| fake.room(&sid).unwrap().ended)
        .await;
    fake.finish_recording(&sid).unwrap();
    fake.make_transcript(&sid, "1\n").unwrap();
    fake.make_analytics(&sid).unwrap();
    fake.make_summary(&sid, "<h3>Decisions</h3>").unwrap();
    sid
}

async fn ask(fake: &FakePlugNmeet, path: &str, body: Value) -> Value {
    call(fake, path, &body.to_string()).await.json()
}

#[tokio::test]
async fn fetches_have_the_recorded_shape() {
    let fake = fast().await;
    let sid = meeting(&fake).await;
    for name in [
        "recording-fetch",
        "recording-fetch-by-room",
        "artifact-fetch",
        "artifact-fetch-bad-type",
        "artifact-fetch-by-type",
        "artifact-fetch-by-type-number",
    ] {
        let mut recorded = exchange(&format!("api-{name}"));
        recorded.replace("0fa90880-1b6f-4928-a5d2-bb5d27bc7f7a", &sid);
        assert_same_shape(&recorded.answer, &recorded.send(&fake).await.body, name);
    }
    assert_eq!(
        fake.unexpected().take().len(),
        1,
        "an unknown type is no filter, and noted"
    );
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let fake = fast().await;
    let sid = meeting(&fake).await;
    let page = json!({"room_sid": sid, "from": 1, "limit": 2, "order_by": "ASC"});
    let answer = ask(&fake, "/auth/artifact/fetch", page).await;
    let kinds: Vec<&str> = answer["result"]["artifacts_list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["SPEECH_TRANSCRIPTION_USAGE", "MEETING_ANALYTICS"]);
    assert_eq!(answer["result"]["total_artifacts"], "5");
    let none = call(&fake, "/auth/artifact/fetch", r#"{"room_sid":"x"}"#)
        .await
        .body;
    assert_eq!(
        none,
        r#"{"status":false,"msg":"no artifact found","status_code":"NOT_FOUND"}"#
    );
    let none = call(&fake, "/auth/recording/fetch", r#"{"room_ids":["x"]}"#)
        .await
        .body;
    assert_eq!(
        none,
        r#"{"status":false,"msg":"no recording found","status_code":"NOT_FOUND"}"#
    );
}

#[tokio::test]
async fn refused_download_tokens_get_the_recorded_answer() {
    let fake = fast().await;
    for name in [
        "recording-token-missing",
        "recording-token-unknown",
        "artifact-token-unknown",
    ] {
        assert_same(&fake, &format!("api-{name}")).await;
    }
    let sid = meeting(&fake).await;
    let all = ask(
        &fake,
        "/auth/artifact/fetch",
        json!({"room_sid": sid, "type": 5}),
    )
    .await;
    let id = &all["result"]["artifacts_list"][0]["artifact_id"];
    let refused = ask(
        &fake,
        "/auth/artifact/getDownloadToken",
        json!({"artifact_id": id}),
    )
    .await;
    let recorded = exchange("api-artifact-token-speech_transcription_usage");
    assert_eq!(refused, recorded.json());
}

async fn artifact_token(fake: &FakePlugNmeet, kind: &str) -> String {
    let all = ask(fake, "/auth/artifact/fetch", json!({"type": kind})).await;
    let id = &all["result"]["artifacts_list"][0]["artifact_id"];
    let answer = ask(
        fake,
        "/auth/artifact/getDownloadToken",
        json!({"artifact_id": id}),
    )
    .await;
    answer["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn artifacts_download_with_their_recorded_types_and_contents() {
    let fake = fast().await;
    meeting(&fake).await;
    for (kind, content_type, content) in [
        (
            "MEETING_SUMMARY",
            "text/plain; charset=utf-8",
            "Meeting Summary for: mm-7c1e4k9q2xw8\n\n---\n\n<h3>Decisions</h3>",
        ),
        (
            "SPEECH_TRANSCRIPTION",
            "text/vtt",
            "WEBVTT\n\nNOTE Transcription for meeting: mm-7c1e4k9q2xw8\n\n1\n",
        ),
        ("MEETING_ANALYTICS", "application/json", ""),
    ] {
        let token = artifact_token(&fake, kind).await;
        let file = get(&format!("{}/download/artifact/{token}", fake.url())).await;
        assert_eq!(
            (file.status, file.content_type.as_str()),
            (200, content_type)
        );
        if kind == "MEETING_ANALYTICS" {
            assert_eq!(file.json()["room"]["room_total_users"], "1");
        } else {
            assert_eq!(file.body, content);
        }
        let wrong_store = get(&format!("{}/download/recording/{token}", fake.url())).await;
        assert_eq!(
            (wrong_store.status, wrong_store.body.as_str()),
            (404, "file not found")
        );
    }
}

#[tokio::test]
async fn recordings_download_whole_and_a_head_tells_their_size() {
    let fake = fast().await;
    let sid = meeting(&fake).await;
    let all = ask(&fake, "/auth/recording/fetch", json!({"room_sid": sid})).await;
    let id = &all["result"]["recordings_list"][0]["record_id"];
    let token = ask(
        &fake,
        "/auth/recording/getDownloadToken",
        json!({"record_id": id}),
    )
    .await;
    let url = format!(
        "{}/download/recording/{}",
        fake.url(),
        token["token"].as_str().unwrap()
    );
    let ranged = client()
        .get(&url)
        .header("Range", "bytes=0-9")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (ranged.status().as_u16(), &ranged.headers()["content-type"]),
        (200, &"video/mp4".parse().unwrap())
    );
    assert_eq!(ranged.bytes().await.unwrap().len(), 1024);
    let head = client().head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "1024");
    let name = format!("attachment; filename={}.mp4", id.as_str().unwrap());
    assert_eq!(head.headers()["content-disposition"], name.as_str());
}

#[tokio::test]
async fn a_download_hook_redirects_to_a_storage_that_wants_its_signature() {
    let fake = fast().await;
    meeting(&fake).await;
    fake.redirect_downloads(Some(&format!("{}/storage/", fake.url())));
    let token = artifact_token(&fake, "MEETING_SUMMARY").await;
    let reply = client()
        .get(format!("{}/download/artifact/{token}", fake.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 307);
    let location = reply.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        location.ends_with("?X-Signature=CANARY-presigned")
            && reply.bytes().await.unwrap().is_empty()
    );
    assert!(get(&location).await.body.starts_with("Meeting Summary for"));
    assert_eq!(get(location.split('?').next().unwrap()).await.status, 403);
}

#[tokio::test]
async fn bad_download_tokens_get_the_recorded_answer() {
    let fake = fast().await;
    for (name, back_to) in [
        ("garbage-token", None),
        ("expired", Some(1_795_246_026)),
        ("missing-file", Some(1_795_246_026)),
        ("no-sub", Some(1_795_246_026)),
        ("traversal", Some(1_795_246_026)),
        ("with-join-token", Some(1_795_246_026)),
    ] {
        let recorded = exchange(&format!("api-download-{name}"));
        let path = match back_to {
            Some(then) => moved(&recorded.path, then, &fake.options().api_secret),
            None => recorded.path.clone(),
        };
        let reply = read(
            client()
                .get(format!("{}{path}", fake.url()))
                .send()
                .await
                .unwrap(),
        )
        .await;
        let wanted = (
            recorded.status,
            recorded.content_type(),
            recorded.answer.as_str(),
        );
        assert_eq!(
            (
                reply.status,
                reply.content_type.as_str(),
                reply.body.as_str()
            ),
            wanted,
            "{name}"
        );
    }
}

/// The recorded token signed again as if `then` were now.
fn moved(path: &str, then: i64, secret: &str) -> String {
    use base64::Engine;
    let (base, token) = path.rsplit_once('/').unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let mut claims: Value = serde_json::from_slice(&payload).unwrap();
    let now = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap();
    for key in ["exp", "nbf"] {
        claims[key] = (claims[key].as_i64().unwrap() - then + now).into();
    }
    let token = world::plugnmeet::sign(secret, &claims);
    format!("{base}/{token}")
}

#[tokio::test]
async fn a_recording_told_again_has_a_new_event_id_and_a_failed_one_no_file() {
    let fake = fast().await;
    let receiver = crate::receiver::Receiver::start(Vec::new()).await;
    create(&fake, "mm-rec", Some(receiver.url())).await;
    let record_id = fake.finish_recording("mm-rec").unwrap();
    fake.settle_webhooks(DEADLINE).await;
    assert!(fake.announce_recording(&record_id));
    let failed = fake
        .fail_recording("mm-rec", "ffmpeg died: exit status 1")
        .unwrap();
    assert_ne!(record_id, failed);
    fake.settle_webhooks(DEADLINE).await;
    let told: Vec<Value> = receiver
        .all()
        .iter()
        .map(|one| serde_json::from_str(&one.body).unwrap())
        .collect();
    let proceeded: Vec<&Value> = told
        .iter()
        .filter(|event| event["event"] == "recording_proceeded")
        .collect();
    assert_eq!(proceeded.len(), 2);
    assert_ne!(proceeded[0]["id"], proceeded[1]["id"]);
    let last = told
        .iter()
        .rfind(|event| event["event"] == "recording_transcoding_finished")
        .unwrap();
    assert_eq!(
        last["recording_info"]["recorder_msg"],
        "ffmpeg died: exit status 1"
    );
    let all = ask(
        &fake,
        "/auth/recording/fetch",
        json!({"room_ids": ["mm-rec"]}),
    )
    .await;
    assert_eq!(all["result"]["total_recordings"], "1");
}
