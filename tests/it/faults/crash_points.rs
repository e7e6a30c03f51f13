//! Row Q17, the workers' part: killed at every step of its work, the relay does each thing once.
//!
//! Each test takes one place of src/crash_point.rs and goes through the kinds of work that come there. What an event
//! or job does is idempotent or looked up before it is repeated, so that nothing at all is doubled in the chat; calls
//! may be made twice, which plugNmeet and Mattermost cannot tell from once.

use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, World, eventually};

/// What the process is killed over: a text of the event or job, and the stage of the meeting at which it comes.
#[derive(Clone, Copy)]
struct Step {
    over: &'static str,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Somebody asks for the meeting.
    Asked,
    /// It has left a recording.
    Recorded,
    /// It is over.
    Over,
}

const EVENTS: [Step; 4] = [
    Step {
        over: "MeetingRequested",
        stage: Stage::Asked,
    },
    Step {
        over: "RoomCreated",
        stage: Stage::Asked,
    },
    Step {
        over: "ArtifactCreated",
        stage: Stage::Recorded,
    },
    Step {
        over: "SessionEnded",
        stage: Stage::Over,
    },
];

const JOBS: [Step; 4] = [
    Step {
        over: ":CreateRoom:",
        stage: Stage::Asked,
    },
    // The first card.
    Step {
        over: ":RefreshCard:",
        stage: Stage::Asked,
    },
    Step {
        over: ":PostArtifact:",
        stage: Stage::Recorded,
    },
    // The card's last change.
    Step {
        over: ":RefreshCard:",
        stage: Stage::Over,
    },
];

const CHANNELS: [&str; 4] = ["dev", "weekly", "town-square", "off-topic"];

/// One meeting from its trigger to its end, in the course of which the relay is killed once.
async fn live_through(world: &mut World, place: &str, step: Step, channel: &str) {
    let trap = format!("{place}@{}", step.over);
    let title = format!("talk in {channel}");
    let rooms = world.conference.rooms().len();
    arm(world, &trap, step.stage == Stage::Asked).await;
    world
        .chat
        .say("ana", channel, &format!("meet now: {title}"))
        .await;
    survive(world, &trap, step.stage == Stage::Asked).await;
    let card = world
        .see("the card with its room", |chat| {
            let mut posts = chat.posts(channel).into_iter();
            posts.find(|post| {
                post.attachments()
                    .iter()
                    .any(|a| a.to_string().contains("/join/"))
            })
        })
        .await;
    let room = world
        .conference
        .wait_for("the room", PATIENCE, |fake| {
            fake.rooms().get(rooms).cloned()
        })
        .await;
    let id = room.room_id;

    arm(world, &trap, step.stage == Stage::Recorded).await;
    world.conference.join(&id, "Ana", "u-ana").unwrap();
    world.conference.start_recording(&id).unwrap();
    world.conference.finish_recording(&id).unwrap();
    survive(world, &trap, step.stage == Stage::Recorded).await;
    let reply = |chat: &world::mattermost::Model| {
        let mut replies = chat.thread(&card.id).into_iter();
        replies.find(|post| post.message.contains("/artifact/"))
    };
    world.see("the recording's reply", reply).await;

    arm(world, &trap, step.stage == Stage::Over).await;
    assert!(world.conference.end_room(&id));
    survive(world, &trap, step.stage == Stage::Over).await;
    let is_over = |chat: &world::mattermost::Model| {
        chat.post(&card.id)
            .is_some_and(|post| post.message.contains("ended"))
            .then_some(())
    };
    world.see("the ended notice", is_over).await;
    world.conference.settle_webhooks(PATIENCE).await;
    assert_eq!(world.cards(channel).len(), 1, "one card: {trap}");
    assert_eq!(world.chat.thread(&card.id).len(), 2, "one reply: {trap}");
    assert_eq!(
        world.conference.rooms().len(),
        rooms + 1,
        "one room: {trap}"
    );
}

/// Starts the relay anew with the trap, if it is this stage's.
async fn arm(world: &mut World, trap: &str, is_now: bool) {
    if is_now {
        quiet(world).await;
        world.relay.stop().await;
        world.relay.crash_at(trap);
        world.relay.start_again().await;
    }
}

/// Without work for so long, nothing is on its way that would spring the trap.
const QUIET: Duration = Duration::from_millis(500);

/// Waits until what came before is worked off, or it would spring the trap.
async fn quiet(world: &World) {
    let worked = || {
        let log = world.relay.log();
        let is_work = |line: &&str| {
            let is_done = line.contains("event applied") || line.contains("job attempted");
            is_done && !line.to_lowercase().contains("poll")
        };
        log.lines().filter(is_work).count()
    };
    world.conference.settle_webhooks(PATIENCE).await;
    let (mut before, mut since) = (worked(), Instant::now());
    eventually("half a second without work", async || {
        let now = worked();
        if now != before {
            (before, since) = (now, Instant::now());
        }
        (since.elapsed() >= QUIET).then_some(())
    })
    .await;
}

/// Waits for the death, and starts the relay without the trap.
async fn survive(world: &mut World, trap: &str, is_now: bool) {
    if is_now {
        world.relay.died(trap).await;
        world.relay.crash_nowhere();
        world.relay.start_again().await;
    }
}

async fn killed_at(place: &str, steps: [Step; 4]) {
    let mut world = World::start().await;
    for (step, channel) in steps.into_iter().zip(CHANNELS) {
        live_through(&mut world, place, step, channel).await;
    }
    let letters = world.relay.dead_letters().await;
    assert!(letters.is_empty(), "nothing was given up: {letters:?}");
    world.finish().await;
}

#[tokio::test]
async fn q17_killed_before_an_event_is_applied_it_is_applied_once() {
    killed_at("apply.begun", EVENTS).await;
}

#[tokio::test]
async fn q17_killed_between_commit_and_publish_every_job_is_done_once() {
    killed_at("apply.committed", EVENTS).await;
}

#[tokio::test]
async fn q17_killed_between_publish_and_acknowledgement_every_job_is_done_once() {
    killed_at("apply.published", EVENTS).await;
}

#[tokio::test]
async fn q17_killed_with_a_job_in_hand_it_is_done_once() {
    killed_at("job.leased", JOBS).await;
}

#[tokio::test]
async fn q17_killed_before_a_call_it_is_made_once() {
    killed_at("job.calling", JOBS).await;
}

#[tokio::test]
async fn q17_killed_after_a_call_its_effect_is_there_once() {
    killed_at("job.called", JOBS).await;
}

#[tokio::test]
async fn q17_killed_after_the_attempt_is_kept_its_effect_is_there_once() {
    killed_at("job.recorded", JOBS).await;
}

#[tokio::test]
async fn q17_killed_after_a_job_is_settled_the_next_one_follows() {
    killed_at("job.settled", JOBS).await;
}
