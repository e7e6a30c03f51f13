//! The same request twice, in part, or from the relay itself (I15, I16, I21, I22).

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use world::mattermost::ChannelKind;

use crate::harness::{PATIENCE, Setup, World, slow_peer_takes};

use super::door::{Door, FORM, OUTGOING};
use super::raw::{self, post};
use super::signatures::signed;

/// A webhook that plugNmeet has sent about the meeting in `dev`: Ana joined.
async fn joined(world: &World) -> String {
    let (_, room) = world.meeting("dev", "told twice").await;
    world.join(&room, "Ana");
    world
        .see("Ana on the card", |chat| {
            let card = chat.posts("dev").into_iter().next_back()?;
            card.attachments()[0]
                .to_string()
                .contains("Ana")
                .then_some(())
        })
        .await;
    let sent = world.conference.deliveries();
    let joined = sent.iter().find(|one| one.event == "participant_joined");
    joined.unwrap().body.to_string()
}

fn settled(outcome: &str, count: u32) -> String {
    format!("meetrelay_events_settled_total{{outcome=\"{outcome}\",source=\"plugnmeet\"}} {count}")
}

#[tokio::test]
async fn i15_repeated_request_is_answered_200_and_applied_once() {
    let world = World::start().await;
    let body = joined(&world).await;
    let request = signed(&world, "application/webhook+json", body.as_bytes());
    world.relay.await_metric(&settled("duplicate", 0)).await;
    for _ in 0..2 {
        // The very same bytes, token and all.
        let answer = raw::say(&world.relay, &request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    world.relay.await_metric(&settled("duplicate", 2)).await;
    world.relay.await_metric(&settled("conflict", 0)).await;
    let card = world.cards("dev").remove(0);
    let text = card.attachments()[0].to_string();
    assert!(text.contains("\"1: Ana\""), "one person, once: {text}");
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn i16_same_id_with_another_body_is_answered_200_and_the_first_wins() {
    let world = World::start().await;
    let body = joined(&world).await;
    let other = body.replace("\"Ana\"", "\"Mallory\"");
    assert_ne!(other, body);
    let request = signed(&world, "application/webhook+json", other.as_bytes());
    let answer = raw::say(&world.relay, &request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    world.relay.await_metric(&settled("conflict", 1)).await;
    world
        .relay
        .await_log("duplicate event with different content ignored")
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    let text = world.cards("dev")[0].attachments()[0].to_string();
    assert!(text.contains("Ana") && !text.contains("Mallory"), "{text}");
    world.finish().await;
}

#[tokio::test]
async fn i21_relays_own_post_is_no_trigger_whatever_it_says() {
    // Her name makes the card begin with a phrase, and with a word of the hook: the loop is complete but for the relay.
    let phrases = "[[rule]]\nphrases = [\"meet now\", \"meet started\"]\n";
    let world = Setup::default().configured(phrases).start().await;
    world.chat.add_user("meet", "", "");
    world.chat.join("meet", "dev");
    let card = world.card_of("meet", "dev", "for ever").await;
    assert!(
        card.message.to_lowercase().starts_with("meet started"),
        "{}",
        card.message
    );
    let told = |post: &str| {
        world
            .chat
            .deliveries()
            .iter()
            .filter(|one| one.post_id == post)
            .count()
    };
    world
        .see("the card at the door", |_| {
            (told(&card.id) == 1).then_some(())
        })
        .await;
    let ignored = "meetrelay_webhooks_received_total{event=\"post\",result=\"ignored\",source=\"outgoing_webhook\"} 1";
    world.relay.await_metric(ignored).await;
    world.relay.await_log("the relay's own post").await;
    // Somebody else's post with the same words is a trigger: it was the author that was known.
    world.chat.say("ana", "weekly", "meet started again").await;
    world.card("weekly", "again").await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.conference.rooms().len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn i22_sender_that_does_not_wait_for_the_answer_gets_one_meeting() {
    let setup = Setup::default().set("MATTERMOST__STARTS_PER_MINUTE", "1000");
    let door = Door::of(setup).await;
    let world = &door.world;
    let mut requests = Vec::new();
    for number in 0..8_u64 {
        let name = format!("hasty-{number}");
        let chat = &world.chat;
        let people = ["ana", "meetrelay"];
        let channel = chat.add_channel(&name, &name, ChannelKind::Public, &people);
        let post_id = chat.say("ana", &name, "no word of a hook").await;
        let body = door.form(&[("channel_id", &channel), ("post_id", &post_id)]);
        let request = post(OUTGOING, FORM, body);
        let mut stream = raw::connect(&world.relay).await;
        stream.write_all(&request).await.unwrap();
        // From at once to when it has long been answered.
        slow_peer_takes(Duration::from_millis(number * 3)).await;
        drop(stream);
        requests.push((name, request));
    }
    for (name, request) in &requests {
        let answer = raw::say(&world.relay, request).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
    }
    for (name, _) in &requests {
        world.card(name, "").await;
    }
    // What was under way when its sender left has been stored or has not; its double changes nothing.
    world
        .relay
        .await_metric("meetrelay_queue_depth{queue=\"events\"} 0")
        .await;
    for (name, _) in &requests {
        assert_eq!(world.cards(name).len(), 1, "{name}");
    }
    assert_eq!(world.conference.rooms().len(), requests.len());
    door.world.finish().await;
}
