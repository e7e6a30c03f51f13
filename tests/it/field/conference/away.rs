//! plugNmeet answers, and one of its back ends is away, or it refuses the relay's key.

use serde_json::json;
use world::Fault;
use world::mattermost::Model;
use world::plugnmeet::Backend;

use super::{NO_DEAD_LETTER, Running, lines, until_tried};
use crate::harness::Setup;

/// Far fewer attempts that count than a back end that is away lets fail.
fn few_attempts() -> Setup {
    Setup::default().set("RETRY__ATTEMPTS_MAX", "2")
}

#[tokio::test]
async fn f19_end_while_redis_is_away_happens_when_it_is_back() {
    let running = Running::start(few_attempts()).await;
    let world = &running.world;
    world.conference.set_down(Backend::Redis, true);
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    until_tried(world, "room.end", 5).await;
    running.until(|text| text.contains("being ended")).await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    world.conference.set_down(Backend::Redis, false);
    running.until_over().await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    running.world.finish().await;
}

#[tokio::test]
async fn f19_end_of_a_room_that_only_the_database_knows_waits_for_it() {
    let running = Running::start(few_attempts()).await;
    let world = &running.world;
    assert!(world.conference.lose_room_state(&running.room.room_id));
    world.conference.set_down(Backend::Database, true);
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    until_tried(world, "room.end", 5).await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    world.conference.set_down(Backend::Database, false);
    running.until_over().await;
    running.world.finish().await;
}

#[tokio::test]
async fn f19_refused_key_pauses_an_end_until_it_is_replaced() {
    let mut running = Running::start(few_attempts()).await;
    let right = running.world.conference.options().api_secret.clone();
    let line = |secret: &str| format!("api_secret = {secret:?}");
    let relay = &mut running.world.relay;
    relay.configure(|text| text.replace(&line(&right), &line("another-secret-of-this-server")));
    assert!(relay.reload().await);
    let world = &running.world;
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    until_tried(world, "room.end", 5).await;
    let gauge = "meetrelay_ready{check=\"plugnmeet\"}";
    world.relay.await_metric(&format!("{gauge} 0")).await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    let told = ["\"ERROR\"", "plugnmeet.api_key, plugnmeet.api_secret"];
    assert_eq!(lines(world, &told), 1, "one line, not one for each attempt");
    let refused = world.conference.unexpected().take();
    let is_about_the_key = |complaint: &String| complaint.contains("not authenticated");
    assert!(refused.iter().all(is_about_the_key), "{refused:?}");
    let relay = &mut running.world.relay;
    relay.configure(|text| text.replace(&line("another-secret-of-this-server"), &line(&right)));
    assert!(relay.reload().await);
    running.until_over().await;
    let world = &running.world;
    world.relay.await_metric(&format!("{gauge} 1")).await;
    // Calls that were under way when the key was replaced.
    drop(world.conference.unexpected().take());
    running.world.finish().await;
}

#[tokio::test]
async fn f19_end_that_was_given_up_is_told_and_wanted_again_is_done() {
    let running = Running::start(Setup::default()).await;
    let world = &running.world;
    let body = json!({ "status": false, "msg": "no", "status_code": "PERMISSION_DENIED" });
    let refusal = Fault::Answer {
        status: 200,
        body: body.to_string(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
    };
    world.conference.faults().next("room.end", 2, refusal);
    let end = "/plugnmeet end";
    for times in 1..=2 {
        world.chat.command("ana", "dev", end, None).await;
        let told = |chat: &Model| {
            let said = chat.ephemerals("ana");
            let failed = said
                .iter()
                .filter(|one| one.text.contains("could not be ended and still runs"));
            (failed.count() == times).then_some(())
        };
        world.see("the person to be told", told).await;
        running
            .until(|text| text.contains("Join the meeting") && !text.contains("being ended"))
            .await;
    }
    assert_eq!(world.conference.count("room.end"), 2);
    world.relay.await_metric("meetrelay_dead_letters 1").await;
    world.chat.command("ana", "dev", end, None).await;
    running.until_over().await;
    running.world.finish().await;
}

#[tokio::test]
async fn f19_end_ordered_by_an_operator_is_owed_again() {
    let running = Running::start(Setup::default()).await;
    let world = &running.world;
    let body = json!({ "status": false, "msg": "no", "status_code": "PERMISSION_DENIED" });
    let refusal = Fault::Answer {
        status: 200,
        body: body.to_string(),
        headers: vec![],
    };
    world.conference.faults().next("room.end", 1, refusal);
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    world.relay.await_metric("meetrelay_dead_letters 1").await;
    let listed = world.relay.cli_ok(&["meetings", "list", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let id = listed["meetings"][0]["id"].as_str().unwrap().to_owned();
    world.relay.cli_ok(&["meetings", "end", &id]).await;
    running.until_over().await;
    running.world.finish().await;
}

#[tokio::test]
async fn f20_meet_now_while_a_back_end_is_away_waits_for_it() {
    let world = few_attempts().start().await;
    for (backend, channel) in [
        (Backend::Redis, "dev"),
        (Backend::Database, "weekly"),
        (Backend::Nats, "town-square"),
    ] {
        world.conference.set_down(backend, true);
        world.chat.say("ana", channel, "meet now: patience").await;
        until_tried(&world, "room.create", 4).await;
        let card = world.card(channel, "patience").await;
        world
            .until(&card, |text| text.contains("being prepared"))
            .await;
        world.conference.set_down(backend, false);
        world
            .until(&card, |text| {
                text.contains("Join the meeting") && !text.contains("being prepared")
            })
            .await;
    }
    assert_eq!(world.conference.rooms().len(), 3);
    world.relay.await_metric(NO_DEAD_LETTER).await;
    assert_eq!(
        lines(&world, &["the peer is unavailable"]),
        0,
        "no breaker opened"
    );
    world.finish().await;
}

#[tokio::test]
async fn f20_start_ends_at_its_deadline_with_the_reason() {
    let setup = Setup::default()
        .configured("[[rule]]\nworth = \"10s\"\n")
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000");
    let world = setup.start().await;
    let body = json!({ "status": false, "msg": "no", "status_code": "INVALID_API_KEY" });
    let refusal = Fault::Answer {
        status: 401,
        body: body.to_string(),
        headers: vec![],
    };
    world.conference.faults().set("room.create", refusal);
    let card = world.card_of("ana", "dev", "no key").await;
    world
        .until(&card, |text| text.contains("refuses the relay's API key"))
        .await;
    world.relay.await_metric(NO_DEAD_LETTER).await;
    world.finish().await;
}
