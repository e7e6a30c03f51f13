//! Text that would be more than text somewhere (I24).

use crate::harness::client;

use super::door::{Door, FORM, OUTGOING};
use super::raw::{post, request};

#[tokio::test]
async fn i24_texts_and_names_stay_text_wherever_they_are_shown() {
    let door = Door::open().await;
    let world = &door.world;
    let title = "{{ 7*1301 }} {% raw %} @all @channel <script>alert(1)</script> [free](http://evil.example) <!here> \r\nX-Evil: 1";
    let post_id = door.a_post("dev").await;
    let form = door.form(&[
        ("post_id", &post_id),
        ("text", &format!("meet now: {title}")),
        ("user_name", "ana\r\nX-Evil: {{ 7*1301 }} @here"),
        ("channel_name", "dev{{ 7*1301 }}\r\nX-Evil: 1"),
        ("team_domain", "{{ 7*1301 }}\u{202e}"),
    ]);
    let answer = door.say(post(OUTGOING, FORM, form)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        !answer.text.to_lowercase().contains("x-evil"),
        "{}",
        answer.text
    );
    let card = world
        .see("the card", |chat| {
            let mut posts = chat.posts("dev").into_iter();
            posts.rfind(|post| !post.attachments().is_empty())
        })
        .await;
    let shown = format!("{} {}", card.message, card.attachments()[0]);
    for live in [
        "9107",
        "@all",
        "@channel",
        "@here",
        "<!here>",
        "<script>",
        "](http://evil.example)",
    ] {
        assert!(!shown.contains(live), "{live} is live in {shown}");
    }
    assert!(
        shown.contains("{{ 7") && shown.contains("X-Evil: 1"),
        "it is shown as it is: {shown}"
    );
    // The page behind its link shows the same title as HTML.
    let link = shown.split("/join/").nth(1).unwrap();
    let link: String = link
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    let page = format!("{}/join/{link}", world.relay.ports.public_url());
    world.room().await;
    let page = client().get(page).send().await.unwrap();
    assert!(page.headers().get("x-evil").is_none());
    let page = page.text().await.unwrap();
    assert!(
        page.contains("{{ 7∗1301 }}") && page.contains("alert(1)"),
        "{page}"
    );
    assert!(
        !page.contains("<script") && !page.contains("href=\"http://evil"),
        "{page}"
    );
    // What comes in headers comes out nowhere.
    let headers = "X-Request-Id: CANARY\r\ntraceparent: CANARY\r\nX-Forwarded-Host: CANARY\r\n";
    let answer = door.say(request("GET", "/healthz", headers, "")).await;
    door.assert_quiet("headers", &answer.text);
    // A million characters become a title like any other: the chat refuses longer posts, and this one stands.
    let post_id = door.a_post("weekly").await;
    let body = door.form(&[
        (
            "text",
            &format!("meet now: long {}", "@all ".repeat(200_000)),
        ),
        ("post_id", &post_id),
        ("channel_id", &world.chat.channel("weekly").id),
        ("channel_name", "weekly"),
    ]);
    let answer = door.say(post(OUTGOING, FORM, &body)).await;
    assert_eq!(
        answer.status, 413,
        "encoded it is over the limit: {}",
        answer.text
    );
    let body = body.replace("%40all+", "all+");
    assert!(body.len() < 1024 * 1024);
    let answer = door.say(post(OUTGOING, FORM, &body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let card = world.card("weekly", "long").await;
    let length = card.message.chars().count() + card.attachments()[0].to_string().chars().count();
    assert!(length < 3000, "{length} characters");
    door.world.finish().await;
}
