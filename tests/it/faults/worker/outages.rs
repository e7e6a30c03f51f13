//! Answers that are lost, and work that fails between two peers: rows W12 and W15.

use world::Fault;
use world::mattermost::Model;

use crate::harness::{Setup, World};

#[tokio::test]
async fn w12_answer_lost_on_the_way_makes_no_second_card() {
    let world = Setup::default()
        .set("MATTERMOST__TIDY_AFTER", "1s")
        .start()
        .await;
    world
        .chat
        .faults()
        .next("posts.create", 1, Fault::DropAfter);
    let (card, room) = world.meeting("dev", "once").await;
    world.join(&room, "Ana");
    world
        .see("the card goes on living", |chat| {
            chat.post(&card.id)?.attachments()[0]
                .to_string()
                .contains("Ana")
                .then_some(())
        })
        .await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn w12_lost_answers_of_plugnmeet_make_no_second_room() {
    let world = World::start().await;
    world
        .conference
        .faults()
        .next("room.create", 1, Fault::DropAfter);
    world.card_of("ana", "dev", "once").await;
    let joinable = |chat: &Model| {
        let posts = chat.posts("dev");
        let card = posts.iter().find(|post| !post.attachments().is_empty())?;
        let text = card.attachments()[0].to_string();
        text.contains("Join the meeting").then_some(())
    };
    world.see("the card with its room", joinable).await;
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn w15_a_card_that_cannot_be_posted_makes_no_second_room() {
    let world = World::start().await;
    let trouble = Fault::Answer {
        status: 500,
        body: "{}".to_owned(),
        headers: vec![],
    };
    world.chat.faults().next("posts.create", 4, trouble);
    world.meeting("dev", "patient").await;
    assert!(world.chat.calls("posts.create") >= 5);
    assert_eq!(
        world.conference.count("room.create"),
        1,
        "only the post was repeated"
    );
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}
