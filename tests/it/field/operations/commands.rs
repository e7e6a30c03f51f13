//! Commands of operators, and what the log says of a meeting (row 30).

use serde_json::Value;

use crate::harness::{PATIENCE, Setup, World, eventually};

#[tokio::test]
async fn f30_every_command_takes_what_why_takes() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "by any name").await;
    world.relay.await_log("\"room_created\"").await;
    let listed = world.relay.cli_ok(&["meetings", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let id = listed["meetings"][0]["id"].as_str().unwrap().to_owned();
    let told = world.relay.cli_ok(&["why", &id, "--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let event = told["timeline"][0]["event_id"].as_str().unwrap().to_owned();
    let permalink = format!("{}/eng/pl/{}", world.chat.url(), card.id);
    let error = format!("something failed, ref {event}.");
    for reference in [
        id.as_str(),
        &room.room_id,
        &card.id,
        &permalink,
        &event,
        &error,
    ] {
        let shown = world.relay.cli_ok(&["meetings", "show", reference]).await;
        assert!(shown.contains(&id), "{reference}: {shown}");
        let filter = ["dead-letters", "list", "--meeting", reference];
        let letters = world.relay.cli_ok(&filter).await;
        assert!(letters.contains("no dead letters"), "{letters}");
    }
    for (arguments, code) in [
        // There is no such thing, and: this is no name of anything.
        (["meetings", "show", "mm-nothing"], 1),
        (["meetings", "end", "two words"], 2),
        (["dead-letters", "show", &permalink], 1),
        (["why", "--json", "nonsense"], 1),
    ] {
        let output = world.relay.cli(&arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
    world.relay.cli_ok(&["meetings", "end", &permalink]).await;
    world
        .conference
        .wait_for("the end", PATIENCE, |fake| {
            let rooms = fake.rooms();
            rooms.iter().all(|room| !room.is_running()).then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn f30_dead_letter_is_found_by_the_meeting_that_it_belongs_to() {
    let world = World::start().await;
    world.refuse_cards();
    world.chat.say("ana", "dev", "meet now: stuck").await;
    let room = world.room().await;
    let show = ["dead-letters", "show", &room.room_id];
    let shown = eventually("the dead letter of the room", async || {
        let output = world.relay.cli(&show).await;
        let is_there = output.status.success();
        is_there.then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    })
    .await;
    assert!(shown.contains("RefreshCard"), "{shown}");
    world.chat.faults().clear();
    world
        .relay
        .cli_ok(&["dead-letters", "replay", &room.room_id])
        .await;
    world.card("dev", "stuck").await;
    world.finish().await;
}

#[tokio::test]
async fn f30_log_at_info_has_a_few_lines_for_a_meeting_each_with_the_event() {
    let world = Setup::default().set("LOG__LEVEL", "info").start().await;
    let (card, room) = world.meeting("dev", "quiet").await;
    world.join(&room, "Ana");
    world.relay.await_log("somebody joined").await;
    assert!(world.conference.end_room(&room.room_id));
    world
        .see("the end", |chat| {
            let text = chat.post(&card.id)?.attachments()[0].to_string();
            (!text.contains("Join the meeting")).then_some(())
        })
        .await;
    world.relay.await_log("the meeting has ended").await;
    let log = world.relay.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"meeting.id\"") || line.contains("\"event.id\""))
        .collect();
    let text = lines.join("\n");
    for words in [
        "meeting asked for by a post",
        "room created",
        "card posted",
        "somebody joined",
        "the meeting has ended",
    ] {
        assert_eq!(text.matches(words).count(), 1, "{words}:\n{text}");
    }
    assert!(lines.len() <= 8, "{} lines:\n{text}", lines.len());
    assert!(
        lines.iter().all(|line| line.contains("\"event.id\"")),
        "{text}"
    );
    world.finish().await;
}

#[tokio::test]
async fn f30_first_line_tells_the_commit() {
    let world = World::start().await;
    let log = world.relay.log();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let revision = first["revision"].as_str().unwrap();
    let git = std::process::Command::new("git")
        .args(["rev-parse", "--show-toplevel"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let is_repository = git.is_ok_and(|output| {
        output.status.success()
            && String::from_utf8_lossy(&output.stdout).trim() == env!("CARGO_MANIFEST_DIR")
    });
    if is_repository {
        assert!(
            revision.len() >= 7 && revision.bytes().all(|b| b.is_ascii_hexdigit()),
            "{revision}"
        );
    }
    world.finish().await;
}
