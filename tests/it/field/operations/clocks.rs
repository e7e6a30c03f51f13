//! A clock that was ahead and is set right (row 2), and a machine without time zones (row 3).

use tempfile::TempDir;
use tokio::process::Command;
use world::Fault;

use crate::harness::{PATIENCE, Setup, World};

/// The clock of a relay, in a file.
struct Clock(TempDir);

impl Clock {
    fn ahead_by(seconds: i64) -> Self {
        let clock = Self(tempfile::tempdir().unwrap());
        clock.set(seconds);
        clock
    }

    fn set(&self, seconds: i64) {
        let millis = (seconds * 1000).to_string();
        std::fs::write(self.0.path().join("offset"), millis).unwrap();
    }

    async fn world(&self) -> World {
        let file = self.0.path().join("offset");
        Setup::default()
            .variable("MEETRELAY_CLOCK_FILE", file.to_str().unwrap())
            .start()
            .await
    }
}

/// What Mattermost answers while its server restarts.
fn unavailable() -> Fault {
    Fault::Answer {
        status: 503,
        body: String::new(),
        headers: vec![],
    }
}

async fn card_follows_when_the_clock_is_set_right(seconds: i64, is_restarted: bool) {
    let clock = Clock::ahead_by(seconds);
    let mut world = clock.world().await;
    world.chat.faults().set("posts.create", unavailable());
    world.chat.say("ana", "dev", "meet now: too early").await;
    world.relay.await_log("job will be tried again").await;
    if is_restarted {
        world.relay.kill().await;
    }
    clock.set(0);
    world.chat.faults().clear();
    if is_restarted {
        world.relay.start_again().await;
    }
    world.card("dev", "too early").await;
    world.room().await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn f2_card_follows_a_clock_that_is_set_back_by_an_hour() {
    card_follows_when_the_clock_is_set_right(3600, false).await;
}

#[tokio::test]
async fn f2_card_follows_a_clock_that_is_set_back_by_an_hour_across_a_restart() {
    card_follows_when_the_clock_is_set_right(3600, true).await;
}

#[tokio::test]
async fn f2_card_follows_a_clock_that_is_set_back_by_70_seconds() {
    card_follows_when_the_clock_is_set_right(70, false).await;
}

#[tokio::test]
async fn f2_card_follows_a_clock_that_is_set_back_by_70_seconds_across_a_restart() {
    card_follows_when_the_clock_is_set_right(70, true).await;
}

/// Nothing waits in the queue: the time to ask again stands in the store alone.
#[tokio::test]
async fn f2_end_is_found_by_asking_after_the_clock_was_set_back() {
    let clock = Clock::ahead_by(3600);
    let mut world = clock.world().await;
    world.conference.lose_webhooks("session_ended", None);
    world.conference.lose_webhooks("room_finished", None);
    let (card, room) = world.meeting("dev", "lost").await;
    world
        .conference
        .wait_for("a poll", PATIENCE, |fake| {
            (fake.count("room.active") > 0).then_some(())
        })
        .await;
    world.relay.kill().await;
    clock.set(0);
    assert!(world.conference.end_room(&room.room_id));
    world.relay.start_again().await;
    world
        .see("the end", |chat| {
            let text = chat.post(&card.id)?.attachments()[0].to_string();
            (!text.contains("Join the meeting")).then_some(())
        })
        .await;
    world.finish().await;
}

/// A file of time zones with nothing but UTC under another name.
fn poor_time_zones() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut zone = b"TZif\0".to_vec();
    zone.extend([0; 15]);
    for count in [0u32, 0, 0, 0, 1, 4] {
        zone.extend(count.to_be_bytes());
    }
    zone.extend([0, 0, 0, 0, 0, 0]);
    zone.extend(b"UTC\0");
    std::fs::write(folder.path().join("Only"), zone).unwrap();
    folder
}

#[tokio::test]
async fn f3_every_time_zone_works_on_a_machine_without_any() {
    let empty = tempfile::tempdir().unwrap();
    let poor = poor_time_zones();
    for zones in [empty.path(), poor.path(), "/nonexistent".as_ref()] {
        for (zone, shown) in [
            (None, "time_zone = \"UTC\""),
            (Some("Europe/Berlin"), "time_zone = \"Europe/Berlin\""),
            (Some("Pacific/Chatham"), "time_zone = \"Pacific/Chatham\""),
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_meetrelay"));
            command.args(["config", "show"]).current_dir(empty.path());
            command.env_clear().env("TZDIR", zones);
            if let Some(zone) = zone {
                command.env("MEETRELAY__CARD__TIME_ZONE", zone);
            }
            let output = command.output().await.unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{zones:?}: {output:?}");
            assert!(said.contains(shown), "{zones:?}: {said}");
        }
    }
}
