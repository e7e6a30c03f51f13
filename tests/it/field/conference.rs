//! What plugNmeet, and what stands in front of it, may answer.

mod away;
mod doubt;
mod foreign;

use world::mattermost::Post;
use world::plugnmeet::{FakePlugNmeet, RoomView};

use crate::harness::{PATIENCE, Setup, World};

/// A meeting with its card and its room.
struct Running {
    world: World,
    card: Post,
    room: RoomView,
    /// The address of the card's page.
    page: String,
}

impl Running {
    /// A meeting that ana started in `dev`, whose card can be joined.
    async fn start(setup: Setup) -> Self {
        let world = setup.start().await;
        world.chat.say("ana", "dev", "meet now: first").await;
        let card = world.card("dev", "first").await;
        let room = world.room().await;
        let text = world
            .until(&card, |text| text.contains("Join the meeting"))
            .await;
        let (_, rest) = text.split_once("/join/").unwrap();
        let token: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .collect();
        let page = format!("{}/join/{token}", world.relay.ports.public_url());
        Self {
            world,
            card,
            room,
            page,
        }
    }

    async fn until(&self, is_so: impl Fn(&str) -> bool) -> String {
        self.world.until(&self.card, is_so).await
    }

    /// Waits until the card says that the meeting is over.
    async fn until_over(&self) -> String {
        self.world.until_over(&self.card).await
    }

    /// Asks to be let in under a name.
    async fn enter(&self) -> (u16, String) {
        let asked = crate::harness::client()
            .post(&self.page)
            .header("content-type", crate::harness::FORM)
            .body("name=Bob");
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// Waits until an operation was tried so often more.
async fn until_tried(world: &World, operation: &str, more: u64) {
    let fake = &world.conference;
    let before = fake.count(operation);
    let tried = |fake: &FakePlugNmeet| (fake.count(operation) >= before + more).then_some(());
    let what = format!("{more} times {operation}");
    fake.wait_for(&what, PATIENCE, tried).await;
}

/// How many lines of the log hold all of these.
fn lines(world: &World, words: &[&str]) -> usize {
    let log = world.relay.log();
    let holds = |line: &&str| words.iter().all(|word| line.contains(word));
    log.lines().filter(holds).count()
}

const NO_DEAD_LETTER: &str = "meetrelay_dead_letters 0";
