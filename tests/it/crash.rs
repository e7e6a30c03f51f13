//! Killed at any moment, the relay loses nothing and doubles nothing.

use std::collections::BTreeMap;

use crate::harness::{Setup, World};

/// Triggers of one crash test: enough that the kill falls between accepted, applied and published ones.
const TRIGGERS: usize = 40;

#[tokio::test]
async fn kill_with_mattermost_down_gives_exactly_one_card_each() {
    let mut world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .start()
        .await;
    world.chat.stop().await;
    for number in 0..TRIGGERS {
        let channel = format!("room-{number}");
        world.chat.add_channel(
            &channel,
            &channel,
            world::mattermost::ChannelKind::Public,
            &["ana", "meetrelay"],
        );
        world
            .chat
            .say("ana", &channel, &format!("meet now: talk {number}"))
            .await;
        // Mattermost tries once: what is under way when the relay dies is lost at its source and not meant here.
        world
            .see("the trigger's answer", |_| {
                (world.chat.deliveries().len() > number).then_some(())
            })
            .await;
        if number == TRIGGERS / 2 {
            // While half of them are under way.
            world.relay.kill().await;
            world.relay.start_again().await;
        }
    }
    let accepted = world
        .chat
        .deliveries()
        .iter()
        .filter(|d| is_accepted(&d.answer))
        .count();
    assert_eq!(accepted, TRIGGERS, "every trigger was accepted");
    world.relay.kill().await;
    world.relay.start_again().await;
    world.chat.start_again().await.unwrap();
    let counts = |world: &World| -> BTreeMap<String, usize> {
        (0..TRIGGERS)
            .map(|number| format!("room-{number}"))
            .map(|channel| (channel.clone(), world.cards(&channel).len()))
            .collect()
    };
    world
        .see("a card in every channel", |chat| {
            (0..TRIGGERS)
                .all(|number| {
                    chat.posts(&format!("room-{number}"))
                        .iter()
                        .any(|post| !post.attachments().is_empty())
                })
                .then_some(())
        })
        .await;
    // Whatever would double them has its chance: a kill in the middle of the refreshes, and a sweep.
    world.relay.kill().await;
    world.relay.start_again().await;
    for _ in 0..3 {
        world.relay.sweeps_again().await;
    }
    assert!(
        counts(&world).values().all(|count| *count == 1),
        "{:?}",
        counts(&world)
    );
    assert_eq!(world.conference.rooms().len(), TRIGGERS, "one room each");
    world.finish().await;
}

fn is_accepted(answer: &Result<(u16, String), String>) -> bool {
    matches!(answer, Ok((200, body)) if body.is_empty())
}
