//! People and channels under the names that Mattermost shows.

use world::Fault;
use world::mattermost::{ChannelKind, Options, Post};

use crate::harness::{Setup, World, client};

const MEMBERS: [&str; 2] = ["ana", "meetrelay"];

async fn start() -> World {
    let options = Options {
        name_display: "full_name",
        ..Options::default()
    };
    let world = Setup::default().chat(options).start().await;
    let kind = ChannelKind::Public;
    world
        .chat
        .add_channel("eng", "Engineering & Co", kind, &MEMBERS);
    world
}

fn link(card: &Post) -> String {
    let attachment = &card.attachments()[0];
    attachment["title_link"].as_str().unwrap().to_owned()
}

async fn page(link: &str) -> String {
    let page = client().get(link).send().await.unwrap();
    page.text().await.unwrap()
}

#[tokio::test]
async fn names_shown_people_and_channels_appear_as_mattermost_shows_them() {
    let world = start().await;
    world.chat.say("ana", "eng", "meet now").await;
    let card = world.card("eng", "Engineering & Co meeting").await;
    assert!(card.message.contains("Ana Lopez"), "{}", card.message);
    let shown = card.attachments()[0].to_string();
    assert!(!shown.contains("eng meeting"), "{shown}");
    let room = world.room().await;
    let shown = page(&link(&card)).await;
    for name in ["Engineering &amp; Co meeting", "Ana Lopez"] {
        assert!(shown.contains(name), "{name} is missing in {shown}");
    }
    // Asked once for all changes of the card.
    assert!(world.conference.end_room(&room.room_id));
    world
        .see("the end", |chat| {
            let card = chat.post(&card.id)?;
            let is_over = card.message.contains("**Engineering & Co meeting** ended");
            is_over.then_some(())
        })
        .await;
    assert!(page(&link(&card)).await.contains("in Engineering &amp; Co"));
    assert_eq!(world.chat.calls("channels.get"), 1);
    world.finish().await;
}

#[tokio::test]
async fn names_shown_are_those_by_which_a_meeting_is_listed_and_ended() {
    let world = start().await;
    world.chat.say("ana", "eng", "meet now").await;
    let card = world.card("eng", "Engineering & Co meeting").await;
    world.room().await;
    let typed = |line| world.chat.command("ana", "eng", line, None);
    let listed = typed("/plugnmeet list").await.text;
    for name in ["Engineering & Co meeting", "Ana Lopez"] {
        assert!(listed.contains(name), "{name} is missing in {listed}");
    }
    let again = typed("/plugnmeet start").await.text;
    assert!(again.contains("Engineering & Co meeting"), "{again}");
    let ended = typed("/plugnmeet end engineering & co").await.text;
    assert!(ended.contains("Engineering & Co meeting"), "{ended}");
    world
        .see("the end", |chat| {
            let card = chat.post(&card.id)?;
            card.message.contains("ended").then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn names_shown_never_hold_up_a_card() {
    let world = start().await;
    let stalled = Fault::Stall(std::time::Duration::from_secs(600));
    world.chat.faults().set("channels.get", stalled);
    let refusal = Fault::Answer {
        status: 500,
        body: String::new(),
        headers: Vec::new(),
    };
    world.chat.faults().set("users.get", refusal);
    world.chat.say("ana", "eng", "meet now").await;
    let card = world.card("eng", "eng meeting").await;
    assert!(card.message.starts_with("ana "), "{}", card.message);
    world.chat.faults().clear();
    world.finish().await;
}
