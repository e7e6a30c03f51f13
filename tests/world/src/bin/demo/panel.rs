//! The box beside the chat: what people do in plugNmeet.

use anyhow::Context;
use world::mattermost::{ActionOutcome, DemoAction, DemoPanel};
use world::plugnmeet::FakePlugNmeet;

/// A summary as a plugNmeet with an AI provider would write it.
const SUMMARY: &str = "<h3>Decisions</h3><ul><li>The release goes out on <strong>Thursday</strong>.</li>\
                       <li>Bob writes the announcement.</li></ul><h3>Open</h3><p>Who tests on phones?</p>";

/// The buttons.
pub fn panel(conference: &FakePlugNmeet) -> DemoPanel {
    DemoPanel {
        title: "plugNmeet (fake)".to_owned(),
        lines: vec![
            "The card's Join link opens the relay's own page.".to_owned(),
            "These buttons play other people in the newest meeting.".to_owned(),
        ],
        actions: vec![
            action(conference, "Join as Bob", |fake, room| {
                let joined = fake.join(room, "Bob Berger", "demo-bob");
                joined.map(|_| "Bob is in.".to_owned()).map_err(refused)
            }),
            action(conference, "Join as Carol", |fake, room| {
                let joined = fake.join(room, "Carol", "demo-carol");
                joined.map(|_| "Carol is in.".to_owned()).map_err(refused)
            }),
            action(conference, "Bob leaves", |fake, room| {
                anyhow::ensure!(fake.leave(room, "demo-bob"), "Bob is not in");
                Ok("Bob left.".to_owned())
            }),
            action(conference, "Record a moment", |fake, room| {
                fake.finish_recording(room)
                    .context("the meeting does not run")?;
                Ok("The recording is ready.".to_owned())
            }),
            action(conference, "End the meeting", |fake, room| {
                anyhow::ensure!(fake.end_room(room), "it has ended already");
                Ok("The meeting ends.".to_owned())
            })
            .danger(),
            action(conference, "AI summary arrives", |fake, room| {
                fake.make_summary(room, SUMMARY)
                    .context("there is no meeting")?;
                Ok("The summary is there.".to_owned())
            }),
        ],
    }
}

/// plugNmeet's word for a room without a session is none for people.
fn refused(why: &'static str) -> anyhow::Error {
    match why {
        "notifications.room-not-active" => {
            anyhow::anyhow!("The newest meeting does not run: start another.")
        }
        why => anyhow::anyhow!(why),
    }
}

fn action(
    conference: &FakePlugNmeet,
    label: &str,
    act: fn(&FakePlugNmeet, &str) -> anyhow::Result<String>,
) -> DemoAction {
    let fake = conference.clone();
    DemoAction::call(label, move || {
        let fake = fake.clone();
        async move {
            let rooms = fake.rooms();
            let room = rooms.last().context("start a meeting first")?;
            act(&fake, &room.room_id).map(ActionOutcome::Told)
        }
    })
}
