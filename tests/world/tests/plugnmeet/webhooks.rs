//! The bodies and signatures of webhooks against the recorded ones.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};
use world::plugnmeet::{CANARY, FakePlugNmeet, Options};

use crate::receiver::{Received, Receiver};
use crate::recorded::{assert_same_shape, create, exchange, webhook};
use crate::{DEADLINE, fast, start};

/// A whole meeting at the fake, as the recorded one; what the room's URL received.
async fn meeting(fake: &FakePlugNmeet) -> Vec<Received> {
    let receiver = Receiver::start(Vec::new()).await;
    let mut recorded = exchange("api-create-full");
    recorded.replace("http://127.0.0.1:29901/plugnmeet/webhook", receiver.url());
    recorded.send(fake).await;
    let room = "mm-7c1e4k9q2xw8";
    fake.join(room, "Ana Müller", "ana").unwrap();
    fake.set_microphone(room, "ana", true);
    fake.join(room, "Bob <b>@channel</b>", "bob").unwrap();
    fake.join_agent(room).unwrap();
    fake.start_recording(room).unwrap();
    let breakout = fake.breakout(room).unwrap();
    fake.join(&breakout, "Bob <b>@channel</b>", "bob").unwrap();
    fake.leave(room, "bob");
    fake.stop_recording(room, "success").unwrap();
    fake.set_microphone(room, "ana", false);
    fake.end_room(room);
    for room in [room, breakout.as_str()] {
        fake.wait_for("the end", DEADLINE, |fake| fake.room(room).unwrap().ended)
            .await;
    }
    fake.make_transcript(room, "1\n").unwrap();
    fake.finish_recording(room).unwrap();
    fake.make_analytics(room).unwrap();
    fake.make_summary(room, "<p>x</p>").unwrap();
    fake.settle_webhooks(DEADLINE).await;
    receiver.all()
}

/// The recorded event, and which of ours has to look like it: room id and identity tell apart.
const SAME: &[(&str, &str)] = &[
    ("01-room_created", "room_created mm-7c1e4k9q2xw8"),
    ("02-room_started", "room_started mm-7c1e4k9q2xw8"),
    (
        "03-participant_joined",
        "participant_joined mm-7c1e4k9q2xw8 ana",
    ),
    ("04-track_published", "track_published mm-7c1e4k9q2xw8 ana"),
    (
        "05-participant_joined",
        "participant_joined mm-7c1e4k9q2xw8 bob",
    ),
    (
        "06-participant_joined-summary-agent",
        "participant_joined mm-7c1e4k9q2xw8 pnm_agent",
    ),
    (
        "07-participant_joined-recorder-bot",
        "participant_joined mm-7c1e4k9q2xw8 RECORDER_BOT",
    ),
    ("08-start_recording", "start_recording mm-7c1e4k9q2xw8"),
    ("11-breakout-room_created", "room_created mm-7c1e4k9q2xw8-1"),
    (
        "12-breakout-participant_joined",
        "participant_joined mm-7c1e4k9q2xw8-1 bob",
    ),
    ("13-breakout-room_started", "room_started mm-7c1e4k9q2xw8-1"),
    (
        "14-participant_left",
        "participant_left mm-7c1e4k9q2xw8 bob",
    ),
    (
        "15-breakout-participant_left",
        "participant_left mm-7c1e4k9q2xw8-1 bob",
    ),
    ("16-end_recording", "end_recording mm-7c1e4k9q2xw8"),
    (
        "17-participant_left-recorder-bot",
        "participant_left mm-7c1e4k9q2xw8 RECORDER_BOT",
    ),
    (
        "18-track_unpublished",
        "track_unpublished mm-7c1e4k9q2xw8 ana",
    ),
    (
        "19-participant_left",
        "participant_left mm-7c1e4k9q2xw8 ana",
    ),
    ("20-session_ended", "session_ended mm-7c1e4k9q2xw8"),
    (
        "21-participant_left-summary-agent",
        "participant_left mm-7c1e4k9q2xw8 pnm_agent",
    ),
    ("22-room_finished", "room_finished mm-7c1e4k9q2xw8"),
    (
        "23-artifact_created-speech_transcription",
        "artifact_created mm-7c1e4k9q2xw8 SPEECH_TRANSCRIPTION",
    ),
    (
        "24-artifact_created-speech_transcription_usage",
        "artifact_created mm-7c1e4k9q2xw8 SPEECH_TRANSCRIPTION_USAGE",
    ),
    (
        "27-breakout-session_ended",
        "session_ended mm-7c1e4k9q2xw8-1",
    ),
    (
        "28-breakout-room_finished",
        "room_finished mm-7c1e4k9q2xw8-1",
    ),
    (
        "29-recording_proceeded",
        "recording_proceeded mm-7c1e4k9q2xw8",
    ),
    (
        "30-recording_transcoding_finished",
        "recording_transcoding_finished mm-7c1e4k9q2xw8",
    ),
    (
        "33-artifact_created-meeting_analytics",
        "artifact_created mm-7c1e4k9q2xw8 MEETING_ANALYTICS",
    ),
    (
        "34-artifact_created-meeting_summary",
        "artifact_created mm-7c1e4k9q2xw8 MEETING_SUMMARY",
    ),
    (
        "35-artifact_created-meeting_summary_usage",
        "artifact_created mm-7c1e4k9q2xw8 MEETING_SUMMARY_USAGE",
    ),
];

fn title(received: &Received) -> String {
    let body: Value = serde_json::from_str(&received.body).unwrap();
    let mut title = format!(
        "{} {}",
        received.event(),
        body["room"]["room_id"].as_str().unwrap()
    );
    if let Some(identity) = body["participant"]["identity"].as_str() {
        title += &format!(
            " {}",
            if identity.starts_with("pnm_agent") {
                "pnm_agent"
            } else {
                identity
            }
        );
    }
    if let Some(kind) = body["room_artifact"]["type"].as_str() {
        title += &format!(" {kind}");
    }
    title
}

#[tokio::test]
async fn every_event_of_a_meeting_has_the_recorded_shape() {
    let fake = fast().await;
    let received = meeting(&fake).await;
    for (recorded, wanted) in SAME {
        let ours = received
            .iter()
            .find(|one| title(one) == *wanted)
            .unwrap_or_else(|| panic!("no {wanted} came"));
        let (_, body) = webhook(&format!("webhook-{recorded}"));
        assert_same_shape(&body, &ours.body, recorded);
    }
    let ids: std::collections::BTreeSet<String> = received
        .iter()
        .map(|one| serde_json::from_str::<Value>(&one.body).unwrap()["id"].to_string())
        .collect();
    assert_eq!(ids.len(), received.len(), "every event has its own id");
    fake.unexpected().assert_none();
}

#[tokio::test]
async fn requests_carry_the_recorded_headers_and_tokens() {
    let fake = fast().await;
    let received = meeting(&fake).await;
    let (recorded, _) = webhook("webhook-01-room_created");
    for (name, value) in &recorded {
        let ours = received[0].header(name);
        match name.as_str() {
            "host" | "content-length" | "authorization" | "hash-token" => {
                assert!(!ours.is_empty(), "{name}")
            }
            _ => assert_eq!(ours, value, "{name}"),
        }
    }
    for one in &received {
        let token = one.header("authorization");
        assert_eq!(one.header("hash-token"), token);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let secret = fake.options().api_secret.as_bytes();
        let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        let mac = mac.chain_update(signed).finalize().into_bytes();
        assert_eq!(signature, URL_SAFE_NO_PAD.encode(mac));
        let payload = signed.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], fake.options().api_key.as_str());
        assert_eq!(
            claims["sha256"],
            STANDARD.encode(Sha256::digest(&one.body)),
            "{}",
            one.event()
        );
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            300
        );
        assert_eq!(claims["nbf"], claims["iat"]);
        assert_eq!(payload_keys(token), payload_keys(recorded_token(&recorded)));
    }
}

fn recorded_token(headers: &[(String, String)]) -> &str {
    headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .map(|(_, token)| token.as_str())
        .unwrap()
}

/// The names of the claims in their order.
fn payload_keys(token: &str) -> Vec<String> {
    let payload = String::from_utf8(
        URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap(),
    )
    .unwrap();
    payload
        .trim_matches(['{', '}'])
        .split(',')
        .map(|claim| claim.split(':').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn secrets_are_planted_in_events_answers_and_redirects() {
    let fake = start(Options {
        time_scale: 0.02,
        ..Options::default()
    })
    .await;
    let received = meeting(&fake).await;
    let room_created = &received[0].body;
    for secret in [
        "CANARY-stream-key",
        "CANARY-pin-018593",
        "CANARY-encryption-key",
        "CANARY-prompt",
    ] {
        assert!(
            secret.starts_with(CANARY) && room_created.contains(secret),
            "{secret}"
        );
    }
    let summary = received
        .iter()
        .find(|one| title(one).ends_with("MEETING_SUMMARY"))
        .unwrap();
    assert!(summary.body.contains("/srv/CANARY-provider-path/"));
}

#[tokio::test]
async fn the_first_join_starts_the_room_and_events_keep_their_order() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-order", Some(receiver.url())).await;
    fake.join("mm-order", "Ana", "ana").unwrap();
    fake.join("mm-order", "Bob", "bob").unwrap();
    fake.end_room("mm-order");
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-order").unwrap().ended
    })
    .await;
    fake.settle_webhooks(DEADLINE).await;
    let wanted = [
        "room_created",
        "room_started",
        "participant_joined",
        "participant_joined",
        "participant_left",
        "participant_left",
        "session_ended",
        "room_finished",
    ];
    assert_eq!(receiver.events(), wanted);
}

#[tokio::test]
async fn both_urls_get_every_event_with_one_id_global_first() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    fake.configure_webhooks(Some(&format!("{}/global", receiver.url())), true);
    create(&fake, "mm-sameurl", Some(receiver.url())).await;
    fake.settle_webhooks(DEADLINE).await;
    let all = receiver.all();
    let paths: Vec<&str> = all.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/hook/global", "/hook"]);
    assert_eq!(all[0].body, all[1].body);
    fake.configure_webhooks(None, false);
    create(&fake, "mm-none", Some(receiver.url())).await;
    assert_eq!(fake.deliveries().len(), 2, "no URL, no delivery");
}

#[tokio::test]
async fn held_events_are_released_in_any_order_and_doubled() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    fake.hold_webhooks();
    create(&fake, "mm-held", Some(receiver.url())).await;
    fake.join("mm-held", "Ana", "ana").unwrap();
    let held: Vec<String> = fake
        .held_webhooks()
        .into_iter()
        .map(|held| held.event)
        .collect();
    assert_eq!(held, ["room_created", "room_started", "participant_joined"]);
    fake.release_webhooks(&[2, 0, 2]);
    fake.stop_holding_webhooks();
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(
        receiver.events(),
        [
            "participant_joined",
            "room_created",
            "participant_joined",
            "room_started"
        ]
    );
    fake.lose_webhooks("participant", Some(1));
    fake.double_webhooks("participant_left", None);
    fake.join("mm-held", "Bob", "bob").unwrap();
    fake.leave("mm-held", "bob");
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(
        receiver.events()[4..],
        ["participant_left", "participant_left"]
    );
    let id = fake.deliveries().last().unwrap().id.clone();
    assert!(fake.repeat_webhook(&id));
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(receiver.all().last().unwrap().body, receiver.all()[4].body);
}

#[tokio::test]
async fn an_older_server_sends_its_own_content_type() {
    let webhook_content_type = "application/webhook+json".to_owned();
    let fake = start(Options {
        webhook_content_type,
        ..Options::default()
    })
    .await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-old", Some(receiver.url())).await;
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(
        receiver.one("room_created").header("content-type"),
        "application/webhook+json"
    );
}

#[tokio::test]
async fn an_event_of_the_future_is_sent_as_told() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    let sid = create(&fake, "mm-raw", Some(receiver.url())).await;
    assert!(fake.send_raw_event(
        &sid,
        "hologram_started",
        &[("hologram", r#"{"id":7}"#.to_owned())]
    ));
    fake.settle_webhooks(DEADLINE).await;
    let body: Value = serde_json::from_str(&receiver.one("hologram_started").body).unwrap();
    assert_eq!(
        (&body["hologram"]["id"], &body["room"]["room_id"]),
        (&7.into(), &"mm-raw".into())
    );
}

#[tokio::test]
async fn a_skewed_clock_shows_in_tokens() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    fake.skew_clock(-600);
    create(&fake, "mm-skew", Some(receiver.url())).await;
    fake.settle_webhooks(DEADLINE).await;
    let token = receiver
        .one("room_created")
        .header("authorization")
        .to_owned();
    let payload = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let ago = now - claims["iat"].as_u64().unwrap();
    assert!((598..=605).contains(&ago), "{ago}");
}
