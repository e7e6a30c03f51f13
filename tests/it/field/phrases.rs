//! Which words start a meeting, and which do not.

use std::time::Duration;

use world::mattermost::{Post, TriggerWhen};

use crate::harness::{PATIENCE, Setup, World};

const FORM: &str = "application/x-www-form-urlencoded";
const REPAIRS: &str = "meetrelay_reconcile_repairs_total{kind=\"missed_trigger\"}";
/// What the log says of a post with other words than the webhooks'.
const UNTOLD: &str = "no webhook would have sent the post";

fn watchful() -> Setup {
    Setup::default().set("MATTERMOST__CATCH_UP_EVERY", "1s")
}

/// A post is no longer left to its webhook.
fn grow_old(world: &World) {
    world.chat.clock().advance(Duration::from_secs(20));
}

fn title(card: &Post) -> String {
    card.attachments()[0]["title"].as_str().unwrap().to_owned()
}

/// Waits until the catching up has looked at a post that no webhook would have told.
async fn await_untold(world: &World, count: usize) {
    world.relay.await_logged(UNTOLD, count).await;
}

#[tokio::test]
async fn f23_what_no_webhook_would_have_told_is_not_found_later() {
    let world = watchful().start().await;
    world.chat.say("ana", "dev", "MeEt NoW: x").await;
    world.chat.say("ana", "weekly", "meet， now").await;
    grow_old(&world);
    await_untold(&world, 1).await;
    // What a webhook should have told is still found, and the card says why it comes late.
    world.chat.lose_outgoing_webhooks(true);
    world.chat.say("bob", "off-topic", "Meet now: lost").await;
    world.chat.clock().advance(Duration::from_secs(300));
    let card = world.card("off-topic", "lost").await;
    let shown = card.attachments()[0].to_string();
    assert!(shown.contains("I found it later"), "{shown}");
    world.relay.await_metric(&format!("{REPAIRS} 1")).await;
    assert_eq!(world.conference.rooms().len(), 1);
    assert!(world.cards("dev").is_empty() && world.cards("weekly").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn f23_trigger_words_are_configured_or_read_from_mattermost() {
    let rules = "[[rule]]\nphrases = [\"sync up\", \"meet now\"]\n";
    let world = watchful()
        .configured(rules)
        .set("MATTERMOST__TRIGGER_WORDS", "sYnc")
        .start()
        .await;
    // A bot may not see the webhooks: the configured words count.
    world.chat.say("ana", "dev", "sYnc up: configured").await;
    world.chat.say("ana", "weekly", "sync up: not").await;
    grow_old(&world);
    world.card("dev", "configured").await;
    await_untold(&world, 1).await;
    assert!(world.cards("weekly").is_empty());
    world.finish().await;

    let world = watchful().configured(rules).start().await;
    world.chat.make_system_admin("meetrelay");
    let address = format!("{}/mattermost/outgoing", world.relay.ports.public_url());
    let words = ["Sync"];
    let when = TriggerWhen::StartsWith;
    // More than one page of other programs' webhooks come first.
    for number in 0..210 {
        let address = format!("http://127.0.0.1:9/other/{number}");
        world
            .chat
            .register_outgoing_hook("weekly", &words, when, &address, FORM);
    }
    world
        .chat
        .register_outgoing_hook("weekly", &words, when, &address, FORM);
    world.chat.lose_outgoing_webhooks(true);
    world.chat.say("ana", "dev", "Sync up: elsewhere").await;
    world.chat.say("ana", "weekly", "Sync up: registered").await;
    world.chat.say("ana", "off-topic", "meet now: too").await;
    grow_old(&world);
    world.card("weekly", "registered").await;
    world.card("off-topic", "too").await;
    world
        .relay
        .await_log("trigger words read from Mattermost")
        .await;
    await_untold(&world, 1).await;
    assert!(world.cards("dev").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn f28_titles_are_titles() {
    let world = World::start().await;
    let chat = &world.chat;
    chat.say("ana", "dev", "meet now?").await;
    chat.say("ana", "dev", "meet now or tomorrow?").await;
    chat.say("ana", "dev", "meet now, please").await;
    assert_eq!(title(&world.card("dev", "Dev").await), "Dev meeting");
    chat.say("ana", "weekly", "meet now @ana").await;
    assert_eq!(title(&world.card("weekly", "W").await), "Weekly meeting");
    let command = "/plugnmeet start @ben, @carol";
    chat.command("bob", "town-square", command, None).await;
    let card = world.card("town-square", "T").await;
    assert_eq!(title(&card), "Town Square meeting");
    let text = "meet now: rel\u{200B}ease, \u{202E}at 10:30:45 :tada:";
    chat.say("ana", "off-topic", text).await;
    let card = world.card("off-topic", "rel").await;
    assert_eq!(title(&card), "release, at 10:30:45");
    let titles = |world: &World| -> Vec<String> {
        let rooms = world.conference.rooms();
        rooms.into_iter().map(|room| room.title).collect()
    };
    world
        .conference
        .wait_for("all rooms", PATIENCE, |fake| {
            (fake.rooms().len() == 4).then_some(())
        })
        .await;
    let titles = titles(&world);
    assert!(
        titles.contains(&"release, at 10:30:45".to_owned()),
        "{titles:?}"
    );
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}
