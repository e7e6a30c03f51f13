//! The main job: "meet now" to a card, end of meeting to a notice, what it left behind into the thread.

use serde_json::Value;

use crate::harness::{PATIENCE, Setup, World};

fn attachment(post: &world::mattermost::Post) -> Value {
    post.attachments()[0].clone()
}

#[tokio::test]
async fn meet_now_becomes_one_card_that_ends_with_the_meeting() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "weekly sync").await;
    let shown = attachment(&card);
    assert!(
        shown["text"].as_str().unwrap().contains("/join/"),
        "{shown}"
    );
    assert!(
        shown["footer"].as_str().unwrap().contains(&room.room_id),
        "{shown}"
    );

    world
        .conference
        .join(&room.room_id, "Ana Lopez", "u-ana")
        .unwrap();
    world.join(&room, "Bob");
    world
        .see("both people on the card", |chat| {
            let post = chat.post(&card.id)?;
            let text = attachment(post).to_string();
            (text.contains("Ana Lopez") && text.contains("Bob")).then_some(())
        })
        .await;

    assert!(world.conference.end_room(&room.room_id));
    let ended = world
        .see("the ended notice", |chat| {
            chat.post(&card.id)
                .filter(|post| post.message.contains("ended"))
                .cloned()
        })
        .await;
    let text = attachment(&ended).to_string();
    assert!(!text.contains("Join the meeting"), "{text}");
    assert!(text.contains("Ana Lopez") && text.contains("Bob"), "{text}");
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn meet_with_a_colon_and_a_title_starts_a_meeting() {
    let world = World::start().await;
    // The colon belongs to the first word, which Mattermost compares as it stands.
    world.chat.say("ana", "dev", "Meet: release planning").await;
    world.card("dev", "release planning").await;
    world.finish().await;
}

#[tokio::test]
async fn recording_and_summary_follow_in_the_cards_thread_once_each() {
    let world = World::start().await;
    world.chat.say("ana", "dev", "meet").await;
    let card = world.card("dev", "meeting").await;
    let room = world.room().await;
    world.join(&room, "Ana");
    world.conference.start_recording(&room.room_id).unwrap();
    let record = world.conference.finish_recording(&room.room_id).unwrap();
    assert!(
        world.conference.announce_recording(&record),
        "the recorder says it twice"
    );
    assert!(world.conference.end_room(&room.room_id));
    let html = "<h3>Decisions</h3><ul><li>We ship <strong>today</strong> @channel</li></ul>\
                <script>alert(1)</script>";
    world.conference.make_summary(&room.room_id, html).unwrap();
    let replies = world
        .see("recording and summary in the thread", |chat| {
            let replies: Vec<_> = chat
                .thread(&card.id)
                .into_iter()
                .filter(|post| post.id != card.id)
                .collect();
            (replies.len() >= 2).then_some(replies)
        })
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    let recording = replies
        .iter()
        .find(|post| post.message.contains("/artifact/"));
    let summary = replies
        .iter()
        .find(|post| post.message.contains("We ship"))
        .unwrap();
    assert!(recording.is_some(), "{replies:?}");
    assert!(!summary.message.contains("alert"), "{}", summary.message);
    assert!(!summary.message.contains("@channel"), "{}", summary.message);
    let stored = |chat: &world::mattermost::Model| {
        let text = chat
            .post(&card.id)
            .map(|post| attachment(post).to_string())?;
        (text.contains("\"Recordings\"") && text.contains("\"Summary\"")).then_some(())
    };
    world.see("the counters on the card", stored).await;
    assert_eq!(
        world
            .chat
            .thread(&card.id)
            .iter()
            .filter(|post| post.id != card.id)
            .count(),
        2
    );
    world.finish().await;
}

#[tokio::test]
async fn slash_command_answers_at_once_with_the_persons_own_link_and_the_card_follows() {
    let world = World::start().await;
    let answer = world
        .chat
        .command("bob", "dev", "/plugnmeet start Retro", None)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.response_type, "ephemeral");
    assert!(answer.text.contains("/join/"), "{}", answer.text);
    world.card("dev", "Retro").await;
    world.finish().await;
}

#[tokio::test]
async fn second_start_is_offered_the_running_meeting() {
    let world = World::start().await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet start Retro", None)
        .await;
    world.card("dev", "Retro").await;
    let before = world.chat.ephemerals("ana").len();
    world
        .chat
        .command("ana", "dev", "/plugnmeet start Other", None)
        .await;
    world
        .see("the offer", |chat| {
            let said = chat.ephemerals("ana");
            said.iter()
                .skip(before)
                .any(|e| e.text.contains("already"))
                .then_some(())
        })
        .await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    world
        .chat
        .command("ana", "dev", "/plugnmeet start --new Other", None)
        .await;
    world.card("dev", "Other").await;
    assert_eq!(world.cards("dev").len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn end_is_for_the_starter_and_for_admins() {
    let world = World::start().await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet start Retro", None)
        .await;
    let card = world.card("dev", "Retro").await;
    world.room().await;
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    world
        .see("the refusal", |chat| {
            chat.ephemerals("ana")
                .iter()
                .any(|e| e.text.contains("started"))
                .then_some(())
        })
        .await;
    assert!(
        world
            .conference
            .rooms()
            .iter()
            .all(|room| room.is_running())
    );
    world.chat.make_channel_admin("carol", "dev");
    world
        .chat
        .command("carol", "dev", "/plugnmeet end", None)
        .await;
    let ended = |chat: &world::mattermost::Model| {
        let message = &chat.post(&card.id)?.message;
        (!message.contains("started")).then_some(())
    };
    world.see("the end by a channel admin", ended).await;
    world.finish().await;
}

#[tokio::test]
async fn a_card_of_a_trigger_in_a_thread_stands_in_that_thread() {
    let world = World::start().await;
    let root = world.chat.say("ana", "dev", "shall we talk?").await;
    world.chat.reply("bob", &root, "meet now").await;
    world
        .see("the card in the thread", |chat| {
            chat.thread(&root)
                .into_iter()
                .find(|post| !post.attachments().is_empty())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn bot_outside_a_public_channel_joins_it_and_posts() {
    let world = Setup::default().bot_outside().start().await;
    world.chat.say("ana", "dev", "meet now").await;
    world.card("dev", "").await;
    world.finish().await;
}

#[tokio::test]
async fn bot_outside_a_private_channel_asks_to_be_invited_and_the_card_follows() {
    let world = Setup::default()
        .bot_outside()
        .set("MATTERMOST__OUTSIDE_AGAIN_AFTER", "1s")
        .start()
        .await;
    world
        .chat
        .command("alice", "secret", "/plugnmeet start Plan", None)
        .await;
    world
        .see("the invitation", |chat| {
            chat.ephemerals("alice")
                .iter()
                .any(|e| e.text.contains("/invite"))
                .then_some(())
        })
        .await;
    world.chat.join("meetrelay", "secret");
    world.card("secret", "Plan").await;
    world.finish().await;
}

#[tokio::test]
async fn direct_message_gets_a_personal_link_and_no_card() {
    let world = World::start().await;
    world.chat.direct_channel("ana", "bob");
    let channel = {
        let (ana, bob) = (world.chat.user("ana"), world.chat.user("bob"));
        let mut ids = [ana.id, bob.id];
        ids.sort();
        ids.join("__")
    };
    let answer = world
        .chat
        .command("ana", &channel, "/plugnmeet start", None)
        .await;
    assert!(answer.text.contains("/join/"), "{answer:?}");
    world.room().await;
    let answer = world
        .chat
        .command("ana", &channel, "/plugnmeet end", None)
        .await;
    assert!(!answer.text.contains("card"), "{answer:?}");
    world
        .conference
        .wait_for("the end", PATIENCE, |fake| {
            fake.rooms()
                .iter()
                .all(|room| !room.is_running())
                .then_some(())
        })
        .await;
    assert_eq!(world.chat.calls("posts.create"), 0);
    world.finish().await;
}

#[tokio::test]
async fn lost_webhooks_do_not_keep_a_card_alive() {
    let world = World::start().await;
    world.conference.lose_webhooks("", None);
    let (card, room) = world.meeting("dev", "quiet").await;
    world.join(&room, "Ana");
    world.conference.end_room(&room.room_id);
    world
        .see("an end that only a poll could see", |chat| {
            let post = chat.post(&card.id)?;
            (!attachment(post).to_string().contains("Join the meeting")).then_some(())
        })
        .await;
    let ended = world.chat.post(&card.id).unwrap();
    let text = format!("{} {}", ended.message, attachment(&ended));
    assert!(
        !text.contains("nobody came"),
        "Ana came, unheard of: {text}"
    );
    world.finish().await;
}

#[tokio::test]
async fn slow_conference_shows_a_card_being_prepared_which_then_opens() {
    let world = World::start().await;
    world.conference.stop().await;
    world.chat.say("ana", "dev", "meet now: patience").await;
    let card = world
        .see("the card being prepared", |chat| {
            chat.posts("dev").into_iter().find(|post| {
                post.attachments()
                    .iter()
                    .any(|a| a.to_string().contains("prepared"))
            })
        })
        .await;
    world.conference.resume().await.unwrap();
    world
        .see("the same card open", |chat| {
            let post = chat.post(&card.id)?;
            attachment(post)
                .to_string()
                .contains("Join the meeting")
                .then_some(())
        })
        .await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn card_that_can_no_longer_be_edited_gets_one_reply_with_the_end() {
    let options = world::mattermost::Options {
        edit_time_limit: Some(std::time::Duration::from_millis(500)),
        ..Default::default()
    };
    let world = Setup::default().chat(options).start().await;
    let (card, room) = world.meeting("dev", "too late to edit").await;
    // The limit passes on the server's own clock.
    world
        .chat
        .clock()
        .advance(std::time::Duration::from_secs(60));
    world.join(&room, "Ana");
    assert!(world.conference.end_room(&room.room_id));
    let replies = |chat: &world::mattermost::Model| -> Vec<String> {
        let thread = chat
            .thread(&card.id)
            .into_iter()
            .filter(|post| post.id != card.id);
        thread.map(|post| post.message.clone()).collect()
    };
    world
        .see("the reply with the end", |chat| {
            replies(chat)
                .iter()
                .any(|text| text.contains("ended"))
                .then_some(())
        })
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    assert_eq!(
        world.chat.thread(&card.id).len(),
        2,
        "the card and one reply"
    );
    world.finish().await;
}

#[tokio::test]
async fn deleted_card_is_not_posted_again_and_nothing_follows_it() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "unwanted").await;
    world.chat.delete_post(&card.id);
    world.join(&room, "Ana");
    world.relay.await_log("a person deleted the card").await;
    world.conference.finish_recording(&room.room_id).unwrap();
    assert!(world.conference.end_room(&room.room_id));
    world
        .relay
        .await_log("\"event.kind\":\"session_ended\"")
        .await;
    world.conference.settle_webhooks(PATIENCE).await;
    assert_eq!(world.cards("dev").len(), 0);
    assert_eq!(world.chat.calls("posts.create"), 1, "the card, once");
    world.finish().await;
}

#[tokio::test]
async fn meet_me_at_noon_starts_nothing() {
    let world = World::start().await;
    world.chat.say("bob", "weekly", "meet me at noon").await;
    world.relay.await_log("webhook ignored").await;
    assert!(world.cards("weekly").is_empty());
    assert_eq!(world.chat.calls("posts.create"), 0);
    world.finish().await;
}
