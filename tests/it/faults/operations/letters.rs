//! Dead letters by the hand of people (O5).

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{PATIENCE, Setup, World};

/// Waits until so many meetings have a letter: one may have several, of several versions of its card.
async fn until_buried(world: &World, meetings: usize) -> Vec<Value> {
    let what = format!("{meetings} meetings with dead letters");
    let letters = world.relay.eventually(&what, async || {
        let letters = world.relay.dead_letters().await;
        let of = letters
            .iter()
            .map(|letter| letter["meeting_id"].to_string());
        let of: BTreeSet<String> = of.collect();
        (of.len() == meetings).then_some(letters)
    });
    letters.await
}

/// Replays until nothing is left: a later version of a card may be given up while the first is replayed.
async fn replay_all(world: &World) {
    for _ in 0..20 {
        let output = world
            .relay
            .cli(&["dead-letters", "replay", "--all", "--yes"])
            .await;
        assert!(output.status.code().is_some());
        if world.relay.dead_letters().await.is_empty() {
            return;
        }
    }
    panic!("letters are left: {:?}", world.relay.dead_letters().await);
}

#[tokio::test]
async fn o5_letters_are_replayed_by_filter_once_each_and_it_is_told_by_whom() {
    let world = World::start().await;
    world.refuse_cards();
    for channel in ["dev", "off-topic", "town-square"] {
        world.chat.say("ana", channel, "meet now: stuck").await;
    }
    until_buried(&world, 3).await;
    let none = world
        .relay
        .cli_ok(&["dead-letters", "list", "--reason", "no such reason"])
        .await;
    assert!(none.contains("none of"), "{none}");
    let unasked = world
        .relay
        .cli(&["dead-letters", "replay", "--kind", "job"])
        .await;
    assert_eq!(unasked.status.code(), Some(2), "nobody said yes");
    let told = String::from_utf8_lossy(&unasked.stderr).into_owned();
    assert!(
        told.contains("dead letters would be replayed: add --yes"),
        "{told}"
    );
    let all = world.relay.dead_letters().await;
    let id = all[0]["id"].as_str().unwrap().to_owned();
    world.chat.faults().clear();
    let listing = world.relay.cli_ok(&["dead-letters", "list"]).await;
    assert!(
        listing.lines().all(|line| line.chars().count() <= 100),
        "{listing}"
    );
    replay_all(&world).await;
    for channel in ["dev", "off-topic", "town-square"] {
        world.card(channel, "stuck").await;
    }
    let again = world.relay.cli(&["dead-letters", "replay", &id]).await;
    assert_eq!(again.status.code(), Some(1), "a second replay finds none");
    for channel in ["dev", "off-topic", "town-square"] {
        assert_eq!(world.cards(channel).len(), 1, "{channel}");
    }
    let history = world.relay.cli_ok(&["why", &id, "--json"]).await;
    let history: Value = serde_json::from_str(&history).unwrap();
    let notes: Vec<&Value> = history["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|moment| moment["what"] == "note" && moment["subject"] == id.as_str())
        .collect();
    assert_eq!(notes.len(), 1, "{history}");
    assert!(notes[0]["by"].as_str().unwrap().contains('@'), "{history}");
    let log = world.relay.log();
    let line = log
        .lines()
        .find(|line| line.contains("dead letter replayed") && line.contains(&id))
        .expect("the replay is logged");
    assert!(
        line.contains("\"replay\":true") && line.contains("\"by\":\""),
        "{line}"
    );
    world.finish().await;
}

#[tokio::test]
async fn o5_replay_keeps_its_pace_lets_live_traffic_through_and_stops_when_told() {
    let world = Setup::default()
        .set("DEAD_LETTERS__REPLAY_PER_SECOND", "1")
        .set("MATTERMOST__STARTS_PER_MINUTE", "100")
        .start()
        .await;
    world.refuse_cards();
    for title in ["one", "two", "three", "four", "five", "six"] {
        let line = format!("/plugnmeet start --new {title}");
        world.chat.command("ana", "dev", &line, None).await;
    }
    let before = until_buried(&world, 6).await.len();
    world.chat.faults().clear();
    let mut replay = world
        .relay
        .command()
        .args(["dead-letters", "replay", "--all", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    world.relay.await_log("dead letter replayed").await;
    world.card_of("ana", "weekly", "fresh").await;
    assert!(
        replay.try_wait().unwrap().is_none(),
        "the replay goes on beside it"
    );
    let id = replay.id().unwrap().to_string();
    let status = tokio::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .await;
    assert!(status.unwrap().success());
    let output = tokio::time::timeout(PATIENCE, replay.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("stopped:") && told.contains("were not begun and stay"),
        "{told}"
    );
    let left = world.relay.dead_letters().await.len();
    assert!(0 < left && left < before, "{left} of {before} are left");
    world.finish().await;
}

#[tokio::test]
async fn o5_letters_are_read_and_replayed_while_no_relay_runs() {
    let mut world = World::start().await;
    world.refuse_cards();
    world.chat.say("ana", "dev", "meet now: stuck").await;
    let letters = until_buried(&world, 1).await;
    let id = letters[0]["id"].as_str().unwrap().to_owned();
    let running = world
        .relay
        .cli(&["dead-letters", "list", "--offline"])
        .await;
    assert_eq!(running.status.code(), Some(1), "a relay runs");
    let told = String::from_utf8_lossy(&running.stderr).into_owned();
    assert!(told.contains("omit --offline"), "{told}");
    world.relay.stop().await;
    world.chat.faults().clear();
    let listed = world
        .relay
        .cli_ok(&["dead-letters", "list", "--offline"])
        .await;
    assert!(listed.contains(&id), "{listed}");
    let history = world.relay.cli_ok(&["why", &id, "--offline"]).await;
    assert!(history.contains("meeting_requested"), "{history}");
    let replayed = world
        .relay
        .cli(&["dead-letters", "replay", "--all", "--yes", "--offline"])
        .await;
    if world.back_end.broker().is_some() {
        assert_eq!(replayed.status.code(), Some(1), "nothing reaches RabbitMQ");
    } else {
        let told = String::from_utf8_lossy(&replayed.stderr).into_owned();
        assert!(replayed.status.success(), "{told}");
    }
    world.relay.start_again().await;
    replay_all(&world).await;
    world.card("dev", "stuck").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}
