//! Stops, back ends that are down, and sessions that never end
//! (src/plugnmeet/README.md, "Back ends that are down" and "Sessions that never end").

use std::time::Duration;

use serde_json::{Value, json};
use world::plugnmeet::{Backend, FakePlugNmeet, Options, Phase};

use crate::receiver::Receiver;
use crate::recorded::{assert_same, call, create, get, request};
use crate::{DEADLINE, fast, start};

/// Long enough to be stopped while ending, on a busy machine too.
async fn slow_to_end() -> FakePlugNmeet {
    start(Options {
        end_delay: Duration::from_secs(3),
        ..Options::default()
    })
    .await
}

async fn ask(fake: &FakePlugNmeet, verb: &str, room_id: &str) -> Value {
    call(
        fake,
        &format!("/auth/room/{verb}"),
        &json!({"room_id": room_id}).to_string(),
    )
    .await
    .json()
}

#[tokio::test]
async fn a_stopped_server_refuses_connections_and_comes_back_with_its_rooms() {
    let fake = fast().await;
    let sid = create(&fake, "mm-x1", None).await;
    fake.stop().await;
    let refused = request(&fake, "/auth/room/isRoomActive", "{}")
        .send()
        .await
        .unwrap_err();
    assert!(refused.is_connect(), "{refused}");
    fake.resume().await.unwrap();
    assert_same(&fake, "api-active-created").await;
    assert_eq!(create(&fake, "mm-x1", None).await, sid);
}

#[tokio::test]
async fn a_stop_while_ending_leaves_a_session_that_a_second_end_ends() {
    let fake = slow_to_end().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-k9", Some(receiver.url())).await;
    assert_eq!(ask(&fake, "endRoom", "mm-k9").await["status"], true);
    fake.stop().await;
    fake.resume().await.unwrap();
    assert_eq!(
        ask(&fake, "isRoomActive", "mm-k9").await["status_code"],
        "ROOM_NOT_ACTIVE"
    );
    assert_same(&fake, "api-end-after-killed-end").await;
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-k9").unwrap().ended
    })
    .await;
    fake.settle_webhooks(DEADLINE).await;
    assert!(receiver.events().contains(&"session_ended".to_owned()));
}

#[tokio::test]
async fn a_create_after_a_stop_while_ending_revives_the_same_sid() {
    let fake = slow_to_end().await;
    let sid = create(&fake, "mm-k5", None).await;
    fake.end_room("mm-k5");
    fake.stop().await;
    fake.resume().await.unwrap();
    assert_eq!(create(&fake, "mm-k5", None).await, sid);
    assert_eq!(fake.room(&sid).unwrap().phase, Phase::Running);
}

#[tokio::test]
async fn a_room_lost_in_nats_gets_a_new_sid_and_the_old_one_never_ends() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    let old = create(&fake, "mm-lost", Some(receiver.url())).await;
    assert!(fake.lose_room_state("mm-lost"));
    let lookup = ask(&fake, "isRoomActive", "mm-lost").await;
    assert_eq!(
        (&lookup["status"], &lookup["is_active"]),
        (&true.into(), &false.into())
    );
    let new = create(&fake, "mm-lost", Some(receiver.url())).await;
    assert_ne!(old, new);
    assert_eq!(fake.room(&old).unwrap().phase, Phase::Replaced);
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(receiver.events(), ["room_created", "room_created"]);
}

#[tokio::test]
async fn a_room_lost_in_nats_ends_with_empty_metadata() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-natsloss2", Some(receiver.url())).await;
    fake.lose_room_state("mm-natsloss2");
    assert_same(&fake, "api-end-after-nats-loss").await;
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-natsloss2").unwrap().ended
    })
    .await;
    fake.settle_webhooks(DEADLINE).await;
    let (_, recorded) = crate::recorded::webhook("webhook-other-session_ended-empty-metadata");
    crate::recorded::assert_same_shape(
        &recorded,
        &receiver.one("session_ended").body,
        "session_ended",
    );
    let body: Value = serde_json::from_str(&receiver.one("session_ended").body).unwrap();
    assert_eq!(body["room"]["metadata"], "");
}

#[tokio::test]
async fn without_the_database_calls_answer_as_recorded() {
    let fake = fast().await;
    create(&fake, "mm-race", None).await;
    create(&fake, "mm-perf-s45", None).await;
    fake.set_down(Backend::Database, true);
    for call in [
        "active-info",
        "artifact-fetch",
        "create",
        "create-existing",
        "end",
        "end-unknown",
        "healthcheck",
        "is-active",
        "is-active-unknown",
        "recording-fetch",
        "recording-token",
    ] {
        assert_same(&fake, &format!("api-down-mysql-{call}")).await;
    }
    let minted = crate::recorded::exchange("api-down-mysql-token")
        .send(&fake)
        .await;
    assert_eq!(minted.json()["status"], true);
    fake.set_down(Backend::Database, false);
    assert_eq!(
        get(&format!("{}/healthCheck", fake.url())).await.body,
        "Healthy"
    );
}

#[tokio::test]
async fn without_nats_calls_answer_as_recorded() {
    let fake = fast().await;
    for room in ["mm-live1", "mm-natsout", "mm-perf-s46"] {
        create(&fake, room, None).await;
    }
    fake.set_down(Backend::Nats, true);
    for call in [
        "create",
        "create-existing",
        "end",
        "end-live",
        "healthcheck",
        "is-active",
        "is-active-unknown",
        "token",
        "token-unknown",
    ] {
        assert_same(&fake, &format!("api-down-nats-{call}")).await;
    }
    fake.forget_cache();
    let lookup = ask(&fake, "isRoomActive", "mm-live1").await;
    assert_eq!(
        (&lookup["status"], &lookup["is_active"]),
        (&false.into(), &false.into()),
        "no proof of an end"
    );
}

#[tokio::test]
async fn a_create_after_a_failed_one_answers_the_first_attempts_title() {
    let fake = fast().await;
    fake.set_down(Backend::Nats, true);
    assert_same(&fake, "api-down-nats-create").await;
    fake.set_down(Backend::Nats, false);
    let recorded = crate::recorded::exchange("api-create-existing-after-nats-outage");
    let reply = recorded.send(&fake).await.json();
    assert_eq!(
        reply["room_info"]["room_title"],
        recorded.json()["room_info"]["room_title"]
    );
    assert!(
        reply["room_info"]["metadata"]
            .as_str()
            .unwrap()
            .contains("Second try")
    );
}

#[tokio::test]
async fn without_redis_calls_answer_as_recorded() {
    let fake = fast().await;
    create(&fake, "mm-k5", None).await;
    fake.set_down(Backend::Redis, true);
    for call in ["create", "end", "end-unknown", "is-active"] {
        assert_same(&fake, &format!("api-down-redis-{call}")).await;
    }
}

#[tokio::test]
async fn an_emptied_redis_silences_running_rooms_and_no_later_ones() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-mute", Some(receiver.url())).await;
    fake.settle_webhooks(DEADLINE).await;
    fake.lose_redis().await.unwrap();
    fake.join("mm-mute", "Ana", "u-ana").unwrap();
    assert_eq!(
        ask(&fake, "isRoomActive", "mm-mute").await["is_active"],
        true
    );
    assert!(fake.end_room("mm-mute"));
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-mute").unwrap().ended
    })
    .await;
    create(&fake, "mm-loud", Some(receiver.url())).await;
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(receiver.events(), ["room_created", "room_created"]);
}

#[tokio::test]
async fn a_stop_right_after_an_end_leaves_a_session_that_a_second_end_ends() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-cut", Some(receiver.url())).await;
    fake.settle_webhooks(DEADLINE).await;
    fake.lose_next_end();
    assert_eq!(ask(&fake, "endRoom", "mm-cut").await["status"], true);
    assert_eq!(
        ask(&fake, "isRoomActive", "mm-cut").await["status_code"],
        "ROOM_NOT_ACTIVE"
    );
    assert_eq!(ask(&fake, "endRoom", "mm-cut").await["status"], true);
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-cut").unwrap().ended
    })
    .await;
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(receiver.events(), ["room_created", "session_ended"]);
}

#[tokio::test]
async fn a_killed_livekit_empties_a_room_that_stays_active() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-media", Some(receiver.url())).await;
    fake.join("mm-media", "Ana", "u-ana").unwrap();
    assert!(fake.lose_livekit("mm-media"));
    assert_eq!(
        ask(&fake, "isRoomActive", "mm-media").await["is_active"],
        true
    );
    assert!(!fake.sweep_empty_room("mm-media"), "its time is not over");
    fake.skew_clock(3600);
    assert!(fake.sweep_empty_room("mm-media"));
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-media").unwrap().ended
    })
    .await;
    fake.settle_webhooks(DEADLINE).await;
    let events = receiver.events();
    assert_eq!(events.last().map(String::as_str), Some("session_ended"));
    assert!(!events.iter().any(|event| event == "participant_left"));
    assert!(!events.iter().any(|event| event == "room_finished"));
}
