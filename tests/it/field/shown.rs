//! What cards, threads and recaps show.

use std::time::Duration;

use serde_json::Value;
use world::mattermost::{Model, Options as ChatOptions, Post};
use world::plugnmeet::{Options as ConferenceOptions, RoomView};

use crate::harness::{PATIENCE, Setup, World, client};

/// The text of a card: its message and what stands in its frame.
fn shown(card: &Post) -> String {
    format!("{}\n{}", card.message, card.attachments()[0])
}

/// A meeting in `dev` whose room is there: its card and its room.
async fn begun(world: &World, title: &str) -> (Post, RoomView) {
    let phrase = format!("meet now: {title}");
    world.chat.say("ana", "dev", &phrase).await;
    let card = world.card("dev", title).await;
    (card, world.room().await)
}

/// The same, ended after Ana took part.
async fn ended(world: &World, title: &str) -> (Post, RoomView) {
    let (card, room) = begun(world, title).await;
    let ana = world.chat.user("ana").id;
    world.conference.join(&room.room_id, "Ana", &ana).unwrap();
    assert!(world.conference.end_room(&room.room_id));
    (card, room)
}

/// The replies in the card's thread, oldest first.
fn replies(chat: &Model, card: &Post) -> Vec<Post> {
    let thread = chat.thread(&card.id).into_iter();
    thread.filter(|post| post.id != card.id).collect()
}

async fn reply_with(world: &World, card: &Post, words: &str) -> Post {
    world
        .see(&format!("a reply with {words:?}"), |chat| {
            let mut found = replies(chat, card).into_iter();
            found.find(|post| post.message.contains(words))
        })
        .await
}

async fn over(world: &World, card: &Post) -> String {
    let is_over = |text: &str| text.contains("nded") && !text.contains("Join the meeting");
    world
        .see("the end on the card", |chat| {
            let text = shown(chat.post(&card.id)?);
            is_over(&text).then_some(text)
        })
        .await
}

/// The page behind the heading of a card that is over.
async fn recap(world: &World, card: &Post) -> String {
    over(world, card).await;
    let card = world.chat.post(&card.id).unwrap();
    let attachment: &Value = &card.attachments()[0];
    let link = attachment["title_link"].as_str().unwrap();
    client()
        .get(link)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

#[tokio::test]
async fn f6_a_summary_longer_than_the_server_takes_is_its_beginning_and_the_recap_shows_the_whole()
{
    let chat = ChatOptions {
        post_chars_max: 4_000,
        ..ChatOptions::default()
    };
    let world = Setup::default().chat(chat).start().await;
    let (card, room) = ended(&world, "long").await;
    let points: String = (0..400)
        .map(|point| format!("<li>Point number {point} of many</li>"))
        .collect();
    let html = format!("<h3>Decisions</h3><ul>{points}</ul>");
    assert!(html.len() > 9_600);
    world.conference.make_summary(&room.room_id, &html).unwrap();
    let reply = reply_with(&world, &card, "Point number 0 ").await;
    let chars = reply.message.chars().count();
    assert!((3_000..=4_000).contains(&chars), "{chars}");
    let last = reply.message.lines().last().unwrap();
    assert!(
        last.contains("[Read the whole summary](") && last.contains("/join/"),
        "{last}"
    );
    let page = recap(&world, &card).await;
    assert!(page.contains("Point number 399 of many"), "{page}");
    let refused = world
        .chat
        .requests()
        .into_iter()
        .filter(|request| request.status == Some(400));
    assert_eq!(refused.count(), 0);
    world.finish().await;
}

#[tokio::test]
async fn f7_summary_table_stays_a_table() {
    let world = World::start().await;
    let (card, room) = ended(&world, "tables").await;
    let html = "<p>Tasks</p><table><tr><th>Who</th><th>What</th></tr>\
                <tr><td>Ana</td><td>ship v2</td></tr></table><div>one</div><div>two</div>";
    world.conference.make_summary(&room.room_id, html).unwrap();
    let reply = reply_with(&world, &card, "Tasks").await;
    let table = "\n\n| Who | What |\n| --- | --- |\n| Ana | ship v2 |\n\none\n\ntwo";
    assert!(reply.message.contains(table), "{}", reply.message);
    let page = recap(&world, &card).await;
    assert!(
        page.contains("<th>Who</th>") && page.contains("<td>ship v2</td>"),
        "{page}"
    );
    world.finish().await;
}

#[tokio::test]
async fn f8_summary_in_markdown_stays_markdown_and_reasoning_is_dropped() {
    let world = World::start().await;
    let (card, room) = ended(&world, "markdown").await;
    let reply = "<think>They talked of v2.\n\nI should say so.</think>\n```markdown\n## Decisions\n\n\
                 - Ship **v2**, says @channel\n- [plan](https://evil.example/)\n\n| Who | What |\n|---|---|\n| Ana | v2 |\n```";
    world.conference.make_summary(&room.room_id, reply).unwrap();
    let reply = reply_with(&world, &card, "Decisions").await;
    for kept in [
        "\n## Decisions\n",
        "- Ship **v2**",
        "\n| Who | What |\n| --- | --- |\n| Ana | v2 |",
    ] {
        assert!(reply.message.contains(kept), "{kept} in {}", reply.message);
    }
    for dropped in ["think", "I should", "```", "evil", "@channel"] {
        assert!(
            !reply.message.contains(dropped),
            "{dropped} in {}",
            reply.message
        );
    }
    world.finish().await;
}

#[tokio::test]
async fn f8_an_empty_summary_makes_no_reply_and_no_counter() {
    let world = World::start().await;
    let (card, room) = ended(&world, "silent").await;
    over(&world, &card).await;
    world
        .conference
        .make_summary(&room.room_id, "<think>Nobody said anything.")
        .unwrap();
    world.relay.await_log("holds no summary").await;
    // A later one is there, and alone.
    world
        .conference
        .make_summary(&room.room_id, "<p>All agreed.</p>")
        .unwrap();
    reply_with(&world, &card, "All agreed").await;
    world
        .see("one summary on the card", |chat| {
            let text = shown(chat.post(&card.id)?);
            text.contains("\"title\":\"Summary\"").then_some(())
        })
        .await;
    assert_eq!(world.chat.thread(&card.id).len(), 2);
    let page = recap(&world, &card).await;
    assert_eq!(page.matches("<h2>Summary</h2>").count(), 1, "{page}");
    world.finish().await;
}

#[tokio::test]
async fn f11_who_never_joined_was_not_there() {
    let world = World::start().await;
    let (card, room) = begun(&world, "lonely").await;
    assert!(world.conference.fail_to_join(&room.room_id, "Bob", "u-bob"));
    world.conference.settle_webhooks(PATIENCE).await;
    assert!(world.conference.end_room(&room.room_id));
    let text = over(&world, &card).await;
    assert!(
        text.contains("nobody came") && !text.contains("Bob"),
        "{text}"
    );
    let page = recap(&world, &card).await;
    assert!(
        page.contains("Nobody came") && !page.contains("Bob"),
        "{page}"
    );
    world.finish().await;
}

#[tokio::test]
async fn f18_no_times_contradict_each_other() {
    let conference = ConferenceOptions {
        creation_clock_ahead: Duration::from_secs(600),
        ..ConferenceOptions::default()
    };
    let world = Setup::default().conference(conference).start().await;
    let (card, _) = ended(&world, "skewed").await;
    let text = over(&world, &card).await;
    let time = |word: &str| {
        let at = text
            .find(word)
            .unwrap_or_else(|| panic!("no {word} in {text}"));
        let words = text[at..].split_whitespace().skip(1);
        words
            .take_while(|word| *word != "UTC")
            .collect::<Vec<_>>()
            .join(" ")
    };
    // Ten minutes would be seen; a minute may pass between the two.
    let minutes = |time: &str| {
        let (hours, minutes) = time
            .rsplit_once(' ')
            .map_or(time, |(_, time)| time)
            .split_once(':')
            .unwrap();
        hours.parse::<i32>().unwrap() * 60 + minutes.parse::<i32>().unwrap()
    };
    let lasted = minutes(&time("Ended ")) - minutes(&time("Started "));
    assert!((0..=2).contains(&lasted.rem_euclid(24 * 60)), "{text}");
    assert!(
        text.contains("less than a minute") || text.contains("1 min"),
        "{text}"
    );
    world.finish().await;
}

/// Records and announces a recording of a running meeting.
fn record(world: &World, room: &RoomView) {
    world.conference.start_recording(&room.room_id).unwrap();
    world.conference.finish_recording(&room.room_id).unwrap();
}

#[tokio::test]
async fn f27_the_first_thing_left_behind_mentions_the_starter_once() {
    let world = World::start().await;
    let (card, room) = begun(&world, "recorded").await;
    world.join(&room, "Ana");
    record(&world, &room);
    let first = reply_with(&world, &card, "/artifact/").await;
    assert!(
        first.message.starts_with("@ana The recording of"),
        "{}",
        first.message
    );
    assert!(world.conference.end_room(&room.room_id));
    world
        .conference
        .make_summary(&room.room_id, "<p>All agreed.</p>")
        .unwrap();
    let second = reply_with(&world, &card, "All agreed").await;
    assert!(!second.message.contains("@ana"), "{}", second.message);
    world.finish().await;
}

#[tokio::test]
async fn f27_a_rule_names_whom_the_first_thing_mentions() {
    for (notify, is_told) in [("participants", true), ("nobody", false)] {
        let rule = format!("\n[[rule]]\nphrases = [\"meet now\"]\nnotify = \"{notify}\"\n");
        let world = Setup::default().configured(&rule).start().await;
        let (card, room) = begun(&world, "who").await;
        for name in ["ana", "bob"] {
            let id = world.chat.user(name).id;
            world.conference.join(&room.room_id, name, &id).unwrap();
            world.conference.settle_webhooks(PATIENCE).await;
        }
        world
            .conference
            .join(&room.room_id, "Guest", "g-abcdefghijklmnopqrst")
            .unwrap();
        world.conference.settle_webhooks(PATIENCE).await;
        assert!(world.conference.end_room(&room.room_id));
        over(&world, &card).await;
        world
            .conference
            .make_summary(&room.room_id, "<p>All agreed.</p>")
            .unwrap();
        let reply = reply_with(&world, &card, "All agreed").await;
        match is_told {
            // Two joins within one second have no order.
            true => {
                let (names, rest) = reply.message.split_once("\n\n").unwrap();
                let mut names: Vec<&str> = names.split(' ').collect();
                names.sort_unstable();
                assert_eq!(names, ["@ana", "@bob"]);
                assert!(rest.starts_with("#### Summary of"), "{rest}");
            }
            false => assert!(
                reply.message.starts_with("#### Summary of"),
                "{}",
                reply.message
            ),
        }
        world.finish().await;
    }
}
