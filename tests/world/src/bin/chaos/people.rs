//! What people do with one meeting, from its trigger to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use world::mattermost::{ChannelKind, Delivery};
use world::plugnmeet::Outcome;

use super::ledger::{Asked, Fate, Ledger, Told, What};
use super::plan::{EndBy, Life, StartBy};
use super::stage::Stage;

/// How long people wait for their room; afterwards only the ledger does.
const ROOM_LIMIT: Duration = Duration::from_secs(45);
/// How long an integration's answer is waited for: beyond Mattermost's own patience.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// How long a room's webhooks may take to come to their end: three attempts.
const WEBHOOKS_LIMIT: Duration = Duration::from_secs(20);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const SUMMARY: &str = "<h3>Decisions</h3><ul><li>None was needed.</li></ul>";

/// The channel of a meeting.
pub fn channel_of(number: u32) -> String {
    format!("chaos-{number:05}")
}

/// The title of a meeting; ends with its number.
pub fn title_of(number: u32) -> String {
    format!("Chaos {number:05}")
}

/// Plays one meeting.
pub async fn live(stage: Arc<Stage>, ledger: Arc<Ledger>, life: Life) {
    let channel = channel_of(life.number);
    let members = ["alice", "bob", "meetrelay"];
    stage
        .chat
        .add_channel(&channel, &channel, ChannelKind::Public, &members);
    let title = title_of(life.number);
    let (first, again) = (
        start(&stage, &life, &channel, &title),
        again(&stage, &life, &channel, &title),
    );
    let (first, again) = tokio::join!(first, again);
    ledger.asked(first);
    again.into_iter().for_each(|asked| ledger.asked(asked));
    let Some(room) = await_room(&stage, &title).await else {
        return;
    };
    meet(&stage, &ledger, &life, &room).await;
    end(&stage, &ledger, &life, &channel, &room).await;
    afterwards(&stage, &ledger, &life, &room).await;
}

/// Ends every room that still runs: what nobody ended during the run.
pub fn end_all(stage: &Stage) {
    for room in stage.conference.rooms() {
        if room.is_running() {
            stage.conference.end_room(&room.sid);
        }
    }
}

async fn start(stage: &Stage, life: &Life, channel: &str, title: &str) -> Asked {
    match life.start {
        StartBy::Command => {
            command(
                stage,
                life,
                "alice",
                channel,
                What::Start,
                &format!("start {title}"),
            )
            .await
        }
        StartBy::Post => {
            let post = stage
                .chat
                .say("alice", channel, &format!("meet now: {title}"))
                .await;
            let answered = || stage.chat.delivery_of(&post);
            let delivery = until(ANSWER_LIMIT, answered).await;
            let fate = fate_of_post(delivery.as_ref());
            Asked {
                number: life.number,
                what: What::Start,
                channel: channel.to_owned(),
                is_post: true,
                response: String::new(),
                event: delivery.and_then(|one| one.request_id),
                fate,
                is_told: false,
            }
        }
    }
}

async fn again(stage: &Stage, life: &Life, channel: &str, title: &str) -> Option<Asked> {
    tokio::time::sleep(life.again?).await;
    Some(
        command(
            stage,
            life,
            "bob",
            channel,
            What::Again,
            &format!("start {title}"),
        )
        .await,
    )
}

async fn command(
    stage: &Stage,
    life: &Life,
    user: &str,
    channel: &str,
    what: What,
    words: &str,
) -> Asked {
    let answer = stage
        .chat
        .command(user, channel, &format!("/plugnmeet {words}"), None)
        .await;
    let delivery = stage.chat.delivery_of_command(&answer.response_id);
    let is_told = answer.text.contains("is running here already");
    let fate = match answer.error_id.as_str() {
        "" => fate_of_command(&answer.text),
        // The relay answered, and what it answered is hidden.
        "api.command.execute_command.failed_resp.app_error" => Fate::Silent(answer.error_text),
        _ => Fate::Lost(answer.error_text),
    };
    Asked {
        number: life.number,
        what,
        channel: channel.to_owned(),
        is_post: false,
        response: answer.response_id,
        event: delivery.and_then(|one| one.request_id),
        fate,
        is_told,
    }
}

/// 2xx: accepted. Otherwise its text stands in the channel.
fn fate_of_post(delivery: Option<&Delivery>) -> Fate {
    let Some(delivery) = delivery else {
        return Fate::Lost("no answer was logged".to_owned());
    };
    match &delivery.answer {
        Err(error) => Fate::Lost(error.clone()),
        Ok((200..300, _)) => Fate::Accepted,
        Ok((status, body)) => {
            let answer: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            match answer["text"].as_str() {
                Some(text) if text.contains("ref ") => Fate::Refused(text.to_owned()),
                _ => Fate::Silent(format!("{status} without a text")),
            }
        }
    }
}

fn fate_of_command(text: &str) -> Fate {
    let ends = ["Ending ", "You did not start ", "I look for the meeting "];
    if text.contains("/join/") || ends.iter().any(|end| text.starts_with(end)) {
        Fate::Accepted
    } else if text.contains("ref ") {
        Fate::Refused(text.to_owned())
    } else {
        Fate::Silent(format!("200 with {text:?}"))
    }
}

async fn await_room(stage: &Stage, title: &str) -> Option<String> {
    let there = || stage.conference.room_titled(title);
    until(ROOM_LIMIT, there).await.map(|room| room.sid)
}

async fn meet(stage: &Stage, ledger: &Ledger, life: &Life, room: &str) {
    let fake = &stage.conference;
    for person in 0..life.people {
        let (name, id) = (person_name(life.number, person), format!("person-{person}"));
        // Refused when somebody has ended the room meanwhile.
        drop(fake.join(room, &name, &id));
    }
    tokio::time::sleep(life.lasts / 2).await;
    if life.people > 1 {
        fake.leave(room, "person-0");
    }
    if life.is_recorded && fake.room(room).is_some_and(|room| room.is_running()) {
        let record = fake.finish_recording(room);
        record.into_iter().for_each(|id| ledger.made(room, id));
    }
    tokio::time::sleep(life.lasts / 2).await;
}

async fn end(stage: &Stage, ledger: &Ledger, life: &Life, channel: &str, room: &str) {
    let fake = &stage.conference;
    if life.end == EndBy::Command {
        ledger.asked(command(stage, life, "alice", channel, What::End, "end").await);
        let over = || fake.room(room).filter(|room| !room.is_running());
        until(ROOM_LIMIT, over).await;
    }
    if life.end == EndBy::Leaving && life.people > 0 {
        for person in 0..life.people {
            fake.leave(room, &format!("person-{person}"));
        }
    } else {
        fake.end_room(room);
    }
}

async fn afterwards(stage: &Stage, ledger: &Ledger, life: &Life, room: &str) {
    let fake = &stage.conference;
    let Some(view) = fake.room(room) else { return };
    if life.is_summarised {
        let summary = fake.make_summary(room, SUMMARY);
        summary.into_iter().for_each(|id| ledger.made(room, id));
    }
    let settled = || {
        let deliveries = fake.deliveries_of(&view.room_id);
        let is_over = fake.room(room).is_some_and(|room| room.ended.is_some());
        let is_settled = deliveries.iter().all(|one| one.outcome != Outcome::Waiting);
        (is_over && is_settled).then_some(())
    };
    until(WEBHOOKS_LIMIT, settled).await;
    let mut told = Told::default();
    for delivery in fake.deliveries_of(&view.room_id) {
        if delivery.outcome != Outcome::Accepted {
            told.lost += 1;
            continue;
        }
        told.accepted += 1;
        if delivery.event == "participant_joined" {
            let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap_or_default();
            let name = body["participant"]["name"].as_str().unwrap_or_default();
            if name.starts_with("Person") {
                told.people.insert(name.to_owned());
            }
        }
    }
    ledger.told(room, told);
}

fn person_name(number: u32, person: u8) -> String {
    format!("Person {person} of {number:05}")
}

async fn until<T>(limit: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
