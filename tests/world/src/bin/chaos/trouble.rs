//! What goes wrong, each for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use world::Fault;
use world::plugnmeet::Backend;

use super::plan::Planned;
use super::stage::Stage;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A relay, by number.
    Relay(usize, ServerTrouble),
    /// The clock of a relay, by number.
    Clock(usize, ClockTrouble),
    /// RabbitMQ.
    Broker(ServerTrouble),
    /// PostgreSQL.
    Postgres(ServerTrouble),
    /// Mattermost, for so many calls where it is about calls.
    Chat(ChatTrouble, u32),
    /// plugNmeet, for so many calls or webhooks where it is about those.
    Conference(ConferenceTrouble, u32),
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTrouble {
    /// SIGKILL, and started again.
    Kill,
    /// An operator's stop, and started again.
    Stop,
    /// SIGSTOP and SIGCONT.
    Freeze,
    /// All connections are closed (a relay has none of its own to close: killed).
    Disconnect,
}

/// How a clock is wrong until it is set right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockTrouble {
    Ahead,
    Behind,
}

/// What happens at Mattermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatTrouble {
    Down,
    Failing,
    Throttling,
    Stalling,
    PostAnswersLost,
    PatchAnswersLost,
    LookupsDropped,
    LateAnswersFail,
    /// Something in front of it answers.
    LoginPage,
    ForeignRefusal,
    ForeignPage,
}

/// What happens at plugNmeet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConferenceTrouble {
    Down,
    Failing,
    Stalling,
    CreateAnswersLost,
    EndAnswersLost,
    Garbage,
    DownloadsFail,
    WebhooksLost,
    WebhooksDoubled,
    WebhooksReordered,
    /// One of its back ends.
    Unavailable(Backend),
    /// Something in front of it answers.
    LoginPage,
    ForeignRefusal,
    ForeignPage,
}

impl ServerTrouble {
    pub const ALL: [Self; 4] = [Self::Kill, Self::Stop, Self::Freeze, Self::Disconnect];
}

impl ClockTrouble {
    pub const ALL: [Self; 2] = [Self::Ahead, Self::Behind];

    /// How far the clock is off, in milliseconds: more than the peers tolerate of a signature's time, and than any
    /// pause of the relays here.
    const fn offset_ms(self) -> i64 {
        match self {
            Self::Ahead => 70_000,
            Self::Behind => -70_000,
        }
    }
}

impl ChatTrouble {
    pub const ALL: [Self; 11] = [
        Self::Down,
        Self::Failing,
        Self::Throttling,
        Self::Stalling,
        Self::PostAnswersLost,
        Self::PatchAnswersLost,
        Self::LookupsDropped,
        Self::LateAnswersFail,
        Self::LoginPage,
        Self::ForeignRefusal,
        Self::ForeignPage,
    ];

    /// The operation and the fault; none: the server is down.
    fn fault(self) -> Option<(&'static str, Fault)> {
        let stall = Fault::Stall(Duration::from_secs(3));
        Some(match self {
            Self::Down => return None,
            Self::Failing => ("", answer(500, &[])),
            Self::Throttling => ("", answer(429, &[("Retry-After", "1")])),
            Self::Stalling => ("posts", stall),
            Self::PostAnswersLost => ("posts.create", Fault::DropAfter),
            Self::PatchAnswersLost => ("posts.patch", Fault::DropAfter),
            Self::LookupsDropped => ("channels", Fault::Drop),
            Self::LateAnswersFail => ("hooks.commands", answer(500, &[])),
            Self::LoginPage => ("", Fault::intermediary(302)),
            Self::ForeignRefusal => ("", Fault::intermediary(403)),
            Self::ForeignPage => ("", Fault::intermediary(200)),
        })
    }
}

impl ConferenceTrouble {
    pub const ALL: [Self; 16] = [
        Self::Down,
        Self::Failing,
        Self::Stalling,
        Self::CreateAnswersLost,
        Self::EndAnswersLost,
        Self::Garbage,
        Self::DownloadsFail,
        Self::WebhooksLost,
        Self::WebhooksDoubled,
        Self::WebhooksReordered,
        Self::Unavailable(Backend::Database),
        Self::Unavailable(Backend::Nats),
        Self::Unavailable(Backend::Redis),
        Self::LoginPage,
        Self::ForeignRefusal,
        Self::ForeignPage,
    ];

    fn fault(self) -> Option<(&'static str, Fault)> {
        Some(match self {
            Self::Failing => ("", answer(500, &[])),
            Self::Stalling => ("room", Fault::Stall(Duration::from_secs(3))),
            Self::CreateAnswersLost => ("room.create", Fault::DropAfter),
            Self::EndAnswersLost => ("room.end", Fault::DropAfter),
            Self::Garbage => ("room.active", Fault::Garbage),
            Self::DownloadsFail => ("download", answer(500, &[])),
            Self::LoginPage => ("", Fault::intermediary(302)),
            Self::ForeignRefusal => ("", Fault::intermediary(405)),
            Self::ForeignPage => ("", Fault::intermediary(200)),
            _ => return None,
        })
    }
}

impl Trouble {
    /// The longest that it may last, in milliseconds.
    pub fn lasts_max_ms(&self) -> u64 {
        match self {
            // Beyond its heartbeat and call timeouts, so that the relay notices.
            Self::Broker(ServerTrouble::Freeze) | Self::Postgres(ServerTrouble::Freeze) => 8_000,
            Self::Relay(..) => 3_000,
            _ => 5_000,
        }
    }

    /// Its name in the list of what happened.
    pub fn name(&self) -> String {
        match self {
            Self::Relay(_, what) => format!("relay {what:?}"),
            Self::Clock(_, what) => format!("clock {what:?}"),
            Self::Broker(what) => format!("RabbitMQ {what:?}"),
            Self::Postgres(what) => format!("PostgreSQL {what:?}"),
            Self::Chat(what, _) => format!("Mattermost {what:?}"),
            Self::Conference(what, _) => format!("plugNmeet {what:?}"),
        }
    }
}

/// Makes it happen and waits until it is over. What has a trouble already gets the next one afterwards.
pub async fn make(stage: Arc<Stage>, planned: Planned) {
    let Planned { lasts, trouble, .. } = planned;
    match trouble {
        Trouble::Relay(number, what) => relay(&stage, number, what, lasts).await,
        Trouble::Clock(number, what) => clock(&stage, number, what, lasts).await,
        Trouble::Broker(what) => broker(&stage, what, lasts).await,
        Trouble::Postgres(what) => postgres(&stage, what, lasts).await,
        Trouble::Chat(what, calls) => chat(&stage, what, calls, lasts).await,
        Trouble::Conference(what, calls) => conference(&stage, what, calls, lasts).await,
    }
}

async fn relay(stage: &Stage, number: usize, what: ServerTrouble, lasts: Duration) {
    let mut relay = stage.relays[number].lock().await;
    match what {
        ServerTrouble::Kill | ServerTrouble::Disconnect => relay.kill().await,
        ServerTrouble::Stop => relay.stop().await,
        ServerTrouble::Freeze => {
            relay.signal("STOP").await;
            tokio::time::sleep(lasts).await;
            relay.signal("CONT").await;
            return;
        }
    }
    tokio::time::sleep(lasts).await;
    relay.start();
}

async fn clock(stage: &Stage, number: usize, what: ClockTrouble, lasts: Duration) {
    // Its processes read the file at each look: they may end and start meanwhile.
    let clock = stage.clocks[number].lock().await;
    stage.note_failure("a clock", clock.set(what.offset_ms()));
    tokio::time::sleep(lasts).await;
    stage.note_failure("a clock", clock.set(0));
}

async fn broker(stage: &Stage, what: ServerTrouble, lasts: Duration) {
    let Some(broker) = &stage.broker else { return };
    let broker = broker.server.lock().await;
    match what {
        ServerTrouble::Kill => {
            broker.kill().await;
            tokio::time::sleep(lasts).await;
            broker.restart().await;
        }
        ServerTrouble::Stop => {
            broker.stop_app().await;
            tokio::time::sleep(lasts).await;
            broker.start_app().await;
        }
        ServerTrouble::Freeze => {
            broker.freeze().await;
            tokio::time::sleep(lasts).await;
            broker.thaw().await;
        }
        ServerTrouble::Disconnect => {
            broker.close_all_connections().await;
        }
    }
}

async fn postgres(stage: &Stage, what: ServerTrouble, lasts: Duration) {
    let Some(postgres) = &stage.postgres else {
        return;
    };
    let postgres = postgres.server.lock().await;
    match what {
        ServerTrouble::Kill => postgres.kill().await,
        ServerTrouble::Stop => postgres.stop().await,
        ServerTrouble::Freeze => {
            postgres.freeze().await;
            tokio::time::sleep(lasts).await;
            return postgres.thaw().await;
        }
        ServerTrouble::Disconnect => {
            postgres.close_all_connections().await;
            return;
        }
    }
    tokio::time::sleep(lasts).await;
    postgres.start_again().await;
}

async fn chat(stage: &Stage, what: ChatTrouble, calls: u32, lasts: Duration) {
    let chat = stage.chat_trouble.lock().await;
    if let Some((operation, fault)) = what.fault() {
        stage.chat.faults().next(operation, calls, fault);
        tokio::time::sleep(lasts).await;
        stage.chat.faults().clear();
    } else {
        stage.chat.stop().await;
        tokio::time::sleep(lasts).await;
        stage.note_failure("Mattermost", stage.chat.start_again().await);
    }
    drop(chat);
}

async fn conference(stage: &Stage, what: ConferenceTrouble, calls: u32, lasts: Duration) {
    let guard = stage.conference_trouble.lock().await;
    let fake = &stage.conference;
    if let Some((operation, fault)) = what.fault() {
        fake.faults().next(operation, calls, fault);
    }
    match what {
        ConferenceTrouble::Down => fake.stop().await,
        ConferenceTrouble::WebhooksLost => fake.lose_webhooks("", Some(calls)),
        ConferenceTrouble::WebhooksDoubled => fake.double_webhooks("", Some(calls)),
        ConferenceTrouble::WebhooksReordered => fake.hold_webhooks(),
        ConferenceTrouble::Unavailable(backend) => fake.set_down(backend, true),
        _ => {}
    }
    tokio::time::sleep(lasts).await;
    fake.faults().clear();
    match what {
        ConferenceTrouble::Down => stage.note_failure("plugNmeet", fake.resume().await),
        ConferenceTrouble::WebhooksReordered => {
            let places: Vec<usize> = (0..fake.held_webhooks().len()).rev().collect();
            fake.release_webhooks(&places);
            fake.stop_holding_webhooks();
        }
        ConferenceTrouble::Unavailable(backend) => fake.set_down(backend, false),
        _ => fake.deliver_webhooks(),
    }
    drop(guard);
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Fault {
    Fault::Answer {
        status,
        body: "trouble".to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}
