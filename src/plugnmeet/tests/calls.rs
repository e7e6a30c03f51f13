//! The requests that are sent, and answers that are not in the recordings.
#![allow(clippy::unwrap_used, reason = "tests")]

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::domain::Timestamp;
use crate::http::CallOutcome;

#[tokio::test]
async fn create_sends_every_feature_and_signs_the_exact_bytes() {
    let bench = bench(vec![StubReply::recorded(
        "plugnmeet/recorded/api-create-minimal.http",
    )])
    .await;
    let created = bench.client.create_room(new_room()).await.unwrap();
    assert_eq!(created.sid.as_str(), "73549549-68d0-4bfd-9aa2-0833a129552a");
    assert_eq!(
        created.created_at,
        Timestamp::from_millis(1_795_246_575_000)
    );

    let seen = bench.stub.only();
    assert_eq!(seen.line(), "POST /auth/room/create");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("content-encoding"), None);
    assert_eq!(seen.header("api-key"), Some("plugnmeet"));
    let signature = signature::sign(&SecretString::from(SECRET), &seen.body);
    assert_eq!(seen.header("hash-signature"), Some(signature.as_str()));
    insta::assert_json_snapshot!(seen.json(), @r#"
    {
      "metadata": {
        "default_lock_settings": {},
        "extra_data": {
          "relay_meeting_id": "018f3c1e-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
        },
        "logout_url": "https://mm.example.org/eng/channels/town-square",
        "room_features": {
          "admin_only_webcams": false,
          "allow_raise_hand": true,
          "allow_reactions": true,
          "allow_screen_share": true,
          "allow_view_other_users_list": true,
          "allow_view_other_webcams": true,
          "allow_virtual_bg": true,
          "allow_webcams": true,
          "auto_gen_user_id": false,
          "breakout_room_features": {
            "is_allow": true
          },
          "chat_features": {
            "is_allow": true,
            "is_allow_file_upload": true
          },
          "display_external_link_features": {
            "is_allow": true
          },
          "enable_analytics": true,
          "end_to_end_encryption_features": {
            "is_enabled": false
          },
          "external_broadcasting_features": {
            "is_allow": true,
            "is_allow_rtmp": true
          },
          "external_media_player_features": {
            "is_allow": true
          },
          "ingress_features": {
            "is_allow": true
          },
          "insights_features": {
            "ai_features": {
              "ai_text_chat_features": {
                "is_allow": true
              },
              "is_allow": true,
              "meeting_summarization_features": {
                "is_allow": true
              }
            },
            "chat_translation_features": {
              "is_allow": true
            },
            "is_allow": true,
            "transcription_features": {
              "is_allow": true
            }
          },
          "mute_on_start": false,
          "polls_features": {
            "is_allow": true
          },
          "recording_features": {
            "enable_auto_cloud_recording": false,
            "is_allow": true,
            "is_allow_cloud": true,
            "is_allow_local": true
          },
          "shared_note_pad_features": {
            "is_allow": true
          },
          "sip_dial_in_features": {
            "is_allow": true
          },
          "waiting_room_features": {
            "is_active": false
          },
          "whiteboard_features": {
            "is_allow": true
          }
        },
        "room_title": "Stand-up – Équipe",
        "webhook_url": "https://relay.example.org/plugnmeet/webhook"
      },
      "room_id": "mm-7c1e4k9q2xw8"
    }
    "#);
    assert_eq!(
        bench.observer.outcomes(),
        [(Operation::CreateRoom, CallOutcome::Success)]
    );
}

#[tokio::test]
async fn create_sends_what_is_configured_and_nothing_empty() {
    let reply = StubReply::recorded("plugnmeet/recorded/api-create-minimal.http");
    let bench = bench_with(vec![reply], |settings| {
        settings.room = serde_json::from_value(json!({
            "empty_timeout_seconds": 900, "max_participants": 50, "duration_minutes": 60,
            "welcome_message": "Hi", "mute_on_start": true, "waiting_room": true,
            "waiting_room_message": "Please wait", "auto_cloud_recording": true,
            "summary": false, "ai_text_chat": false,
            "locks": { "microphone": false, "screen_sharing": false },
        }))
        .unwrap();
    })
    .await;
    let mut room = new_room();
    room.logout_url = None;
    bench.client.create_room(room).await.unwrap();
    let body = bench.stub.only().json();
    assert_eq!(body["empty_timeout"], 900);
    assert_eq!(body["max_participants"], 50);
    let metadata = &body["metadata"];
    assert_eq!(metadata["welcome_message"], "Hi");
    assert_eq!(metadata.get("logout_url"), None);
    let locks = json!({ "lock_microphone": false, "lock_screen_sharing": false });
    assert_eq!(metadata["default_lock_settings"], locks);
    let features = &metadata["room_features"];
    assert_eq!(features["room_duration"], 60);
    assert_eq!(features["mute_on_start"], true);
    let waiting = json!({ "is_active": true, "waiting_room_msg": "Please wait" });
    assert_eq!(features["waiting_room_features"], waiting);
    assert_eq!(
        features["recording_features"]["enable_auto_cloud_recording"],
        true
    );
    assert_eq!(features["insights_features"]["is_allow"], true);
    assert_eq!(
        features["insights_features"]["ai_features"]["is_allow"],
        false
    );
}

#[tokio::test]
async fn create_refuses_before_asking_what_plugnmeet_would_call_an_internal_error() {
    let bench = bench(vec![]).await;
    for id in ["user_1", "MM-A", "mm.a", "mm-a-FIELD_", &"m".repeat(57)] {
        let room = NewRoom {
            room: id.parse().unwrap(),
            ..new_room()
        };
        let refused = bench.client.create_room(room).await;
        assert!(
            matches!(refused, Err(ConferenceError::Refused { .. })),
            "{id}"
        );
    }
    let title = " \0".to_owned();
    let refused = bench
        .client
        .create_room(NewRoom {
            title,
            ..new_room()
        })
        .await;
    assert!(matches!(refused, Err(ConferenceError::Refused { .. })));
    assert!(bench.stub.seen().is_empty());
}

#[tokio::test]
async fn a_long_title_is_cut_by_characters() {
    let bench = bench(vec![StubReply::recorded(
        "plugnmeet/recorded/api-create-minimal.http",
    )])
    .await;
    let title = "é".repeat(400);
    bench
        .client
        .create_room(NewRoom {
            title,
            ..new_room()
        })
        .await
        .unwrap();
    let sent = bench.stub.only().json()["metadata"]["room_title"].clone();
    assert_eq!(sent, "é".repeat(255));
}

#[tokio::test]
async fn a_room_that_exists_for_another_meeting_is_refused_and_for_ours_taken() {
    let of = |owner: String| {
        let metadata = json!({ "extra_data": { "relay_meeting_id": owner } }).to_string();
        StubReply::json(
            200,
            &json!({ "status": true, "msg": "success", "room_info": {
                "sid": "s-1", "creation_time": 1_795_246_575, "metadata": metadata,
            }}),
        )
    };
    let bench = bench(vec![of("another".to_owned()), of(meeting().to_string())]).await;
    let other = bench.client.create_room(new_room()).await;
    assert!(
        matches!(other, Err(ConferenceError::Refused { .. })),
        "{other:?}"
    );
    let ours = bench.client.create_room(new_room()).await.unwrap();
    assert_eq!(ours.sid.as_str(), "s-1");
}

#[tokio::test]
async fn joining_asks_for_a_token_and_returns_the_address_below_the_external_path() {
    let bench = bench(vec![StubReply::recorded(
        "plugnmeet/recorded/api-token-user.http",
    )])
    .await;
    let address = bench.client.join_address(&room(), joiner()).await.unwrap();
    let address = address.expose_secret();
    assert!(
        address.starts_with("https://meet.example.org/pnm/?access_token=eyJ"),
        "{address}"
    );
    let seen = bench.stub.only();
    assert_eq!(seen.line(), "POST /auth/room/getJoinToken");
    let user =
        json!({ "name": "Ana Müller", "user_id": "fy79m36rwf8a5jnquphm6j7ify", "is_admin": true });
    assert_eq!(
        seen.json(),
        json!({ "room_id": "mm-7c1e4k9q2xw8", "user_info": user })
    );
}

#[tokio::test]
async fn a_token_that_is_not_allowed_in_a_url_is_not_accepted() {
    for token in [
        json!(""),
        json!("a&b=c"),
        json!("x".repeat(5000)),
        json!(7),
        Value::Null,
    ] {
        let reply = StubReply::json(200, &json!({ "status": true, "token": token }));
        let result = bench(vec![reply])
            .await
            .client
            .join_address(&room(), joiner())
            .await;
        assert!(
            matches!(result, Err(ConferenceError::Unreachable { .. })),
            "{token}"
        );
    }
}

/// An answer with this body results in an error of that class.
async fn assert_refused_as(class: &str, body: &Value) {
    let result = bench(vec![StubReply::json(200, body)])
        .await
        .client
        .join_address(&room(), joiner())
        .await;
    assert!(
        format!("{:?}", result.unwrap_err()).starts_with(class),
        "{body}"
    );
}

#[tokio::test]
async fn failures_of_servers_without_codes_are_recognized_by_their_text() {
    let cases = [
        ("room is not active", "RoomGone"),
        ("this user is blocked to join this session", "Blocked"),
        ("validation error: room_id: value is required", "Refused"),
        ("something else", "Internal"),
    ];
    for (msg, class) in cases {
        for code in [
            json!({}),
            json!({ "status_code": "UNKNOWN_STATUS" }),
            json!({ "status_code": 0 }),
        ] {
            let mut body = json!({ "status": false, "msg": msg });
            body.as_object_mut()
                .unwrap()
                .extend(code.as_object().unwrap().clone());
            assert_refused_as(class, &body).await;
        }
    }
}

#[tokio::test]
async fn codes_are_understood_as_numbers_too() {
    for (code, class) in [
        (3, "NotFound"),
        (6, "Unauthorized"),
        (7, "Internal"),
        (8, "Refused"),
        (10, "RoomGone"),
        (12, "Blocked"),
        (14, "RoomGone"),
        (99, "Internal"),
    ] {
        let body = json!({ "status": false, "msg": "x", "status_code": code });
        assert_refused_as(class, &body).await;
    }
}

#[tokio::test]
async fn only_status_true_and_is_active_false_proves_an_end() {
    for body in [
        json!({ "status": true }),
        json!({ "status": true, "is_active": "false" }),
        json!({ "status": false, "is_active": false, "status_code": "ROOM_NOT_FOUND", "msg": "room not found" }),
        json!({ "status": false, "is_active": false, "status_code": "NOT_FOUND", "msg": "x" }),
        json!({ "status": false, "is_active": false }),
        json!({ "is_active": false }),
        json!([]),
    ] {
        let result = bench(vec![StubReply::json(200, &body)])
            .await
            .client
            .room_activity(&room())
            .await;
        assert!(
            matches!(
                result,
                Err(ConferenceError::Internal { .. }
                    | ConferenceError::Unreachable { .. }
                    | ConferenceError::Unavailable { .. })
            ),
            "{body}: {result:?}"
        );
    }
}

#[tokio::test]
async fn http_failures_keep_their_class_and_their_hint() {
    let with = |status, body: &str| StubReply::new(status, &[("Retry-After", "9")], body);
    let after = Some(Duration::from_secs(9));
    for status in [429, 500, 502, 503, 504] {
        let result = bench(vec![with(status, "down")])
            .await
            .client
            .room_activity(&room())
            .await;
        let expected = ConferenceError::Unavailable {
            why: format!("HTTP {status}"),
            after,
        };
        assert_eq!(result, Err(expected));
    }
    let proxy = bench(vec![with(404, "<html>no backend</html>")]).await;
    let result = proxy.client.end_room(&room()).await;
    assert!(
        matches!(result, Err(ConferenceError::Unavailable { .. })),
        "{result:?}"
    );
    let closed = bench(vec![]).await;
    let result = closed.client.room_activity(&room()).await;
    assert!(
        matches!(result, Err(ConferenceError::Unreachable { .. })),
        "{result:?}"
    );
    assert_eq!(
        closed.observer.outcomes(),
        [(Operation::Ask, CallOutcome::Unreachable)]
    );
}

#[tokio::test]
async fn every_call_and_outcome_has_its_label_in_metrics() {
    let refused = |code| {
        StubReply::json(
            200,
            &json!({ "status": false, "msg": "", "status_code": code }),
        )
    };
    let bench = bench(vec![
        StubReply::recorded("plugnmeet/recorded/api-create-401-wrong-key.http"),
        refused("INTERNAL_SERVER_ERROR"),
        refused("USER_BLOCKED"),
        StubReply::new(503, &[], ""),
    ])
    .await;
    bench.client.create_room(new_room()).await.unwrap_err();
    bench.client.end_room(&room()).await.unwrap_err();
    let joined = bench.client.join_address(&room(), joiner()).await;
    joined.unwrap_err();
    bench.client.room_activity(&room()).await.unwrap_err();
    assert_eq!(
        bench.observer.outcomes(),
        [
            (Operation::CreateRoom, CallOutcome::Unauthorized),
            (Operation::EndRoom, CallOutcome::ServerError),
            (Operation::MintToken, CallOutcome::Refused),
            (Operation::Ask, CallOutcome::ServerError),
        ]
    );
}

#[tokio::test]
async fn what_the_log_gets_is_bounded_and_holds_no_token() {
    let msg = format!("bad eyJhbGciOiJIUzI1NiJ9.e30.x {}", "long ".repeat(10_000));
    let body = json!({ "status": false, "msg": msg, "status_code": "INTERNAL_SERVER_ERROR" });
    let result = bench(vec![StubReply::json(200, &body)])
        .await
        .client
        .room_activity(&room())
        .await;
    let Err(ConferenceError::Internal { why }) = result else {
        panic!("{result:?}");
    };
    assert!(
        why.starts_with("INTERNAL_SERVER_ERROR: bad [redacted] long"),
        "{why}"
    );
    assert!(why.chars().count() <= 300);
}

#[test]
fn settings_that_cannot_work_are_named() {
    let http = Http::new(HttpSettings::default(), Arc::new(crate::http::Unobserved)).unwrap();
    let settings = PlugNmeetSettings {
        url: "http://plugnmeet:8080".parse().unwrap(),
        external_url: "https://meet.example.org".parse().unwrap(),
        api_key: "plugnmeet".to_owned(),
        api_secret: SecretString::from(SECRET),
        webhook_url: "https://relay.example.org/plugnmeet/webhook"
            .parse()
            .unwrap(),
        download_hosts: Vec::new(),
        room: RoomSettings::default(),
    };
    let key = |change: &dyn Fn(&mut PlugNmeetSettings)| {
        let mut changed = settings.clone();
        change(&mut changed);
        PlugNmeet::new(changed, http.clone())
            .err()
            .map(|bad| bad.key)
    };
    assert_eq!(key(&|_| {}), None);
    assert_eq!(key(&|s| s.url = "ftp://x/".parse().unwrap()), Some("url"));
    let with_user = "https://u:p@x/";
    assert_eq!(
        key(&|s| s.external_url = with_user.parse().unwrap()),
        Some("external_url")
    );
    let long = format!("https://x/{}", "a".repeat(250));
    assert_eq!(
        key(&|s| s.webhook_url = long.parse().unwrap()),
        Some("webhook_url")
    );
    assert_eq!(key(&|s| s.api_key = "a\nb".to_owned()), Some("api_key"));
    assert!(!format!("{settings:?}").contains(SECRET));
}

#[tokio::test]
async fn calls_are_signed_with_the_present_secret_only() {
    let alive = || StubReply::json(200, &serde_json::json!({"status": true, "is_active": true}));
    let bench = bench(vec![alive(), alive()]).await;
    bench.client.room_activity(&room()).await.unwrap();
    let next = ApiKeys::new("another", SecretString::from("new-secret")).unwrap();
    bench.client.replace_keys(next);
    bench.client.room_activity(&room()).await.unwrap();
    let seen = bench.stub.seen();
    for (seen, key, secret) in [
        (&seen[0], "plugnmeet", SECRET),
        (&seen[1], "another", "new-secret"),
    ] {
        let signature = signature::sign(&SecretString::from(secret), &seen.body);
        assert_eq!(seen.header("api-key"), Some(key));
        assert_eq!(seen.header("hash-signature"), Some(signature.as_str()));
    }
}
