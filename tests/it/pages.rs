//! The pages, as a browser without script meets them.

use world::plugnmeet::CANARY;

use crate::harness::{World, client, eventually, link_in, page_with};

#[tokio::test]
async fn own_link_needs_no_name_and_the_same_link_is_the_recap_afterwards() {
    let world = World::start().await;
    let answer = world
        .chat
        .command("bob", "dev", "/plugnmeet start Retro", None)
        .await;
    let link = link_in(&answer.text, "/join/");
    let card = world.card("dev", "Retro").await;
    let room = world.room().await;
    let http = client();
    let page = http.get(&link).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers().contains_key("content-security-policy"));
    let body = page.text().await.unwrap();
    assert!(
        body.contains("Retro") && !body.contains("access_token"),
        "{body}"
    );
    let before = world.conference.count("room.token");
    assert_eq!(before, 0, "a preview's GET mints nothing");
    let sent = http.post(&link).form(&[("x", "")]).send().await.unwrap();
    assert_eq!(sent.status(), 303);
    assert_eq!(sent.headers()["cache-control"], "no-store");
    assert_eq!(sent.headers()["referrer-policy"], "no-referrer");
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    let token = location.split("access_token=").nth(1).unwrap();
    let (joined, name) = world.conference.join_with_token(token).unwrap();
    assert_eq!(
        (joined.as_str(), name.is_empty()),
        (room.room_id.as_str(), false)
    );
    world.conference.start_recording(&room.room_id).unwrap();
    world.conference.finish_recording(&room.room_id).unwrap();
    assert!(world.conference.end_room(&room.room_id));
    let reply = world
        .see("the recording's link", |chat| {
            chat.thread(&card.id)
                .into_iter()
                .find(|post| post.message.contains("/artifact/"))
        })
        .await;
    world
        .see("the end", |chat| {
            chat.post(&card.id)
                .filter(|post| post.message.contains("ended"))
                .map(|_| ())
        })
        .await;
    let recap = http.get(&link).send().await.unwrap().text().await.unwrap();
    assert!(
        recap.contains(&name) && recap.contains("Recording"),
        "{recap}"
    );
    assert!(!recap.contains(CANARY));

    let artifact = link_in(&reply.message, "/artifact/");
    let page = http.get(&artifact).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(
        world.conference.count("recording.token"),
        0,
        "the page mints nothing"
    );
    let preview = http.head(format!("{artifact}/file")).send().await.unwrap();
    assert!(!preview.status().is_redirection() || preview.headers().get("location").is_none());
    let file = http.get(format!("{artifact}/file")).send().await.unwrap();
    assert_eq!(file.status(), 302);
    let address = file.headers()["location"].to_str().unwrap();
    assert!(address.starts_with(&format!("{}/download/recording/", world.conference.url())));
    let video = http.get(address).send().await.unwrap();
    assert_eq!(video.status(), 200);
    world.finish().await;
}

#[tokio::test]
async fn link_given_out_before_the_room_exists_waits_and_then_joins() {
    let world = World::start().await;
    world.conference.stop().await;
    let answer = world
        .chat
        .command("bob", "dev", "/plugnmeet start Early", None)
        .await;
    let link = link_in(&answer.text, "/join/");
    let http = client();
    let waiting = http.get(&link).send().await.unwrap();
    assert_eq!(waiting.status(), 200);
    let body = waiting.text().await.unwrap();
    assert!(
        body.contains("http-equiv=\"refresh\""),
        "the page looks again by itself: {body}"
    );
    world.conference.resume().await.unwrap();
    eventually("the link to join in the end", async || {
        let form = http.post(&link).form(&[("name", "Bob")]);
        let sent = form.send().await.unwrap();
        let location = sent.headers().get("location")?.to_str().unwrap();
        (sent.status() == 303 && location.contains("access_token=")).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn link_of_the_card_asks_for_a_name_and_keeps_the_person() {
    let world = World::start().await;
    let (card, _) = world.meeting("dev", "open house").await;
    let text = card.attachments()[0]["text"].as_str().unwrap().to_owned();
    let link = link_in(&text, "/join/");
    let http = client();
    let page = http.get(&link).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("name=\"name\""), "{page}");
    let nameless = http.post(&link).form(&[("name", "  ")]).send().await;
    assert_eq!(nameless.unwrap().status(), 400);
    assert_eq!(world.conference.count("room.token"), 0);

    let sent = http.post(&link).form(&[("name", "Visitor")]).send().await;
    let sent = sent.unwrap();
    assert_eq!(sent.status(), 303);
    let cookie = sent.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let again = http
        .post(&link)
        .header("cookie", cookie)
        .form(&[("name", "Visitor")])
        .send()
        .await
        .unwrap();
    let mut people = Vec::new();
    for answer in [sent, again] {
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let token = location.split("access_token=").nth(1).unwrap();
        let (room, name) = world.conference.join_with_token(token).unwrap();
        assert_eq!(name, "Visitor");
        let inside = world.conference.room(&room).unwrap().participants;
        people.push(inside[0].0.clone());
        world.conference.leave_with_token(token).unwrap();
    }
    assert!(people[0].starts_with("g-"), "{people:?}");
    assert_eq!(people[0], people[1], "a rejoin is the same person");
    world.finish().await;
}

#[tokio::test]
async fn link_of_a_second_start_leads_to_the_running_meeting_and_a_forged_one_nowhere() {
    let world = World::start().await;
    let start =
        |user: &'static str, line: &'static str| world.chat.command(user, "dev", line, None);
    start("bob", "/plugnmeet start First").await;
    world.card("dev", "First").await;
    let answer = start("ana", "/plugnmeet start Second").await;
    let link = link_in(&answer.text, "/join/");
    world
        .see("the offer", |chat| {
            let said = chat.ephemerals("ana");
            said.iter()
                .any(|e| e.text.contains("already"))
                .then_some(())
        })
        .await;
    // The page waits by itself until the request is applied.
    let page = page_with(&link, "Join the meeting").await;
    let http = client();
    assert!(page.contains("First"), "{page}");
    let end = if link.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{end}", &link[..link.len() - 1]);
    assert_eq!(http.get(&forged).send().await.unwrap().status(), 404);
    assert_eq!(http.post(&forged).send().await.unwrap().status(), 404);
    world.finish().await;
}
