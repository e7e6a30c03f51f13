//! Accounts that were deactivated: their links and roles count no more.

use world::Fault;
use world::mattermost::Post;

use crate::harness::{PATIENCE, World, client, link_in, page_with};

/// Starts a meeting in `dev` by command; gives its card and the starter's own link.
async fn started(world: &World, user: &str, title: &str) -> (Post, String) {
    let line = format!("/plugnmeet start {title}");
    let answer = world.chat.command(user, "dev", &line, None).await;
    let card = world.card("dev", title).await;
    let link = link_in(&answer.text, "/join/");
    page_with(&link, "<form").await;
    (card, link)
}

async fn join(link: &str) -> reqwest::Response {
    let sent = client().post(link).form(&[("name", "Mallory")]).send();
    sent.await.unwrap()
}

#[tokio::test]
async fn s8_deactivated_account_cannot_join_by_its_own_link() {
    let world = World::start().await;
    let (_, link) = started(&world, "bob", "Retro").await;
    assert_eq!(join(&link).await.status(), 303);
    world.chat.set_disabled("bob", true);
    let minted = world.conference.count("room.token");
    let refused = join(&link).await;
    assert_eq!(refused.status(), 403);
    let page = refused.text().await.unwrap();
    assert!(
        page.contains("account in the chat is deactivated"),
        "{page}"
    );
    assert_eq!(world.conference.count("room.token"), minted);
    // While Mattermost says nothing about the account, the link is enough.
    world
        .chat
        .faults()
        .set("users.get", Fault::intermediary(503));
    assert_eq!(join(&link).await.status(), 303);
    world.chat.faults().clear();
    world.chat.set_disabled("bob", false);
    assert_eq!(join(&link).await.status(), 303);
    world.finish().await;
}

/// Asks for the end as bob, whose account is deactivated before anybody can be asked about his rights.
async fn deactivated_meanwhile(world: &World, title: &str) {
    started(world, "ana", title).await;
    world
        .chat
        .faults()
        .set("users.get", Fault::intermediary(503));
    let calls = world.chat.calls("users.get");
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    let asked = world.chat.wait_for_calls("users.get", calls + 1, PATIENCE);
    asked.await.unwrap();
    world.chat.set_disabled("bob", true);
    world.chat.faults().clear();
    world
        .relay
        .await_log("\"event.kind\":\"end_refused\"")
        .await;
    let rooms = world.conference.rooms();
    assert!(rooms.iter().all(|room| room.is_running()), "{title}");
    assert_eq!(world.conference.count("room.end"), 0);
}

#[tokio::test]
async fn s8_deactivated_system_admin_ends_nothing() {
    let world = World::start().await;
    world.chat.make_system_admin("bob");
    deactivated_meanwhile(&world, "Planning").await;
    world.finish().await;
}

#[tokio::test]
async fn s8_deactivated_channel_admin_ends_nothing() {
    let world = World::start().await;
    world.chat.make_channel_admin("bob", "dev");
    deactivated_meanwhile(&world, "Standup").await;
    world.finish().await;
}

#[tokio::test]
async fn s8_admin_with_an_active_account_still_ends_the_meeting_of_others() {
    let world = World::start().await;
    world.chat.make_channel_admin("bob", "dev");
    let (card, _) = started(&world, "ana", "Review").await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    world
        .see("the end", |chat| {
            let message = chat.post(&card.id)?.message.to_lowercase();
            let words = ["ended", "nobody", "cancelled"];
            words
                .iter()
                .any(|word| message.contains(word))
                .then_some(())
        })
        .await;
    world.finish().await;
}
