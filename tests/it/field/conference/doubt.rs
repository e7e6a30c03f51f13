//! Signs of an end that no webhook told.

use world::mattermost::Model;
use world::plugnmeet::Backend;

use super::Running;
use crate::harness::{PATIENCE, Setup, page_with};

/// No webhook comes, and the meeting's own poll is far off.
async fn unheard() -> Running {
    let setup = Setup::default()
        .set("PLUGNMEET__POLL_FIRST_AFTER", "1h")
        .set("PLUGNMEET__POLL_EVERY", "1h");
    let running = Running::start(setup).await;
    page_with(&running.page, "Join the meeting").await;
    running.world.conference.settle_webhooks(PATIENCE).await;
    running.world.conference.configure_webhooks(None, false);
    running
}

/// It ends at plugNmeet.
async fn end(running: &Running) {
    let (fake, sid) = (&running.world.conference, running.room.sid.clone());
    assert!(fake.end_room(&sid));
    fake.wait_for("the end", PATIENCE, |fake| fake.room(&sid)?.ended)
        .await;
}

#[tokio::test]
async fn f16_start_after_an_end_that_nobody_told_makes_a_new_room() {
    let running = unheard().await;
    end(&running).await;
    let world = &running.world;
    let start = "/plugnmeet start second";
    world.chat.command("bob", "dev", start, None).await;
    let card = world.card("dev", "second").await;
    world
        .until(&card, |text| text.contains("Join the meeting"))
        .await;
    running.until_over().await;
    assert_eq!(world.conference.rooms().len(), 2);
    assert_eq!(world.conference.count("room.active"), 1, "one poll");
    let corrected = |chat: &Model| {
        let said = chat.ephemerals("bob");
        let texts: Vec<&str> = said.iter().map(|one| one.text.as_str()).collect();
        let is_offered = texts.first()?.contains("is running here already");
        let is_new = texts.last()?.contains("so I start a new one: **second**");
        (is_offered && is_new && texts.len() == 2).then_some(())
    };
    world.see("the answer put right", corrected).await;
    running.world.finish().await;
}

#[tokio::test]
async fn f16_join_link_of_a_dead_room_ends_its_meeting() {
    let running = unheard().await;
    end(&running).await;
    let (status, page) = running.enter().await;
    assert_eq!(status, 409, "{page}");
    assert!(page.contains("just ended"), "{page}");
    let text = running.until_over().await;
    assert!(text.contains("about"), "{text}");
    let world = &running.world;
    let card = world.card_of("bob", "dev", "second").await;
    world
        .until(&card, |text| text.contains("Join the meeting"))
        .await;
    assert_eq!(world.conference.rooms().len(), 2);
    running.world.finish().await;
}

#[tokio::test]
async fn f16_room_that_runs_and_one_that_cannot_be_asked_about_are_offered() {
    let running = unheard().await;
    let world = &running.world;
    for (person, is_unavailable) in [("bob", false), ("carol", true)] {
        if is_unavailable {
            world.conference.forget_cache();
            world.conference.set_down(Backend::Nats, true);
        }
        let start = "/plugnmeet start second";
        world.chat.command(person, "dev", start, None).await;
        let offered = |chat: &Model| {
            let said = chat.ephemerals(person);
            said.iter()
                .any(|one| one.text.contains("is running here already"))
                .then_some(())
        };
        world.see("the running meeting", offered).await;
        let (status, page) = running.enter().await;
        if is_unavailable {
            assert!(
                page.contains("over, or its room"),
                "no end is proven: {page}"
            );
        } else {
            assert_eq!(status, 303);
        }
    }
    world.conference.set_down(Backend::Nats, false);
    running
        .until(|text| text.contains("Join the meeting"))
        .await;
    assert_eq!(world.conference.rooms().len(), 1);
    running.world.finish().await;
}
