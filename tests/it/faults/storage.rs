//! What disks do to the relay's own files: rows Q13 to Q21, with the embedded queue.

mod backlog;
mod damage;
mod disk;
pub(super) mod full;
mod io_error;
mod killed;
mod owner;
mod power;
mod version;

use world::mattermost::ChannelKind;

use crate::harness::{BackEnd, Setup, StoreEnd, World, client};

/// A world with everything in files.
fn on_files() -> Setup {
    Setup::default()
        .back_end(BackEnd::Embedded)
        .store(StoreEnd::Sqlite)
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
}

/// Somebody asks for a meeting in a channel of its own; the answer to Mattermost's webhook.
pub(super) async fn ask(world: &World, channel: &str) -> Result<(u16, String), String> {
    let people = ["ana", "meetrelay"];
    world
        .chat
        .add_channel(channel, channel, ChannelKind::Public, &people);
    let post = world.chat.say("ana", channel, "meet now: talk").await;
    let told = world.see("the trigger's answer", |_| {
        let mut deliveries = world.chat.deliveries().into_iter();
        Some(deliveries.find(|d| d.post_id == post)?.answer)
    });
    told.await
}

pub(super) fn is_accepted(answer: &Result<(u16, String), String>) -> bool {
    matches!(answer, Ok((200, body)) if body.is_empty())
}

/// Waits until `/readyz` answers with this status.
pub(super) async fn ready(world: &World, status: u16) {
    let url = format!("{}/readyz", world.relay.ports.admin_url());
    let what = format!("readyz to answer {status}");
    let answered = world.relay.eventually(&what, async || {
        let answer = client().get(&url).send().await.unwrap();
        (answer.status() == status).then_some(())
    });
    answered.await;
}

/// Every one of these channels has exactly one card, and there is one room each.
pub(super) async fn each_has_one_card(world: &World, channels: &[String]) {
    let has_card = |chat: &world::mattermost::Model, channel: &String| {
        let posts = chat.posts(channel);
        posts.iter().any(|post| !post.attachments().is_empty())
    };
    world
        .see("a card in every channel", |chat| {
            channels
                .iter()
                .all(|channel| has_card(chat, channel))
                .then_some(())
        })
        .await;
    for channel in channels {
        assert_eq!(world.cards(channel).len(), 1, "cards in {channel}");
    }
}
