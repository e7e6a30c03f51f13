//! The way from a link into the room.

use world::mattermost::Post;

use crate::harness::{World, client, link_in};

fn shown(post: &Post) -> String {
    post.attachments()[0].to_string()
}

/// A meeting that runs, with its card and the link on it.
async fn running(world: &World) -> (Post, String) {
    let (card, room) = world.meeting("dev", "open house").await;
    let link = link_in(&shown(&card), "/join/");
    let sid = world.conference.rooms()[0].sid.clone();
    assert_eq!(room.sid, sid);
    (card, link)
}

/// Joins as the form does; gives the cookies and the token for the room.
async fn join(link: &str, name: &str, cookies: &str) -> (Vec<String>, String) {
    let sent = client()
        .post(link)
        .header("cookie", cookies.as_bytes())
        .form(&[("name", name)])
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 303);
    let set = sent.headers().get_all("set-cookie").iter();
    let set = set.map(|cookie| {
        let cookie = cookie.to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    });
    let location = sent.headers()["location"].to_str().unwrap();
    let token = location.split("access_token=").nth(1).unwrap();
    (set.collect(), token.to_owned())
}

async fn status_of(address: String) -> u16 {
    client()
        .get(address)
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn f9_links_survive_what_texts_do_to_them() {
    let world = World::start().await;
    let (card, open) = running(&world).await;
    let answer = world
        .chat
        .command("bob", "weekly", "/plugnmeet start Retro", None)
        .await;
    let own = link_in(&answer.text, "/join/");
    let room = world.conference.rooms()[0].room_id.clone();
    let (_, token) = join(&open, "Zoë", "").await;
    world.conference.join_with_token(&token).unwrap();
    world.conference.start_recording(&room).unwrap();
    world.conference.finish_recording(&room).unwrap();
    let reply = world
        .see("the recording's link", |chat| {
            let mut thread = chat.thread(&card.id).into_iter();
            thread.find(|post| post.message.contains("/artifact/"))
        })
        .await;
    let artifact = link_in(&reply.message, "/artifact/");
    for link in [open, own, artifact] {
        assert!(
            link.ends_with(|c: char| c.is_ascii_alphanumeric()),
            "{link}"
        );
        for behind in [
            "",
            ".",
            ")",
            ",",
            "%3E",
            "%20",
            "*",
            "_",
            "**.",
            "%E2%80%9D",
            "/",
        ] {
            let status = status_of(format!("{link}{behind}")).await;
            assert_eq!(status, 200, "{behind}");
        }
        assert_eq!(status_of(format!("{link}.html")).await, 404);
        assert_eq!(
            status_of(format!("{}x", &link[..link.len() - 4])).await,
            404
        );
    }
    world.finish().await;
}

#[tokio::test]
async fn f10_browser_with_many_cookies_is_one_person() {
    let world = World::start().await;
    let (card, link) = running(&world).await;
    let mut kept = String::new();
    let mut guests = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let cookies = format!("other={}; città=Zürich; {kept}", "x".repeat(9000));
        let (set, token) = join(&link, "Zoë", &cookies).await;
        guests.insert(set[0].clone());
        kept = set.join("; ");
        world.conference.join_with_token(&token).unwrap();
    }
    assert_eq!(guests.len(), 1, "{guests:?}");
    world
        .see("one person", |chat| {
            let card = chat.post(&card.id)?;
            shown(card).contains("1: Zoë").then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn f29_typed_name_is_remembered_and_a_foreign_form_is_refused() {
    let world = World::start().await;
    let (card, link) = running(&world).await;
    let (set, token) = join(&link, "Zoë <b>", "").await;
    world.conference.join_with_token(&token).unwrap();
    let page = client()
        .get(&link)
        .header("cookie", set.join("; "))
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("value=\"Zoë &lt;b&gt;\""), "{page}");
    let page = client().get(&link).send().await.unwrap().text().await;
    assert!(page.unwrap().contains("value=\"\""), "a stranger is asked");

    let minted = world.conference.count("room.token");
    let own = world.relay.ports.public_url();
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        (own.as_str(), 303),
    ] {
        let sent = client()
            .post(&link)
            .header("origin", origin)
            .form(&[("name", "Eve")])
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), status, "{origin}");
    }
    assert_eq!(world.conference.count("room.token"), minted + 1);
    // Another browser under the same name is another person.
    let (other, token) = join(&link, "Zoë <b>", "").await;
    world.conference.join_with_token(&token).unwrap();
    assert_ne!(other[0], set[0]);
    world
        .see("two people", |chat| {
            let card = chat.post(&card.id)?;
            shown(card).contains("2: Zoë").then_some(())
        })
        .await;
    world.finish().await;
}
