//! What Mattermost told in vain: phrases written while the relay was out of reach.

use std::time::Duration;

use world::mattermost::ChannelKind;

use crate::harness::{Setup, StoreEnd, World};

/// What counts phrases that no webhook told.
const REPAIRS: &str = "meetrelay_reconcile_repairs_total{kind=\"missed_trigger\"}";
/// What the log says after each pass.
const PASSED: &str = "catch-up pass finished";
/// A post of this age is nobody's to tell any more.
const A_WHILE: Duration = Duration::from_secs(20);

/// The relay looks every second.
fn watchful() -> Setup {
    Setup::default().set("MATTERMOST__CATCH_UP_EVERY", "1s")
}

/// Waits until so many passes were finished, those before a restart included.
async fn await_passed(world: &World, count: usize) {
    world.relay.await_logged(PASSED, count).await;
}

fn passed(world: &World) -> usize {
    world.relay.log().matches(PASSED).count()
}

/// Waits until two passes were finished that began later than now.
async fn await_passes(world: &World) {
    await_passed(world, passed(world) + 3).await;
}

async fn await_repairs(world: &World, count: usize) {
    world
        .relay
        .await_metric(&format!("{REPAIRS} {count}"))
        .await;
}

#[tokio::test]
async fn phrase_written_while_the_relay_was_dead_becomes_one_card_after_its_start() {
    let mut world = World::start().await;
    world.relay.kill().await;
    world.chat.say("ana", "dev", "meet now: unheard").await;
    let root = world.chat.say("bob", "weekly", "and the release?").await;
    world.chat.reply("bob", &root, "meet now").await;
    world.relay.start_again().await;
    let card = world.card("dev", "unheard").await;
    assert!(card.message.contains("ana"), "{}", card.message);
    world
        .see("the card in its thread", |chat| {
            let thread = chat.thread(&root);
            thread
                .into_iter()
                .find(|post| !post.attachments().is_empty())
        })
        .await;
    await_repairs(&world, 2).await;
    world
        .relay
        .await_log("Mattermost did not reach the relay with this post")
        .await;
    // A second start reads the same posts.
    world.relay.kill().await;
    world.relay.start_again().await;
    world
        .relay
        .await_log("the webhook of the post arrived in time")
        .await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.cards("weekly").len(), 1);
    assert_eq!(world.conference.rooms().len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn phrase_that_was_told_is_not_doubled_by_looking() {
    // The meeting's own poll is far off.
    let setup = watchful()
        .set("PLUGNMEET__POLL_FIRST_AFTER", "1h")
        .set("PLUGNMEET__POLL_EVERY", "1h");
    let world = setup.start().await;
    world.card_of("ana", "dev", "heard").await;
    world.chat.clock().advance(A_WHILE);
    world
        .relay
        .await_log("the webhook of the post arrived in time")
        .await;
    await_passes(&world).await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    let told = world
        .relay
        .log()
        .matches("the webhook of the post arrived in time")
        .count();
    assert_eq!(told, 1, "it is looked at once");
    let asked = world.conference.count("room.active");
    assert_eq!(asked, 0, "its own meeting is not offered to it");
    await_repairs(&world, 0).await;
    world.finish().await;
}

#[tokio::test]
async fn phrase_that_no_webhook_told_is_found_while_the_relay_runs() {
    let world = watchful().start().await;
    await_passed(&world, 1).await;
    world.chat.lose_outgoing_webhooks(true);
    world
        .chat
        .say("ana", "dev", "Meet now: lost on the way")
        .await;
    await_passes(&world).await;
    assert!(world.cards("dev").is_empty(), "its webhook may still come");
    world.chat.clock().advance(A_WHILE);
    world.card("dev", "lost on the way").await;
    await_repairs(&world, 1).await;
    world.finish().await;
}

#[tokio::test]
async fn what_no_webhook_would_have_told_starts_nothing() {
    let mut world = World::start().await;
    await_passed(&world, 1).await;
    let chat = &world.chat;
    let early = chat.say("ana", "dev", "lunch at noon").await;
    chat.add_bot("clockwork", "Clockwork");
    chat.join("clockwork", "dev");
    let direct = chat.direct_channel("ana", "meetrelay");
    chat.add_channel("elsewhere", "Elsewhere", ChannelKind::Public, &["ana"]);
    world.relay.kill().await;
    let chat = &world.chat;
    chat.edit_post(&early, "meet now: edited long after");
    let edited = chat.say("ana", "dev", "mete now").await;
    chat.edit_post(&edited, "meet now: corrected");
    let deleted = chat.say("ana", "dev", "meet now: deleted").await;
    chat.delete_post(&deleted);
    chat.say("meetrelay", "dev", "meet now: the relay's own")
        .await;
    chat.say("clockwork", "dev", "meet now: of a bot").await;
    chat.say("ana", "dev", "meet me at noon").await;
    chat.say("alice", "secret", "meet now: private").await;
    chat.say("ana", &direct, "meet now: direct").await;
    chat.say("ana", "elsewhere", "meet now: without the bot")
        .await;
    chat.say("ana", "weekly", "meet now: good").await;
    world.relay.start_again().await;
    world.card("weekly", "good").await;
    await_passed(&world, 2).await;
    await_repairs(&world, 1).await;
    assert_eq!(world.conference.rooms().len(), 1);
    assert_eq!(world.chat.calls("posts.create"), 1, "the card");
    world.finish().await;
}

#[tokio::test]
async fn rules_for_channels_hold_for_what_is_caught_up() {
    let rules = "[[rule]]\nphrases = [\"stand up\"]\nchannels = [\"weekly\"]\ntitle = \"{{ user }} stands\"\n";
    let mut world = Setup::default().configured(rules).start().await;
    await_passed(&world, 1).await;
    world.relay.kill().await;
    world.chat.say("ana", "dev", "stand up").await;
    world.chat.say("ana", "weekly", "meet now").await;
    world.chat.say("bob", "weekly", "Stand up").await;
    world.relay.start_again().await;
    world.card("weekly", "bob stands").await;
    await_passed(&world, 2).await;
    await_repairs(&world, 1).await;
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn phrase_older_than_its_worth_starts_nothing() {
    let mut world = World::start().await;
    await_passed(&world, 1).await;
    world.relay.kill().await;
    world.chat.say("ana", "dev", "meet now: too late").await;
    world.chat.clock().advance(Duration::from_secs(16 * 60));
    world.chat.say("ana", "weekly", "meet now: in time").await;
    world.relay.start_again().await;
    world.card("weekly", "in time").await;
    await_passed(&world, 2).await;
    assert_eq!(world.conference.rooms().len(), 1);
    assert!(world.cards("dev").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn card_of_a_phrase_that_was_found_late_says_so() {
    let mut world = World::start().await;
    await_passed(&world, 1).await;
    world.relay.kill().await;
    world.chat.say("ana", "dev", "meet now: overdue").await;
    world.chat.clock().advance(Duration::from_secs(5 * 60));
    world.relay.start_again().await;
    let card = world.card("dev", "overdue").await;
    let shown = card.attachments()[0].to_string();
    assert!(shown.contains("This card came late"), "{shown}");
    assert!(shown.contains("I found it later"), "{shown}");
    world.finish().await;
}

#[tokio::test]
async fn more_phrases_in_a_minute_than_a_person_may_write_are_not_caught_up() {
    let mut world = watchful()
        .set("MATTERMOST__STARTS_PER_MINUTE", "2")
        .start()
        .await;
    await_passed(&world, 1).await;
    world.relay.kill().await;
    for number in 0..4 {
        let text = format!("meet now: impatience {number}");
        world.chat.say("ana", "dev", &text).await;
        world.chat.clock().advance(Duration::from_secs(1));
    }
    world.relay.start_again().await;
    world.card("dev", "impatience 0").await;
    await_repairs(&world, 2).await;
    await_passes(&world).await;
    await_repairs(&world, 2).await;
    assert_eq!(
        world.cards("dev").len(),
        1,
        "the second is told of the first"
    );
    world.finish().await;
}

#[tokio::test]
async fn mattermost_that_is_away_at_the_start_is_asked_again() {
    let mut world = watchful().start().await;
    world.relay.kill().await;
    world.chat.say("ana", "dev", "meet now: patience").await;
    world.chat.stop().await;
    world.relay.start_again().await;
    world.relay.await_log("missed posts cannot be read").await;
    world.chat.start_again().await.unwrap();
    world.card("dev", "patience").await;
    world.relay.await_log("the catch-up works again").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn what_was_written_before_the_first_start_ever_starts_nothing() {
    // The folder that is removed holds the store.
    let mut world = Setup::default().store(StoreEnd::Sqlite).start().await;
    await_passed(&world, 1).await;
    world.relay.kill().await;
    world
        .chat
        .say("ana", "dev", "meet now: nobody listens")
        .await;
    std::fs::remove_dir_all(world.data()).unwrap();
    // Seconds are the grain of what is known of Mattermost's clock.
    world.chat.clock().advance(Duration::from_millis(2500));
    world.relay.start_again().await;
    await_passed(&world, 2).await;
    world.card_of("ana", "weekly", "here we are").await;
    assert!(world.cards("dev").is_empty());
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn phrase_that_the_door_refused_is_not_found_later() {
    let world = watchful()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1")
        .start()
        .await;
    // Commands count at the door, and no channel tells of them.
    world
        .chat
        .command("ana", "dev", "/plugnmeet start First", None)
        .await;
    let card = world.card("dev", "First").await;
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    world
        .see("the end", |chat| {
            let post = chat.post(&card.id)?;
            post.message.contains("ended").then_some(())
        })
        .await;
    world.chat.say("ana", "dev", "meet now: please").await;
    world
        .relay
        .await_log("start ignored: too many in a minute")
        .await;
    world.chat.clock().advance(A_WHILE);
    world
        .relay
        .await_log("the ingress received and refused the post")
        .await;
    await_passes(&world).await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn nothing_is_caught_up_where_it_is_switched_off_or_no_webhook_is_let_in() {
    for (key, value) in [
        ("MATTERMOST__CATCH_UP", "false"),
        ("MATTERMOST__OUTGOING_TOKENS", "[]"),
    ] {
        let mut world = Setup::default().set(key, value).start().await;
        world.relay.kill().await;
        world.chat.say("ana", "dev", "meet now: unwanted").await;
        world.relay.start_again().await;
        world
            .chat
            .command("bob", "weekly", "/plugnmeet start Wanted", None)
            .await;
        world.card("weekly", "Wanted").await;
        assert_eq!(world.chat.calls("users.channels"), 0, "{key}");
        assert_eq!(world.conference.rooms().len(), 1, "{key}");
        world.finish().await;
    }
}
