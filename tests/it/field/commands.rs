//! What people type, and what they are told.

use world::mattermost::{Ephemeral, Model, Options, Post};

use crate::harness::{FORM, Setup, World, client, eventually};

/// A world whose Mattermost calls itself by an address that leads nowhere from here.
async fn behind_another_name() -> World {
    let chat = Options {
        site_url: Some("http://chat.example.test:9/chat".to_owned()),
        ..Options::default()
    };
    Setup::default().chat(chat).start().await
}

/// Waits until `user` is told something with `words`, beyond the first `skip` texts.
async fn told(world: &World, user: &str, skip: usize, words: &str) -> Ephemeral {
    let what = format!("{user} told {words:?}");
    world
        .see(&what, |chat| {
            let said = chat.ephemerals(user);
            said.into_iter().skip(skip).find(|e| e.text.contains(words))
        })
        .await
}

/// Waits until the card of `title` says that the meeting is over.
async fn over(world: &World, channel: &str, title: &str) -> Post {
    world
        .see(&format!("the end of {title}"), |chat| {
            let posts = chat.posts(channel);
            posts.into_iter().find(|post| {
                !post.attachments().is_empty()
                    && post.message.contains(title)
                    && ["ended", "nobody", "cancelled"]
                        .iter()
                        .any(|word| post.message.to_lowercase().contains(word))
            })
        })
        .await
}

fn is_running(world: &World, title: &str) -> bool {
    let rooms = world.conference.rooms();
    rooms
        .iter()
        .any(|room| room.title.contains(title) && room.is_running())
}

async fn started(world: &World, user: &str, title: &str, line: &str, root: Option<&str>) -> Post {
    let answer = world.chat.command(user, "dev", line, root).await;
    assert!(answer.text.contains("/join/"), "{answer:?}");
    let card = world.card("dev", title).await;
    world
        .see(&format!("the room of {title}"), |_| {
            is_running(world, title).then_some(())
        })
        .await;
    card
}

#[tokio::test]
async fn f1_late_answers_come_whatever_the_server_calls_itself() {
    let world = behind_another_name().await;
    started(&world, "ana", "Retro", "/plugnmeet start Retro", None).await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    told(&world, "bob", 0, "You cannot end **Retro**").await;
    // In a direct message everything comes through the response URL.
    let direct = world.chat.direct_channel("ana", "bob");
    let answer = world
        .chat
        .command("ana", &direct, "/plugnmeet start Pair", None)
        .await;
    assert!(answer.text.contains("follows"), "{answer:?}");
    world
        .see("the notice in the direct message", |chat| {
            let posts = chat.posts(&direct);
            posts
                .iter()
                .any(|post| post.message.contains("Pair"))
                .then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn f1_nothing_is_promised_without_a_response_url() {
    let world = World::start().await;
    started(&world, "ana", "Retro", "/plugnmeet start Retro", None).await;
    let (dev, bob) = (world.chat.channel("dev").id, world.chat.user("bob").id);
    let direct = format!("{}__{}", "a".repeat(26), "b".repeat(26));
    let typed = |channel: &str, text: &str| {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("token", world.command_token.as_str()),
                ("channel_id", &dev),
                ("channel_name", channel),
                ("user_id", &bob),
                ("user_name", "bob"),
                ("command", "/plugnmeet"),
                ("text", text),
                ("trigger_id", &format!("{channel} {text}")),
            ])
            .finish();
        let url = format!("{}/mattermost/command", world.relay.ports.public_url());
        async move {
            let call = client().post(url).header("Content-Type", FORM).body(form);
            let answer: serde_json::Value = call.send().await.unwrap().json().await.unwrap();
            answer["text"].as_str().unwrap().to_owned()
        }
    };
    let text = typed("dev", "end").await;
    assert!(
        text.contains("**Retro**") && !text.contains("tell you"),
        "{text}"
    );
    let text = typed("dev", "end Planning").await;
    assert!(
        text.contains("Running here:"),
        "the list comes at once: {text}"
    );
    let text = typed("dev", "start Other").await;
    assert!(text.contains("**Retro** is running here already"), "{text}");
    let text = typed(&direct, "start --new Pair").await;
    assert!(!text.contains("follows"), "{text}");
    world.finish().await;
}

#[tokio::test]
async fn f21_end_is_about_the_newest_that_its_caller_may_end() {
    let world = World::start().await;
    started(&world, "ana", "Alpha", "/plugnmeet start Alpha", None).await;
    started(&world, "bob", "Beta", "/plugnmeet start --new Beta", None).await;
    let answer = world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    assert!(answer.text.starts_with("Ending **Alpha**"), "{answer:?}");
    over(&world, "dev", "Alpha").await;
    assert!(is_running(&world, "Beta"));
    // The answer named it, so that nothing follows.
    assert_eq!(world.chat.response_uses(&answer.response_id), 0);
    world.finish().await;
}

#[tokio::test]
async fn f21_words_after_end_choose_by_title_or_number() {
    let world = World::start().await;
    world.chat.make_channel_admin("carol", "dev");
    started(&world, "ana", "Alpha", "/plugnmeet start Alpha", None).await;
    started(&world, "bob", "Beta", "/plugnmeet start --new Beta", None).await;
    started(&world, "bob", "Gamma", "/plugnmeet start --new Gamma", None).await;
    let end = |line: &'static str| world.chat.command("carol", "dev", line, None);
    let before = world.chat.ephemerals("carol").len();
    end("/plugnmeet end Delta").await;
    let list = told(&world, "carol", before + 1, "I cannot tell which meeting").await;
    for line in ["`1` **Alpha**", "`2` **Beta**", "`3` **Gamma**"] {
        assert!(list.text.contains(line), "{line}: {list:?}");
    }
    let listed = end("/plugnmeet list").await;
    assert!(listed.text.contains("`2` **Beta**"), "{listed:?}");
    let answer = end("/plugnmeet end alpha").await;
    assert!(answer.text.contains("**Alpha**"), "{answer:?}");
    over(&world, "dev", "Alpha").await;
    let answer = end("/plugnmeet end 2").await;
    assert!(answer.text.contains("**Beta**"), "{answer:?}");
    over(&world, "dev", "Beta").await;
    assert!(is_running(&world, "Gamma"));
    // Who may not, is told of which.
    let before = world.chat.ephemerals("ana").len();
    world
        .chat
        .command("ana", "dev", "/plugnmeet end gam", None)
        .await;
    told(&world, "ana", before + 1, "You cannot end **Gamma**").await;
    assert!(is_running(&world, "Gamma"));
    world.finish().await;
}

/// What stands in the thread of `root` and is no card.
fn lines(chat: &Model, root: &str) -> Vec<Post> {
    let mut posts = chat.posts("dev");
    posts.retain(|post| post.root_id == root && post.attachments().is_empty());
    posts.retain(|post| post.message.contains("is running here already"));
    posts
}

#[tokio::test]
async fn f22_meeting_of_a_phrase_in_a_thread_is_found_there_and_in_the_channel() {
    let world = World::start().await;
    let root = world.chat.say("ana", "dev", "about the release").await;
    world.chat.reply("ana", &root, "meet now: Inside").await;
    let card = world.card("dev", "Inside").await;
    assert_eq!(card.root_id, root);
    let in_thread = world
        .chat
        .command("bob", "dev", "/plugnmeet list", Some(&root))
        .await;
    assert!(in_thread.text.contains("**Inside**, "), "{in_thread:?}");
    let text = world
        .chat
        .command("bob", "dev", "/plugnmeet list", None)
        .await
        .text;
    assert!(text.contains("**Inside** in a thread"), "{text}");
    // A second start finds it, by command and by phrase, and the phrase is answered where it was written.
    let answer = world
        .chat
        .command("bob", "dev", "/plugnmeet start Again", Some(&root))
        .await;
    assert!(
        answer
            .text
            .starts_with("**Inside** is running here already"),
        "{answer:?}"
    );
    world
        .chat
        .reply("carol", &root, "meet now: and again")
        .await;
    world
        .see("the line in the thread", |chat| {
            (lines(chat, &root).len() == 1).then_some(())
        })
        .await;
    // The channel is another place for starts, whichever way.
    let outside = world.card_of("bob", "dev", "Outside").await;
    assert_eq!(outside.root_id, "");
    // In the thread of a card stands its meeting.
    let text = eventually("the card's meeting in its thread", async || {
        let list = "/plugnmeet list";
        let answer = world.chat.command("bob", "dev", list, Some(&outside.id));
        let text = answer.await.text;
        // The card is seen a moment before the relay has noted its id.
        text.contains("**Outside**").then_some(text)
    })
    .await;
    assert!(!text.contains("Inside"), "{text}");
    let answer = world
        .chat
        .command("ana", "dev", "/plugnmeet end", Some(&root))
        .await;
    assert!(answer.text.contains("**Inside**"), "{answer:?}");
    over(&world, "dev", "Inside").await;
    assert_eq!(world.cards("dev").len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn f22_meeting_of_a_command_in_a_thread_is_found_there_and_in_the_channel() {
    let world = World::start().await;
    let root = world.chat.say("ana", "dev", "about the release").await;
    let inside = "/plugnmeet start Inside";
    started(&world, "ana", "Inside", inside, Some(&root)).await;
    let text = world
        .chat
        .command("bob", "dev", "/plugnmeet list", None)
        .await
        .text;
    assert!(text.contains("**Inside** in a thread"), "{text}");
    world
        .chat
        .reply("carol", &root, "meet now: and again")
        .await;
    world
        .see("the line in the thread", |chat| {
            (lines(chat, &root).len() == 1).then_some(())
        })
        .await;
    let answer = world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    assert!(answer.text.starts_with("Ending **Inside**"), "{answer:?}");
    over(&world, "dev", "Inside").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn second_start_is_told_once_and_at_once() {
    let world = World::start().await;
    started(&world, "ana", "Weekly", "/plugnmeet start Weekly", None).await;
    let before = world.chat.ephemerals("bob").len();
    let answer = world
        .chat
        .command("bob", "dev", "/plugnmeet start", None)
        .await;
    assert!(
        answer
            .text
            .starts_with("**Weekly** is running here already"),
        "{answer:?}"
    );
    assert!(!answer.text.contains("Starting"), "{answer:?}");
    // A stranger's end is answered late, after everything before it.
    let end = world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    told(&world, "bob", before + 2, "You cannot end **Weekly**").await;
    assert_eq!(world.chat.response_uses(&answer.response_id), 0);
    assert_eq!(world.chat.response_uses(&end.response_id), 1);
    assert_eq!(world.chat.ephemerals("bob").len(), before + 3);
    world.finish().await;
}

#[tokio::test]
async fn answers_stand_under_the_relays_name_where_the_server_allows_it() {
    let world = World::start().await;
    started(&world, "ana", "Weekly", "/plugnmeet start Weekly", None).await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    told(&world, "bob", 0, "You cannot end **Weekly**").await;
    for said in [world.chat.ephemerals("ana"), world.chat.ephemerals("bob")].concat() {
        assert_eq!(said.username, "meetrelay", "{said:?}");
    }
    world.finish().await;
}
