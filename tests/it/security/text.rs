//! Texts that people write, as links and mentions under the relay's name.

use world::mattermost::{Options, Post};

use crate::harness::{Setup, World, client};

/// A title, a name, or a sentence of a summary.
const EVIL: &str = "www.evil.example @all ~dev [x](https://evil.example)";

/// All that a post shows but where its own links lead.
fn shown(post: &Post) -> String {
    let mut text = post.message.clone();
    for framed in post.attachments() {
        for key in ["fallback", "title", "text", "footer"] {
            text.push('\n');
            text.push_str(framed[key].as_str().unwrap_or_default());
        }
        for field in framed["fields"].as_array().into_iter().flatten() {
            text.push('\n');
            text.push_str(field["value"].as_str().unwrap_or_default());
        }
    }
    text
}

/// It names the place and leads nowhere.
fn assert_harmless(text: &str) {
    let seen = text.replace('\u{200B}', "").to_lowercase();
    assert!(seen.contains("www.evil.example"), "{text}");
    let raw = text.to_lowercase();
    for sign in [
        "www.",
        "https://evil",
        "](https://evil",
        "@all",
        "~dev",
        "<",
        "evil.example",
    ] {
        assert!(!raw.contains(sign), "{sign} is left: {text}");
    }
}

fn link_of(card: &Post) -> String {
    let link = card.attachments()[0]["title_link"].as_str();
    link.unwrap().to_owned()
}

async fn join(link: &str, name: &str) -> reqwest::Response {
    let form = client().post(link).form(&[("name", name)]);
    form.send().await.unwrap()
}

/// Takes part under a name.
async fn take_part(world: &World, link: &str, name: &str) {
    let sent = join(link, name).await;
    assert_eq!(sent.status(), 303);
    let location = sent.headers()["location"].to_str().unwrap();
    let token = location.split("access_token=").nth(1).unwrap();
    world.conference.join_with_token(token).unwrap();
}

async fn reply_with(world: &World, card: &Post, words: &str) -> Post {
    world
        .see(&format!("a reply with {words:?}"), |chat| {
            let mut thread = chat.thread(&card.id).into_iter();
            thread.find(|post| post.id != card.id && post.message.contains(words))
        })
        .await
}

#[tokio::test]
async fn s2_title_name_and_summary_lead_nowhere() {
    let options = Options {
        name_display: "full_name",
        ..Options::default()
    };
    let world = Setup::default().chat(options).start().await;
    world.chat.add_user("mallory", "WWW1.evil.example", "@all");
    world.chat.join("mallory", "dev");
    let phrase = format!("meet now: {EVIL}");
    world.chat.say("mallory", "dev", &phrase).await;
    let card = world.card("dev", "evil").await;
    let room = world.room().await.room_id;
    take_part(&world, &link_of(&card), EVIL).await;
    let card = world
        .see("the guest on the card", |chat| {
            let card = chat.post(&card.id)?;
            let fields = card.attachments()[0]["fields"].to_string();
            fields.contains("evil").then(|| card.clone())
        })
        .await;
    assert_harmless(&shown(&card));

    world.conference.start_recording(&room).unwrap();
    world.conference.finish_recording(&room).unwrap();
    assert!(world.conference.end_room(&room));
    let summary = format!("<p>Read {EVIL}</p><ul><li><b>bold</b> www2.evil.example</li></ul>");
    world.conference.make_summary(&room, &summary).unwrap();
    let recording = reply_with(&world, &card, "The recording of").await;
    assert_harmless(&shown(&recording));
    let reply = reply_with(&world, &card, "Summary of").await;
    assert_harmless(&shown(&reply));
    assert!(reply.message.contains("- **bold** "), "{}", reply.message);
    let over = world
        .see("the end on the card", |chat| {
            let card = chat.post(&card.id)?;
            card.message.contains("ended").then(|| card.clone())
        })
        .await;
    assert_harmless(&shown(&over));
    let listed = world
        .chat
        .command("mallory", "dev", "/plugnmeet www.evil.example", None)
        .await;
    let first = listed.text.lines().next().unwrap_or_default().to_owned();
    assert_harmless(&first);
    world.finish().await;
}

#[tokio::test]
async fn s2_nobody_joins_under_a_name_that_is_not_seen() {
    let world = World::start().await;
    // Of such a title nothing is seen either.
    let unseen = "\u{2800}\u{301}\u{3164}";
    let phrase = format!("meet now: {unseen}");
    world.chat.say("ana", "dev", &phrase).await;
    let card = world.card("dev", "**Dev meeting**").await;
    world.room().await;
    let link = link_of(&card);
    let minted = world.conference.count("room.token");
    for name in [
        unseen,
        "\u{200B}\u{2060}",
        "\u{115F}\u{1160}\u{FFA0}",
        "\u{301}\u{302}",
        "\u{202E} \u{AD}",
    ] {
        let sent = join(&link, name).await;
        assert_eq!(sent.status(), 400, "{name:?}");
        let page = sent.text().await.unwrap();
        assert!(page.contains("Please write the name"), "{page}");
    }
    assert_eq!(world.conference.count("room.token"), minted);
    take_part(&world, &link, "李").await;
    world
        .see("the guest on the card", |chat| {
            let card = chat.post(&card.id)?;
            shown(card).contains("1: 李").then_some(())
        })
        .await;
    world.finish().await;
}
