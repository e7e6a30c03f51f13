//! `meetrelay why`: one meeting's story, from whatever a person has in hand.

use serde_json::Value;
use world::Fault;

use crate::harness::{World, eventually};

async fn why(world: &World, reference: &str) -> Value {
    let text = world.relay.cli_ok(&["why", reference, "--json"]).await;
    serde_json::from_str(&text).unwrap()
}

fn moments<'a>(why: &'a Value, what: &str) -> Vec<&'a Value> {
    let timeline = why["timeline"].as_array().unwrap();
    timeline
        .iter()
        .filter(|moment| moment["what"] == what)
        .collect()
}

fn events(why: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    moments(why, "event")
        .iter()
        .map(|event| (text(&event["event"]), text(&event["effect"])))
        .collect()
}

#[tokio::test]
async fn whole_story_of_a_troubled_meeting_is_told_from_every_id() {
    let world = World::start().await;
    let answer = |status, body: &str| Fault::Answer {
        status,
        body: body.to_owned(),
        headers: vec![],
    };
    world
        .conference
        .faults()
        .next("room.create", 1, answer(500, "{}"));
    world.refuse_cards();
    world.conference.double_webhooks("participant_joined", None);
    world.conference.lose_webhooks("session_ended", None);
    world.conference.lose_webhooks("room_finished", None);
    let trigger = world.chat.say("ana", "dev", "meet now: troubled").await;
    let room = world.room().await.room_id;
    world
        .relay
        .await_log("a dead letter waits for a person")
        .await;
    world.chat.faults().clear();
    let replay = ["dead-letters", "replay", "--all", "--yes"];
    let card = eventually("the card, replayed", async || {
        world.relay.cli(&replay).await;
        world.cards("dev").first().cloned()
    })
    .await;
    world.conference.join(&room, "Ana", "u-ana").unwrap();
    world.relay.await_log("duplicate event ignored").await;
    world.conference.end_room(&room);
    world
        .see("the end, found by asking", |chat| {
            let post = chat.post(&card.id)?;
            post.message.contains("ended").then_some(())
        })
        .await;
    let told = why(&world, &room).await;
    let happened = events(&told);
    for (event, effect) in [
        ("meeting_requested", "applied"),
        ("room_created", "applied"),
        ("job_given_up", "applied"),
        ("job_replayed", "applied"),
        ("person_joined", "applied"),
        ("person_joined", "duplicate"),
        ("room_polled", "applied"),
    ] {
        let event = (event.to_owned(), effect.to_owned());
        assert!(
            happened.contains(&event),
            "{event:?} is not in {happened:?}"
        );
    }
    assert!(
        !happened.iter().any(|(event, _)| event == "session_ended"),
        "{happened:?}"
    );
    let creates: Vec<(&str, &str)> = moments(&told, "attempt")
        .iter()
        .filter(|attempt| attempt["job"] == "CreateRoom:room")
        .map(|create| {
            (
                create["ending"].as_str().unwrap(),
                create["detail"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(creates.len(), 2, "{told}");
    assert!(
        creates[0].0 == "again" && creates[0].1.contains("500"),
        "{creates:?}"
    );
    assert_eq!(creates[1], ("done", ""));
    let given_up = moments(&told, "attempt");
    let given_up = given_up
        .iter()
        .find(|attempt| attempt["ending"] == "given_up");
    assert!(
        given_up.unwrap()["job"]
            .as_str()
            .unwrap()
            .starts_with("RefreshCard"),
        "{told}"
    );
    assert_eq!(moments(&told, "note")[0]["action"], "replay");
    assert_eq!(moments(&told, "posted")[0]["post_id"], card.id.as_str());
    assert_eq!(told["meeting"]["state"], "ended");
    let meeting = told["meeting"]["id"].as_str().unwrap();
    let link = card.attachments()[0]["title_link"]
        .as_str()
        .unwrap()
        .to_owned();
    let session = told["meeting"]["sessions"][0].as_str().unwrap();
    let references = [
        meeting.to_owned(),
        session.to_owned(),
        trigger.clone(),
        format!("{}/eng/pl/{}", world.chat.url(), card.id),
        link.clone(),
        format!(
            "That did not work. ref {}",
            moments(&told, "event")[0]["event_id"].as_str().unwrap()
        ),
    ];
    for reference in &references {
        assert_eq!(
            why(&world, reference).await["meeting"]["id"],
            meeting,
            "{reference}"
        );
    }
    let text = world.relay.cli_ok(&["why", &link]).await;
    let token = link.rsplit('/').next().unwrap();
    assert!(!text.contains(token), "a link is a key: {text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    assert!(text.contains("by hand: replay of"), "{text}");
    world.finish().await;
}

#[tokio::test]
async fn what_made_no_meeting_is_told_too() {
    let world = World::start().await;
    world
        .chat
        .command("ana", "dev", "/plugnmeet end", None)
        .await;
    world.relay.await_log("end_requested").await;
    let log = world.relay.log();
    let id = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["event.kind"] == "end_requested" && line["event.id"].is_string())
        .map(|line| line["event.id"].as_str().unwrap().to_owned())
        .expect("the event's id is logged");
    let told = eventually("the event to be applied", async || {
        let told = why(&world, &id).await;
        let is_applied = told["is"] == "event";
        let young = told["told"].to_string();
        let is_young = young.contains("may still be in the events queue");
        assert!(is_applied || is_young, "{told}");
        is_applied.then_some(told)
    })
    .await;
    assert!(
        told["told"].to_string().contains("concerned no meeting"),
        "{told}"
    );
    let unknown = world
        .relay
        .cli_ok(&["why", "01900000-0000-7000-8000-000000000000"])
        .await;
    assert!(unknown.contains("Nothing is stored under"), "{unknown}");
    assert!(unknown.contains("never accepted"), "{unknown}");
    let nonsense = world.relay.cli(&["why", "what", "is", "this"]).await;
    assert_eq!(nonsense.status.code(), Some(2));
    world.finish().await;
}
