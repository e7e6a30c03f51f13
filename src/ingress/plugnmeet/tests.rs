#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod any;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};
use proptest::prelude::*;
use secrecy::SecretString;

use super::{Webhook, facts};
use crate::domain::{ArtifactKind, EndSaid, Fact, ServerName, Timestamp};
use crate::ingress::observe::Ignored;
use crate::ingress::tests::{
    NOW, Notes, Sink, Storage, event_sink, post, recorded, recorded_inbound, vectors, vectors_in,
};
use crate::ingress::verify::WebhookKey;
use crate::log_throttle::LogThrottle;

const SECRET: &str = "zumyyYWqv7KR2kUqvYdq4z4sXg7XTBD2ljT6";

struct WebhookBench {
    route: Webhook,
    sink: Arc<Sink>,
    notes: Arc<Notes>,
}

fn bench(storage: Storage) -> WebhookBench {
    let (sink, notes) = (Sink::new(storage), Arc::new(Notes::default()));
    let route = Webhook {
        key: WebhookKey::new("plugnmeet", &SecretString::from(SECRET), &[]),
        server: ServerName::default_server(),
        sink: event_sink(&sink, &notes),
        observer: notes.clone(),
        unverified: LogThrottle::default(),
        stale: LogThrottle::default(),
    };
    WebhookBench { route, sink, notes }
}

fn parsed(body: &str) -> facts::WebhookContent {
    facts::read(body.as_bytes(), NOW).unwrap_or_else(|_| panic!("no event: {body}"))
}

fn fact(body: &str) -> Fact {
    parsed(body)
        .fact
        .unwrap_or_else(|why| panic!("{why:?}: {body}"))
}

/// One line for each event of one recorded meeting.
fn lines(names: &[String]) -> String {
    let mut lines = String::new();
    for name in names {
        let body = if name.ends_with(".http") {
            recorded(name).3
        } else {
            std::fs::read(vectors().join(name)).unwrap().into()
        };
        let short = name.rsplit('/').next().unwrap().split('.').next().unwrap();
        let Ok(content) = facts::read(&body, NOW) else {
            panic!("{name} is not an event");
        };
        let said = match &content.fact {
            Ok(fact) => {
                let more = match fact {
                    Fact::ArtifactCreated { kind, .. } => kind.as_str(),
                    Fact::RecordingSwitched { on: true, .. } => "on",
                    Fact::RecordingSwitched { on: false, .. } => "off",
                    Fact::SessionEnded {
                        said: EndSaid::RoomFinished,
                        ..
                    } => "by LiveKit",
                    _ => "",
                };
                let breakout = fact.session().unwrap().breakout_of.is_some();
                let breakout = if breakout { "in a breakout room" } else { "" };
                let words = [fact.kind(), more, breakout];
                words
                    .iter()
                    .filter(|word| !word.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Err(why) => format!("- {}", why.as_str()),
        };
        lines.push_str(&format!("{short}: {said}\n"));
    }
    lines
}

#[test]
fn every_recorded_webhook_becomes_its_fact() {
    let names: Vec<_> = vectors_in("plugnmeet/recorded", "webhook-")
        .into_iter()
        .filter(|name| !name.contains("redirect"))
        .collect();
    insta::assert_snapshot!(lines(&names), @r"
    webhook-01-room_created: session_seen
    webhook-02-room_started: session_seen
    webhook-03-participant_joined: person_joined
    webhook-04-track_published: - no_use
    webhook-05-participant_joined: person_joined
    webhook-06-participant_joined-summary-agent: person_joined
    webhook-07-participant_joined-recorder-bot: person_joined
    webhook-08-start_recording: recording_switched on
    webhook-09-start_rtmp: - no_use
    webhook-10-end_rtmp: - no_use
    webhook-11-breakout-room_created: session_seen in a breakout room
    webhook-12-breakout-participant_joined: person_joined in a breakout room
    webhook-13-breakout-room_started: session_seen in a breakout room
    webhook-14-participant_left: person_left
    webhook-15-breakout-participant_left: person_left in a breakout room
    webhook-16-end_recording: recording_switched off
    webhook-17-participant_left-recorder-bot: person_left
    webhook-18-track_unpublished: - no_use
    webhook-19-participant_left: person_left
    webhook-20-session_ended: session_ended
    webhook-21-participant_left-summary-agent: person_left
    webhook-22-room_finished: session_ended by LiveKit
    webhook-23-artifact_created-speech_transcription: artifact_created transcript
    webhook-24-artifact_created-speech_transcription_usage: - no_use
    webhook-25-artifact_created-chat_translation_usage: - no_use
    webhook-26-artifact_created-ai_text_chat_interaction_usage: - no_use
    webhook-27-breakout-session_ended: session_ended in a breakout room
    webhook-28-breakout-room_finished: session_ended by LiveKit in a breakout room
    webhook-29-recording_proceeded: artifact_created recording
    webhook-30-recording_transcoding_finished: - no_use
    webhook-31-recording_proceeded-notified-again: artifact_created recording
    webhook-32-recording_transcoding_finished-failed: - no_use
    webhook-33-artifact_created-meeting_analytics: artifact_created analytics
    webhook-34-artifact_created-meeting_summary: artifact_created summary
    webhook-35-artifact_created-meeting_summary_usage: - no_use
    webhook-other-end_recording-failed: recording_switched off
    webhook-other-retry-503-attempt-1: session_seen
    webhook-other-retry-503-attempt-2: session_seen
    webhook-other-retry-503-attempt-3: session_seen
    webhook-other-room_created-e2ee-key: session_seen
    webhook-other-room_created-sip-pin: session_seen
    webhook-other-same-url-twice-1: session_seen
    webhook-other-same-url-twice-2: session_seen
    webhook-other-session_ended-empty-metadata: session_ended
    webhook-other-session_ended-nobody-joined: session_ended
    ");
}

#[test]
fn every_constructed_event_becomes_its_fact() {
    insta::assert_snapshot!(lines(&vectors_in("plugnmeet/events", "")), @r"
    01-room_created: session_seen
    02-room_started: session_seen
    03-participant_joined: person_joined
    04-participant_joined-recorder-bot: person_joined
    05-start_recording: recording_switched on
    06-track_published: - no_use
    07-participant_left: person_left
    08-end_recording: recording_switched off
    09-session_ended: session_ended
    10-room_finished: session_ended by LiveKit
    11-artifact-speech_transcription: artifact_created transcript
    12-artifact-transcription_usage: - no_use
    13-artifact-meeting_analytics: artifact_created analytics
    14-analytics_proceeded: - no_use
    15-recording_proceeded: artifact_created recording
    16-recording_transcoding_finished: - no_use
    17-artifact-meeting_summary: artifact_created summary
    18-artifact-summary_usage: - no_use
    20-breakout-room_created: session_seen in a breakout room
    21-breakout-session_ended: session_ended in a breakout room
    90-future-event: - no_use
    ");
}

#[tokio::test]
async fn recorded_webhook_is_accepted_as_it_came_and_counted() {
    let bench = bench(Storage::Works);
    let mut inbound = recorded_inbound("plugnmeet/recorded/webhook-20-session_ended.http");
    let event: serde_json::Value = serde_json::from_slice(inbound.body.as_ref().unwrap()).unwrap();
    let said = event["created_at"].as_str().unwrap().parse().unwrap();
    inbound.received_at = Timestamp::from_seconds(said);
    let id = inbound.id;
    let answer = bench.route.answer(inbound).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.body().is_empty());
    let events = bench.sink.take();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].id, id);
    assert_eq!(events[0].origin.source, "plugnmeet:default");
    assert_eq!(
        events[0].origin.key,
        format!("event:{}", event["id"].as_str().unwrap())
    );
    let Fact::SessionEnded {
        session,
        said: by,
        ended_at,
    } = &events[0].fact
    else {
        panic!("{:?}", events[0].fact);
    };
    assert_eq!(
        (*by, *ended_at),
        (EndSaid::SessionEnded, Timestamp::from_seconds(said))
    );
    assert_eq!(session.sid.as_str(), event["room"]["sid"]);
    assert!(session.created_at.is_some());
    assert_eq!(bench.notes.take(), ["received session_ended accepted"]);
}

#[tokio::test]
async fn secrets_and_canaries_of_any_event_reach_neither_event_nor_debug_output() {
    let mut secrets = vec!["CANARY".to_owned()];
    let mut facts = String::new();
    let names = vectors_in("plugnmeet/events", "")
        .into_iter()
        .chain(vectors_in("plugnmeet/recorded", "webhook-"));
    for name in names {
        let body = if name.ends_with(".http") {
            recorded(&name).3
        } else {
            std::fs::read(vectors().join(&name)).unwrap().into()
        };
        let Ok(content) = facts::read(&body, NOW) else {
            assert!(name.contains("redirect"), "{name}");
            continue;
        };
        let text = String::from_utf8(body.to_vec()).unwrap();
        for key in [
            "encryption_key",
            "pin",
            "stream_key",
            "file_name",
            "file_path",
        ] {
            let quoted = format!("{key}\\\":\\\"");
            secrets.extend(
                text.split(&quoted)
                    .skip(1)
                    .map(|rest| rest.split('\\').next().unwrap().to_owned()),
            );
        }
        if let Ok(fact) = &content.fact {
            facts.push_str(&serde_json::to_string(fact).unwrap());
            facts.push_str(&format!("{fact:?} {}", content.event_id));
        }
    }
    secrets.retain(|secret| secret.len() >= 4);
    assert!(secrets.len() > 3, "{secrets:?}");
    for secret in &secrets {
        assert!(!facts.contains(secret), "{secret} leaks");
    }
}

#[tokio::test]
async fn wrong_calls_are_answered_with_their_status_and_counted() {
    let body = recorded("plugnmeet/recorded/webhook-22-room_finished.http");
    let good = || {
        let mut inbound = recorded_inbound("plugnmeet/recorded/webhook-22-room_finished.http");
        let event: serde_json::Value = serde_json::from_slice(&body.3).unwrap();
        let said = event["created_at"].as_str().unwrap().parse().unwrap();
        inbound.received_at = Timestamp::from_seconds(said);
        inbound
    };
    let bench = bench(Storage::Works);
    let mut cases = Vec::new();
    let mut inbound = good();
    inbound.method = Method::GET;
    cases.push((inbound, 405, ""));
    let mut inbound = good();
    inbound
        .headers
        .insert("content-type", HeaderValue::from_static("text/plain"));
    cases.push((inbound, 415, "unsupported_media"));
    let mut inbound = good();
    inbound
        .headers
        .append("content-type", HeaderValue::from_static("application/json"));
    cases.push((inbound, 415, "unsupported_media"));
    let mut inbound = good();
    inbound
        .headers
        .insert("content-encoding", HeaderValue::from_static("gzip"));
    cases.push((inbound, 415, "unsupported_media"));
    let mut inbound = good();
    inbound.headers.remove("authorization");
    inbound.headers.remove("hash-token");
    cases.push((inbound, 401, "bad_signature"));
    let mut inbound = good();
    inbound.received_at = NOW.plus(std::time::Duration::from_secs(86_400));
    cases.push((inbound, 401, "stale"));
    let mut inbound = good();
    inbound.body = Err(crate::ingress::inbound::Unread::TooLarge);
    cases.push((inbound, 413, "too_large"));
    let mut inbound = good();
    inbound.body = Err(crate::ingress::inbound::Unread::Broken);
    cases.push((inbound, 400, "malformed"));
    for (inbound, status, reason) in cases {
        let answer = bench.route.answer(inbound).await;
        assert_eq!(answer.status().as_u16(), status, "{reason}");
        let expected = match reason {
            "" => Vec::new(),
            reason => vec![format!("rejected plugnmeet {reason}")],
        };
        assert_eq!(bench.notes.take(), expected, "{reason}");
    }
    for content_type in [
        "application/webhook+json",
        "application/JSON; charset=utf-8",
    ] {
        let mut inbound = good();
        inbound
            .headers
            .insert("content-type", HeaderValue::from_str(content_type).unwrap());
        assert_eq!(bench.route.answer(inbound).await.status(), StatusCode::OK);
    }
    assert_eq!(bench.sink.take().len(), 2);
    let answer = bench.route.answer(post("application/json", "{}")).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body(), "unauthorized\n");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_in_time_is_answered_503_with_retry_after() {
    for storage in [Storage::Fails, Storage::Hangs] {
        let bench = bench(storage);
        let mut inbound = recorded_inbound("plugnmeet/recorded/webhook-20-session_ended.http");
        let event: serde_json::Value =
            serde_json::from_slice(inbound.body.as_ref().unwrap()).unwrap();
        let said = event["created_at"].as_str().unwrap().parse().unwrap();
        inbound.received_at = Timestamp::from_seconds(said);
        let (id, began) = (inbound.id, tokio::time::Instant::now());
        let answer = bench.route.answer(inbound).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert!(String::from_utf8_lossy(answer.body()).contains(&id.to_string()));
        assert!(began.elapsed() <= std::time::Duration::from_millis(901));
        assert_eq!(
            bench.notes.take(),
            [
                "received session_ended rejected",
                "rejected plugnmeet backpressure"
            ]
        );
    }
}

#[test]
fn integers_come_as_texts_or_numbers_and_enums_by_name_or_number() {
    let plain = r#"{"event":"room_created","id":"e1","created_at":"1795245855","room":{"sid":"s-1","room_id":"mm-a","creation_time":"1795245850"}}"#;
    let numbers = plain
        .replace("\"1795245855\"", "1795245855")
        .replace("\"1795245850\"", "1795245850.0");
    assert_eq!(fact(plain), fact(&numbers));
    for (kind, expected) in [
        ("\"MEETING_SUMMARY\"", Some(ArtifactKind::Summary)),
        ("2", Some(ArtifactKind::Summary)),
        ("1", Some(ArtifactKind::Analytics)),
        ("\"SPEECH_TRANSCRIPTION\"", Some(ArtifactKind::Transcript)),
        ("4", Some(ArtifactKind::Transcript)),
        ("3", None),
        ("\"MEETING_SUMMARY_USAGE\"", None),
        ("\"SOMETHING_NEW\"", None),
        ("null", None),
    ] {
        let body = format!(
            r#"{{"event":"artifact_created","id":"e","room":{{"sid":"s"}},"room_artifact":{{"type":{kind},"artifact_id":"a-1"}}}}"#
        );
        match (parsed(&body).fact, expected) {
            (Ok(Fact::ArtifactCreated { kind, .. }), Some(expected)) => assert_eq!(kind, expected),
            (Err(why), None) => assert_eq!(why, Ignored::NoUse),
            (other, _) => panic!("{kind}: {other:?}"),
        }
    }
}

#[test]
fn missing_event_id_is_made_of_the_body_and_the_same_body_makes_the_same() {
    let body = r#"{"event":"room_created","room":{"sid":"s-1"}}"#;
    assert!(parsed(body).event_id.starts_with("sha256-"));
    assert_eq!(parsed(body).event_id, parsed(body).event_id);
    let other = body.replace("s-1", "s-2");
    assert_ne!(parsed(body).event_id, parsed(&other).event_id);
    let hostile = r#"{"event":"room_created","id":"a\nb","room":{"sid":"s-1"}}"#;
    assert!(parsed(hostile).event_id.starts_with("sha256-"));
}

#[test]
fn unknown_events_and_fields_are_let_pass_whatever_they_hold() {
    for body in [
        r#"{"event":"room_teleported","room":[1,2],"created_at":{}}"#,
        r#"{"event":"track_published","room":"?"}"#,
        r"{}",
    ] {
        assert_eq!(parsed(body).fact.err(), Some(Ignored::NoUse), "{body}");
    }
    for body in ["", "[]", "null", "{", "\"room_created\""] {
        assert!(facts::read(body.as_bytes(), NOW).is_err(), "{body}");
    }
}

#[test]
fn what_cannot_be_an_identifier_is_ignored() {
    for body in [
        r#"{"event":"room_created","room":{"room_id":"mm-a"}}"#,
        r#"{"event":"room_created","room":{"sid":"a b"}}"#,
        r#"{"event":"room_created","room":{"sid":"s","room_id":"@all"}}"#,
        r#"{"event":"participant_joined","room":{"sid":"s"},"participant":{"sid":"p"}}"#,
        &format!(
            r#"{{"event":"room_created","room":{{"sid":"{}"}}}}"#,
            "s".repeat(129)
        ),
    ] {
        assert_eq!(parsed(body).fact.err(), Some(Ignored::BadId), "{body}");
    }
}

#[test]
fn failed_start_of_a_recording_is_no_start() {
    let body = |message: &str| {
        format!(
            r#"{{"event":"start_recording","room":{{"sid":"s"}},"recording_info":{{"record_id":"r"{message}}}}}"#
        )
    };
    for (message, expected) in [
        (r#","recorder_msg":"success""#, true),
        ("", true),
        (r#","recorder_msg":"no recorder available""#, false),
    ] {
        let Fact::RecordingSwitched { on, .. } = fact(&body(message)) else {
            panic!("no switch");
        };
        assert_eq!(on, expected, "{message}");
    }
}

#[test]
fn names_are_cleaned_and_cut() {
    let long = "x".repeat(500);
    for (given, expected) in [
        ("Ana\\u0000\\n Müller ", "Ana Müller"),
        (long.as_str(), &long[..100]),
        ("", ""),
    ] {
        let body = format!(
            r#"{{"event":"participant_left","room":{{"sid":"s"}},"participant":{{"sid":"p","identity":"i","name":"{given}"}}}}"#
        );
        let Fact::PersonLeft { name, .. } = fact(&body) else {
            panic!("nobody left");
        };
        assert_eq!(name, expected);
    }
}

#[test]
fn creation_time_is_taken_from_plugnmeets_own_events_alone() {
    let mut by_event = BTreeMap::new();
    for event in [
        "room_created",
        "room_started",
        "room_finished",
        "session_ended",
    ] {
        let body = format!(
            r#"{{"event":"{event}","created_at":"20","room":{{"sid":"s","creation_time":"10"}}}}"#
        );
        by_event.insert(event, fact(&body).session().unwrap().created_at);
    }
    let ten = Some(Timestamp::from_seconds(10));
    assert_eq!(
        by_event.into_values().collect::<Vec<_>>(),
        [ten, None, None, ten]
    );
    let zero =
        r#"{"event":"room_created","created_at":"20","room":{"sid":"s","creation_time":"0"}}"#;
    assert_eq!(fact(zero).session().unwrap().created_at, None);
}
