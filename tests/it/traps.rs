//! What plugNmeet and Mattermost do in ordinary operation to make a card untrue.

use std::time::Duration;

use world::Fault;
use world::mattermost::{Model, Post};
use world::plugnmeet::{Backend, RoomView};

use crate::harness::{
    BackEnd, PATIENCE, Setup, StoreEnd, World, is_over, make_room, shown, stays_true_for,
};

#[tokio::test]
async fn doubled_and_reordered_webhooks_lead_to_the_same_card() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "shuffled").await;
    world.conference.settle_webhooks(PATIENCE).await;
    world.conference.hold_webhooks();
    world.join(&room, "Ana");
    world.join(&room, "Bob");
    world.conference.leave(&room.room_id, "u-bob");
    assert!(world.conference.end_room(&room.room_id));
    let count = world
        .conference
        .wait_for("the end to be told", PATIENCE, |fake| {
            let held = fake.held_webhooks();
            let has = |name: &str| held.iter().any(|webhook| webhook.event == name);
            (has("session_ended") && has("room_finished")).then_some(held.len())
        })
        .await;
    // The last first, and each of them twice.
    let places: Vec<usize> = (0..count).rev().flat_map(|place| [place, place]).collect();
    world.conference.release_webhooks(&places);
    world.conference.stop_holding_webhooks();
    world.until_over(&card).await;
    let people = |chat: &Model| {
        let text = shown(chat.post(&card.id)?);
        (text.contains("2: ") && text.contains("Ana") && text.contains("Bob")).then_some(())
    };
    world.see("both people", people).await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

/// Seen in a chaos run: the older state then stood there for ever.
#[tokio::test]
async fn patch_that_is_carried_out_after_a_later_one_does_not_stay() {
    let settings = Setup::default().set("MATTERMOST__CALL_TIMEOUT", "500ms");
    let world = settings.set("MATTERMOST__TIDY_AFTER", "2s").start().await;
    let (card, room) = with_a_slow_patch(&world, Duration::from_millis(1_500)).await;
    overtaken(&world, &card, &room).await;
    world.finish().await;
}

#[tokio::test]
async fn patch_of_a_killed_relay_that_is_carried_out_late_does_not_stay() {
    // With PostgreSQL the lease of the killed one holds the next change back for longer than that. RabbitMQ may hand
    // out the next change before the one that was cut off, and then nothing tells of it.
    let settings = Setup::default()
        .store(StoreEnd::Sqlite)
        .back_end(BackEnd::Embedded);
    let mut world = settings.set("MATTERMOST__TIDY_AFTER", "4s").start().await;
    let (card, room) = with_a_slow_patch(&world, Duration::from_secs(3)).await;
    world.relay.kill().await;
    world.relay.start_again().await;
    overtaken(&world, &card, &room).await;
    world.finish().await;
}

/// A meeting whose card the relay changes by a call that the server carries out that late.
async fn with_a_slow_patch(world: &World, late: Duration) -> (Post, RoomView) {
    let (card, room) = world.meeting("dev", "slow").await;
    world
        .chat
        .faults()
        .next("posts.patch", 1, Fault::Stall(late));
    let patches = world.chat.calls("posts.patch");
    world.join(&room, "Ana");
    let tried = world
        .chat
        .wait_for_calls("posts.patch", patches + 1, PATIENCE);
    tried.await.unwrap();
    (card, room)
}

/// The end is shown, then what the slow call says, and then the end again.
async fn overtaken(world: &World, card: &Post, room: &RoomView) {
    assert!(world.conference.end_room(&room.room_id));
    world.until_over(card).await;
    world.until(card, |text| !is_over(text)).await;
    world.until_over(card).await;
}

#[tokio::test]
async fn back_ends_that_are_away_never_end_a_card() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "sturdy").await;
    world.join(&room, "Ana");
    for backend in [Backend::Nats, Backend::Database, Backend::Redis] {
        world.conference.forget_cache();
        world.conference.set_down(backend, true);
        let asked = world.conference.count("room.active");
        world
            .conference
            .wait_for("two polls", PATIENCE, |fake| {
                (fake.count("room.active") >= asked + 2).then_some(())
            })
            .await;
        world.conference.set_down(backend, false);
    }
    let card_now = world.chat.post(&card.id).unwrap();
    assert!(
        shown(&card_now).contains("Join the meeting"),
        "{}",
        shown(&card_now)
    );
    assert!(world.conference.end_room(&room.room_id));
    world.until_over(&card).await;
    world.finish().await;
}

#[tokio::test]
async fn lost_artifact_webhooks_are_made_up_for_by_asking() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "forgetful").await;
    world.join(&room, "Ana");
    world.conference.lose_webhooks("recording_proceeded", None);
    world.conference.lose_webhooks("artifact_created", None);
    world.conference.start_recording(&room.room_id).unwrap();
    world.conference.finish_recording(&room.room_id).unwrap();
    assert!(world.conference.end_room(&room.room_id));
    world
        .conference
        .make_summary(&room.room_id, "<p>All agreed.</p>")
        .unwrap();
    world
        .see("recording and summary", |chat| {
            let thread = chat.thread(&card.id);
            let has = |words: &str| thread.iter().any(|post| post.message.contains(words));
            (has("/artifact/") && has("All agreed")).then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn breakout_rooms_make_and_change_no_card() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "groups").await;
    world.join(&room, "Ana");
    let breakout = world.conference.breakout(&room.room_id).unwrap();
    world
        .conference
        .join(&breakout, "Mallory", "u-mallory")
        .unwrap();
    world.conference.leave(&breakout, "u-mallory");
    world.conference.settle_webhooks(PATIENCE).await;
    world
        .see("Ana alone", |chat| {
            let text = shown(chat.post(&card.id)?);
            (text.contains("Ana") && !text.contains("Mallory")).then_some(())
        })
        .await;
    assert!(world.conference.end_room(&room.room_id));
    world.until_over(&card).await;
    world.conference.settle_webhooks(PATIENCE).await;
    assert!(!shown(&world.chat.post(&card.id).unwrap()).contains("Mallory"));
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn refused_api_key_makes_a_red_card_that_says_what_to_do() {
    // The key may be replaced until the start's deadline.
    let world = Setup::default()
        .configured("[[rule]]\nstart_deadline = \"10s\"\n")
        .start()
        .await;
    let body = r#"{"status":false,"msg":"invalid API key","status_code":"INVALID_API_KEY"}"#;
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let answer = Fault::Answer {
        status: 401,
        body: body.to_owned(),
        headers,
    };
    world.conference.faults().set("room.create", answer);
    world.chat.say("ana", "dev", "meet now: locked out").await;
    let card = world
        .see("a red card", |chat| {
            let posts = chat.posts("dev");
            posts.into_iter().find(|post| {
                post.attachments()
                    .iter()
                    .any(|one| one.to_string().contains("API key"))
            })
        })
        .await;
    assert!(shown(&card).contains("ref "), "{}", shown(&card));
    assert!(!shown(&card).contains("Join the meeting"));
    world.finish().await;
}

#[tokio::test]
async fn throttled_mattermost_gets_every_card_in_the_end() {
    let world = World::start().await;
    let answer = Fault::Answer {
        status: 429,
        body: "limit exceeded\n".to_owned(),
        headers: vec![
            ("retry-after".to_owned(), "1".to_owned()),
            ("content-type".to_owned(), "text/plain".to_owned()),
        ],
    };
    world.chat.faults().next("posts.create", 2, answer);
    for channel in ["dev", "weekly", "off-topic"] {
        world.chat.say("ana", channel, "meet now: crowded").await;
    }
    for channel in ["dev", "weekly", "off-topic"] {
        world.card(channel, "crowded").await;
        assert_eq!(world.cards(channel).len(), 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn meeting_that_does_not_come_about_in_time_says_so() {
    let world = Setup::default()
        .configured(
            "[[rule]]
start_deadline = \"10s\"
",
        )
        .start()
        .await;
    world.conference.stop().await;
    world.chat.say("ana", "dev", "meet now: hopeless").await;
    world
        .see("the red card", |chat| {
            let posts = chat.posts("dev");
            posts.into_iter().find(|post| {
                post.attachments()
                    .iter()
                    .any(|one| one.to_string().contains("in time"))
            })
        })
        .await;
    world.conference.resume().await.unwrap();
    // A later request gets its room, and no other room is made.
    world.chat.say("bob", "weekly", "meet now: hopeful").await;
    world.card("weekly", "hopeful").await;
    let room = world.room().await;
    assert_eq!(
        room.title, "hopeful",
        "no room is made for the first any more"
    );
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn rooms_of_others_and_events_of_the_future_are_accepted_and_change_nothing() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "ours").await;
    make_room(&world, "somebody-elses").await;
    world
        .conference
        .join("somebody-elses", "Mallory", "u-mallory")
        .unwrap();
    let members = [(
        "crystal_ball",
        r#"{"shine":[1,null,"CANARY-future"]}"#.to_owned(),
    )];
    let sent = world
        .conference
        .send_raw_event(&room.room_id, "room_teleported", &members);
    assert!(sent);
    assert!(world.conference.end_room("somebody-elses"));
    world
        .conference
        .wait_for("the end of the other room", PATIENCE, |fake| {
            let room = fake.room("somebody-elses")?;
            (!room.is_running() && room.ended.is_some()).then_some(())
        })
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    let deliveries = world.conference.deliveries();
    assert!(deliveries.iter().any(|one| one.event == "room_teleported"));
    for delivery in &deliveries {
        let is_accepted = delivery.outcome == world::plugnmeet::Outcome::Accepted;
        assert!(is_accepted, "{} {:?}", delivery.event, delivery.outcome);
    }
    let text = shown(&world.chat.post(&card.id).unwrap());
    assert!(
        text.contains("Join the meeting") && !text.contains("Mallory"),
        "{text}"
    );
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn room_that_its_server_lost_ends_its_card() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "fragile").await;
    world.join(&room, "Ana");
    world
        .see("Ana on the card", |chat| {
            shown(chat.post(&card.id)?).contains("Ana").then_some(())
        })
        .await;
    assert!(world.conference.lose_room_state(&room.room_id));
    world
        .see("the end by a poll", |chat| {
            is_over(&shown(chat.post(&card.id)?)).then_some(())?;
            shown(chat.post(&card.id)?).contains("about").then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn stray_session_of_a_meeting_that_is_over_is_ended() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "haunted").await;
    world.join(&room, "Ana");
    assert!(world.conference.end_room(&room.room_id));
    world.until_over(&card).await;
    // plugNmeet counts whole seconds: the stray one is made in a later one.
    world.conference.skew_clock(5);
    let stray = make_room(&world, &room.room_id).await;
    assert_ne!(stray, room.sid);
    world
        .conference
        .wait_for("the end of the stray session", PATIENCE, |fake| {
            (!fake.room(&stray)?.is_running()).then_some(())
        })
        .await;
    world.until_over(&card).await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn card_that_comes_late_says_why() {
    let world = Setup::default().set("CARD__LATE_AFTER", "1s").start().await;
    world.chat.stop().await;
    world.chat.say("ana", "dev", "meet now: overdue").await;
    world
        .conference
        .wait_for("the room", PATIENCE, |fake| {
            (!fake.rooms().is_empty()).then_some(())
        })
        .await;
    let late_after = Duration::from_millis(1100);
    let is_owed = async || world.cards("dev").is_empty();
    stays_true_for(late_after, "the card is owed", is_owed).await;
    world.chat.start_again().await.unwrap();
    let card = world.card("dev", "overdue").await;
    assert!(
        shown(&card).contains("This card came late"),
        "{}",
        shown(&card)
    );
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn transcripts_analytics_and_costs_are_not_posted() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "taciturn").await;
    world.join(&room, "Ana");
    assert!(world.conference.end_room(&room.room_id));
    world.until_over(&card).await;
    let room = &room.room_id;
    world
        .conference
        .make_transcript(room, "00:00.000 --> 00:01.000\nhello\n");
    world.conference.make_analytics(room);
    // What comes after them is posted, so they were passed over.
    world
        .conference
        .make_summary(room, "<p>Short.</p>")
        .unwrap();
    world
        .see("the summary", |chat| {
            let thread = chat.thread(&card.id);
            thread
                .iter()
                .any(|post| post.message.contains("Short."))
                .then_some(())
        })
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    let thread = world.chat.thread(&card.id);
    assert_eq!(thread.len(), 2, "the card and the summary: {thread:?}");
    world.finish().await;
}

#[tokio::test]
async fn failure_in_a_direct_message_is_told_there() {
    // The key may be replaced until the start's deadline.
    let world = Setup::default()
        .configured("[[rule]]\nstart_deadline = \"10s\"\n")
        .start()
        .await;
    let channel = world.chat.direct_channel("ana", "bob");
    let answer = Fault::Answer {
        status: 401,
        body: r#"{"status":false,"msg":"invalid API key","status_code":"INVALID_API_KEY"}"#
            .to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
    };
    world.conference.faults().set("room.create", answer);
    world
        .chat
        .command("ana", &channel, "/plugnmeet start Locked", None)
        .await;
    world
        .see("the reason", |chat| {
            let said = chat.posts(&channel);
            said.iter()
                .map(|post| post.attachments()[0].to_string())
                .any(|text| text.contains("API key") && text.contains("ref "))
                .then_some(())
        })
        .await;
    // That it is being prepared, and then why there is none.
    let said = world.chat.posts(&channel);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert_eq!(world.chat.calls("posts.create"), 0);
    world.finish().await;
}
