//! Every recorded create, token, lookup and end that the model covers.

use serde_json::{Value, json};

use crate::recorded::{assert_same, assert_same_shape, call, create, exchange};
use crate::{DEADLINE, fast, start};
use world::plugnmeet::Options;

/// Creates that are refused, whatever rooms there are.
const REFUSED_CREATES: &[&str] = &[
    "401-bad-signature",
    "401-no-key",
    "401-no-signature",
    "401-signature-uppercase",
    "401-wrong-key",
    "bad-room-id",
    "bool-as-string",
    "broken-json",
    "empty-body",
    "empty-object",
    "empty-room-id",
    "empty-timeout-0",
    "extra-data-number",
    "extra-data-string",
    "internal-field",
    "max-participants-0",
    "no-features",
    "no-metadata",
    "no-title",
    "reserved-pattern",
    "reserved-prefix",
    "room-id-65",
    "summary-is-enabled",
    "title-256",
    "title-number",
    "webhook-url-empty",
    "webhook-url-relative",
    "webhook-url-too-long",
];

#[tokio::test]
async fn refused_creates_get_the_recorded_answer() {
    let fake = fast().await;
    for name in REFUSED_CREATES {
        assert_same(&fake, &format!("api-create-{name}")).await;
    }
    assert_eq!(fake.rooms().len(), 0);
}

#[tokio::test]
async fn wrong_paths_and_methods_are_not_found_and_noted() {
    let fake = fast().await;
    assert_same(&fake, "api-wrong-path").await;
    assert_same(&fake, "api-wrong-method").await;
    assert_eq!(fake.unexpected().take().len(), 2);
}

#[tokio::test]
async fn successful_creates_answer_with_the_recorded_room_and_metadata() {
    for name in [
        "minimal",
        "full",
        "camel-case",
        "nulls",
        "numbers-as-strings",
        "switch-off",
        "unknown-fields",
        "empty-timeout-60",
        "room-id-64",
        "e2ee",
        "e2ee-self",
        "sip-pin",
    ] {
        let dial_in = name == "sip-pin";
        let fake = start(Options {
            canaries: false,
            dial_in,
            ..Options::default()
        })
        .await;
        let recorded = exchange(&format!("api-create-{name}"));
        let reply = recorded.send(&fake).await;
        assert_same_shape(&recorded.answer, &reply.body, name);
        assert_eq!(
            comparable(&reply.json()),
            comparable(&recorded.json()),
            "{name}"
        );
    }
}

/// The answer with everything left out that differs from run to run, or with the server's configuration of SIP.
fn comparable(answer: &Value) -> (Value, Value) {
    let mut answer = answer.clone();
    let metadata = answer["room_info"]["metadata"].take();
    let mut metadata: Value = serde_json::from_str(metadata.as_str().unwrap()).unwrap();
    for key in ["sid", "creation_time"] {
        answer["room_info"][key].take();
    }
    for key in ["started_at", "metadata_id"] {
        metadata[key].take();
    }
    metadata["room_features"]["sip_dial_in_features"].take();
    let encryption = &mut metadata["room_features"]["end_to_end_encryption_features"];
    if encryption.get("encryption_key").is_some() {
        encryption["encryption_key"].take();
    }
    (answer, metadata)
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_noted() {
    let fake = fast().await;
    exchange("api-create-unknown-fields").send(&fake).await;
    let noted = fake.unexpected().take().join("\n");
    for path in [
        "colour",
        "metadata.room_features.allow_teleport",
        "metadata.zzz",
    ] {
        assert!(noted.contains(path), "{noted}");
    }
}

#[tokio::test]
async fn creating_a_live_room_again_answers_the_first_session() {
    let fake = fast().await;
    let first = exchange("api-create-full").send(&fake).await;
    let again = exchange("api-create-again-other-values").send(&fake).await;
    assert_eq!(first.body, again.body);
    assert_eq!(
        comparable(&again.json()),
        comparable(&exchange("api-create-again-other-values").json())
    );
    assert_eq!(fake.rooms().len(), 1);
}

#[tokio::test]
async fn concurrent_creates_make_one_session() {
    let fake = fast().await;
    let body = r#"{"room_id":"mm-many","metadata":{"room_title":"T","room_features":{}}}"#;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let fake = fake.clone();
        calls.spawn(async move { call(&fake, "/auth/room/create", body).await.body });
    }
    let answers: std::collections::BTreeSet<String> = calls.join_all().await.into_iter().collect();
    assert_eq!((answers.len(), fake.rooms().len()), (1, 1));
    fake.unexpected().assert_none();
}

#[tokio::test]
async fn refused_tokens_get_the_recorded_answer() {
    let fake = fast().await;
    assert_same(&fake, "api-token-before-create").await;
    create(&fake, "mm-x1", None).await;
    for name in [
        "bad-user-id",
        "empty-name",
        "empty-profile-pic",
        "empty-user-id",
        "internal-field",
        "no-user-id",
        "no-user-info",
        "reserved-name",
        "reserved-suffix",
        "reserved-user-id",
        "reserved-user-prefix",
    ] {
        assert_same(&fake, &format!("api-token-{name}")).await;
    }
    create(&fake, "mm-block2", None).await;
    fake.block("mm-block2", "bad2");
    assert_same(&fake, "api-token-blocked").await;
    assert_same(&fake, "api-token-blocked-admin").await;
}

#[tokio::test]
async fn join_tokens_have_the_recorded_claims() {
    let fake = fast().await;
    create(&fake, "mm-7c1e4k9q2xw8", None).await;
    for name in ["user", "admin-metadata", "recorder-bot"] {
        let recorded = exchange(&format!("api-token-{name}"));
        let reply = recorded.send(&fake).await;
        assert_same_shape(&recorded.answer, &reply.body, name);
        let (ours, theirs) = (claims(&reply.json()), claims(&recorded.json()));
        let life =
            |claims: &Value| claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap();
        assert_eq!((life(&ours), life(&theirs)), (600, 600), "{name}");
        assert_eq!(timeless(ours), timeless(theirs), "{name}");
    }
    fake.unexpected().assert_none();
}

fn claims(answer: &Value) -> Value {
    use base64::Engine;
    let token = answer["token"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(payload)
            .unwrap(),
    )
    .unwrap()
}

fn timeless(mut claims: Value) -> Value {
    for key in ["exp", "nbf"] {
        claims[key].take();
    }
    claims
}

#[tokio::test]
async fn own_user_ids_are_made_when_the_room_says_so() {
    let fake = fast().await;
    let features = json!({"auto_gen_user_id": true});
    let body = json!({"room_id": "mm-autogen2", "metadata": {"room_title": "T", "room_features": features}});
    call(&fake, "/auth/room/create", &body.to_string()).await;
    for name in ["api-token-autogen", "api-token-autogen-no-user-id"] {
        let claims = claims(&exchange(name).send(&fake).await.json());
        let user_id = claims["user_id"].as_str().unwrap();
        assert_eq!(
            (user_id.len(), claims["sub"].as_str().unwrap()),
            (36, user_id),
            "{name}"
        );
    }
}

#[tokio::test]
async fn lookups_and_ends_get_the_recorded_answers_in_every_phase() {
    let fake = fast().await;
    for name in [
        "api-active-unknown",
        "api-active-empty",
        "api-end-unknown",
        "api-active-info-unknown",
    ] {
        assert_same(&fake, name).await;
    }
    create(&fake, "mm-x1", None).await;
    assert_same(&fake, "api-active-created").await;
    assert_same(&fake, "api-active-other-case").await;
    let room = "mm-7c1e4k9q2xw8";
    create(&fake, room, None).await;
    assert_same(&fake, "api-active-live").await;
    assert_same(&fake, "api-end-active").await;
    // Waits for the end in progress, then says that there is nothing to end.
    assert_same(&fake, "api-end-again-at-once").await;
    for name in [
        "api-active-ended",
        "api-active-info-ended",
        "api-end-already-ended",
        "api-token-after-end",
    ] {
        assert_same(&fake, name).await;
    }
}

#[tokio::test]
async fn an_ending_room_is_not_active_and_gives_no_tokens() {
    let end_delay = DEADLINE * 2;
    let fake = start(Options {
        end_delay,
        ..Options::default()
    })
    .await;
    create(&fake, "mm-a1", None).await;
    assert_same(&fake, "api-end-user-stays").await;
    assert_same(&fake, "api-active-ending").await;
    assert_same(&fake, "api-token-while-ending").await;
}

#[tokio::test]
async fn a_create_waits_for_the_end_and_makes_a_new_session() {
    let fake = fast().await;
    let first = create(&fake, "mm-rude", None).await;
    assert!(fake.end_room("mm-rude"));
    let reply = exchange("api-create-while-ending").send(&fake).await.json();
    assert_eq!(reply["status"], true);
    assert_ne!(reply["room_info"]["sid"], json!(first));
    assert!(fake.room(&first).unwrap().ended.is_some());
}

#[tokio::test]
async fn active_room_info_answers_as_recorded_and_is_noted() {
    let fake = fast().await;
    exchange("api-create-minimal").send(&fake).await;
    fake.join("mm-a1", "Ana", "u1").unwrap();
    let recorded = exchange("api-active-info");
    let reply = recorded.send(&fake).await;
    let (ours, theirs) = (
        reply.json()["room"]["room_info"].to_string(),
        recorded.json()["room"]["room_info"].to_string(),
    );
    assert_same_shape(&theirs, &ours, "room_info");
    let person = |answer: &Value| {
        let mut person = answer["room"]["participants_info"][0].clone();
        person["tracks"] = json!([]);
        person["metadata"] = json!("");
        person.to_string()
    };
    assert_same_shape(
        &person(&recorded.json()),
        &person(&reply.json()),
        "participants_info",
    );
    assert!(fake.unexpected().take()[0].contains("getActiveRoomInfo"));
}

#[tokio::test]
async fn a_faulty_answer_comes_once_and_a_cut_comes_before_or_after_the_work() {
    use world::Fault;
    let fake = fast().await;
    let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
    fake.faults().next(
        "room.create",
        1,
        Fault::Answer {
            status: 503,
            body: "busy".into(),
            headers,
        },
    );
    let body = r#"{"room_id":"mm-f","metadata":{"room_title":"T","room_features":{}}}"#;
    let reply = call(&fake, "/auth/room/create", body).await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "busy"));
    fake.faults().next("room", 1, Fault::Drop);
    let cut = crate::recorded::request(&fake, "/auth/room/create", body)
        .send()
        .await;
    assert!(cut.is_err() && fake.rooms().is_empty());
    fake.faults().next("room.create", 1, Fault::DropAfter);
    assert!(
        crate::recorded::request(&fake, "/auth/room/create", body)
            .send()
            .await
            .is_err()
    );
    assert_eq!(fake.rooms().len(), 1);
    fake.wait_for("three requests", DEADLINE, |fake| {
        (fake.count("room.create") == 3).then_some(())
    })
    .await;
    assert_eq!(call(&fake, "/auth/room/create", body).await.status, 200);
}
