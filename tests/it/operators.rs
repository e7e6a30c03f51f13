//! What an administrator does from the command line.

use serde_json::Value;

use crate::harness::{PATIENCE, World};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The objects of a listing, whatever it is wrapped in.
fn rows(text: &str) -> Vec<Value> {
    match json(text) {
        Value::Array(rows) => rows,
        Value::Object(object) => object
            .into_iter()
            .find_map(|(_, value)| value.as_array().cloned())
            .expect("a listing has a list"),
        other => panic!("no listing: {other}"),
    }
}

#[tokio::test]
async fn dead_letter_is_listed_shown_and_replayed_into_one_card() {
    let world = World::start().await;
    world.refuse_cards();
    world.chat.say("ana", "dev", "meet now: stuck").await;
    let id = world.relay.dead_letter().await;
    let shown = world.relay.cli_ok(&["dead-letters", "show", &id]).await;
    assert!(shown.contains("RefreshCard"), "{shown}");
    assert!(shown.contains("refuses"), "{shown}");
    world.chat.faults().clear();
    world.relay.cli_ok(&["dead-letters", "replay", &id]).await;
    world.card("dev", "stuck").await;
    let left = world.relay.dead_letters().await;
    assert!(
        left.iter().all(|letter| letter["id"] != id.as_str()),
        "{left:?}"
    );
    let again = world.relay.cli(&["dead-letters", "replay", &id]).await;
    assert_eq!(again.status.code(), Some(1), "a second replay finds none");
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn discarded_dead_letter_is_gone() {
    let world = World::start().await;
    world.refuse_cards();
    world.chat.say("ana", "dev", "meet now").await;
    let id = world.relay.dead_letter().await;
    world.relay.cli_ok(&["dead-letters", "discard", &id]).await;
    let left = world.relay.dead_letters().await;
    assert!(
        left.iter().all(|letter| letter["id"] != id.as_str()),
        "{left:?}"
    );
    world.finish().await;
}

#[tokio::test]
async fn meetings_are_listed_shown_and_ended_from_the_command_line() {
    let world = World::start().await;
    let (card, room) = world.meeting("dev", "weekly sync").await;
    let listed = rows(&world.relay.cli_ok(&["meetings", "list", "--json"]).await);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed[0]["room"], room.room_id.as_str(), "{listed:?}");
    let shown = world.relay.cli_ok(&["meetings", "show", &id]).await;
    assert!(
        shown.contains("weekly sync") && shown.contains(&room.room_id),
        "{shown}"
    );
    world.relay.cli_ok(&["meetings", "end", &id]).await;
    world
        .see("the end", |chat| {
            let post = chat.post(&card.id)?;
            (!post.attachments()[0]
                .to_string()
                .contains("Join the meeting"))
            .then_some(())
        })
        .await;
    world
        .conference
        .wait_for("the room to be ended", PATIENCE, |fake| {
            fake.rooms()
                .iter()
                .all(|room| !room.is_running())
                .then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn one_event_id_leads_from_the_webhook_to_the_card_in_the_log() {
    let world = World::start().await;
    world.card_of("ana", "dev", "traced").await;
    world.relay.await_log("card posted").await;
    let log = world.relay.log();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(!lines.is_empty(), "the log is JSON lines:\n{log}");
    let posted = lines
        .iter()
        .find(|line| line.to_string().contains("card posted"))
        .unwrap();
    let text = posted.to_string();
    let accepted = lines
        .iter()
        .find(|line| line.to_string().contains("meeting_requested"))
        .expect("the trigger is logged");
    let id = uuid_in(&accepted["event.id"].to_string())
        .or_else(|| uuid_in(&accepted.to_string()))
        .expect("the trigger's line has an event id");
    assert!(text.contains(&id), "the card's line {text} carries {id}");
    for line in log.lines() {
        for stray in ["event", "kind", "meeting", "room", "sid", "attempt"] {
            let stray = format!("\"{stray}\":");
            assert!(!line.contains(&stray), "{stray} has another name: {line}");
        }
        let targets = line.matches("\"target\":").count();
        assert!(targets <= 1, "one name, one value: {line}");
    }
    world.finish().await;
}

fn uuid_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '-')
        .find(|word| word.len() == 36 && word.matches('-').count() == 4)
        .map(str::to_owned)
}

#[tokio::test]
async fn probes_and_metrics_tell_the_truth() {
    let world = World::start().await;
    let http = crate::harness::client();
    let admin = world.relay.ports.admin_url();
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = http.get(format!("{admin}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    world.card_of("ana", "dev", "counted").await;
    // The card is seen before the relay has its answer: counted is it only then.
    world.relay.await_log("card posted").await;
    let metrics = http
        .get(format!("{admin}/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
    };
    assert!(value(r#"meetrelay_triggers_accepted_total{kind="outgoing_webhook"}"#) >= 1.0);
    assert!(value(r#"meetrelay_trigger_to_card_seconds_count{kind="outgoing_webhook"}"#) >= 1.0);
    assert_promtool_likes(&metrics);
    let denied = http
        .get(format!("{admin}/api/meetings"))
        .send()
        .await
        .unwrap();
    assert_eq!(denied.status(), 401, "the admin API asks for its token");
    world.finish().await;
}

/// The real Prometheus tool reads the page and finds nothing to complain about.
fn assert_promtool_likes(metrics: &str) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed by tests/run");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}
