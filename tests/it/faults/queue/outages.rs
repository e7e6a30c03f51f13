//! The real relay with a real broker that stops, dies, freezes and blocks: whatever was accepted before, during and
//! after ends as one card with one end, and readiness tells how it is meanwhile.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use world::broker::Broker;
use world::mattermost::ChannelKind;
use world::plugnmeet::sign_webhook;

use crate::harness::{BackEnd, Setup, World, client, eventually};

/// Meetings that run when the trouble begins; half of them end while it lasts.
const BEFORE: usize = 4;
/// Meetings that are asked for while it lasts.
const DURING: usize = 6;
/// Starts that lie in the spool when the relay is killed; half of them are commands.
const SPOOLED: usize = 30;
/// Far more than a trouble takes: the meeting's end must come by a webhook or by asking, not by the clock.
const RECOVERY: Duration = Duration::from_secs(60);

#[tokio::test]
async fn q3_stopped_broker_delays_cards_and_loses_none() {
    let mut play = Play::open(Setup::default()).await;
    play.broker().stop_app().await;
    play.trouble(Expected::Spooled).await;
    play.broker().start_app().await;
    play.ends_well().await;
}

#[tokio::test]
async fn q2_killed_broker_delays_cards_and_loses_none() {
    let mut play = Play::open(Setup::default()).await;
    play.broker().kill().await;
    play.trouble(Expected::Spooled).await;
    // A relay that starts meanwhile takes requests too, and knows what the first one took.
    play.world.relay.kill().await;
    play.world.relay.start_again().await;
    play.ask(1, Expected::Spooled).await;
    play.broker().restart().await;
    play.ends_well().await;
}

#[tokio::test]
async fn q1_spool_of_a_killed_relay_becomes_one_card_each_by_the_next_relay() {
    let mut play = Play::open(Setup::default()).await;
    play.broker().kill().await;
    play.ask(SPOOLED / 2, Expected::Spooled).await;
    play.ask_by_command(SPOOLED - SPOOLED / 2, Expected::Spooled)
        .await;
    let is_full = |_, metrics: &str| value(metrics, "meetrelay_spool_depth") >= SPOOLED as u64;
    play.until("all starts in the spool", is_full).await;
    let dead = play.spools();
    assert_eq!(dead.len(), 1, "{dead:?}");
    play.world.relay.kill().await;
    let before = play.world.relay.log().len();
    // It runs and is ready, through a spool of its own.
    play.world.relay.start_again().await;
    play.readiness("amqp_publisher", 0).await;
    play.readiness("spool", 1).await;
    play.until("the left spool's messages in the depth", is_full)
        .await;
    assert!(play.spools().is_superset(&dead) && play.spools().len() == 2);
    play.world
        .relay
        .await_log("RabbitMQ takes no messages")
        .await;
    play.broker().restart().await;
    play.all_end_well().await;
    let empty = "meetrelay_spool_depth 0\n";
    play.until(empty, |_, metrics| metrics.contains(empty))
        .await;
    play.world
        .relay
        .await_log("the broker has everything that was in a spool left by another relay")
        .await;
    let left = play.spools();
    assert!(left.len() == 1 && left.is_disjoint(&dead), "{left:?}");
    let log = play.world.relay.log()[before..].to_owned();
    let why = log
        .lines()
        .filter(|line| line.contains("RabbitMQ takes no messages"));
    let why: Vec<_> = why.collect();
    assert!(
        why.len() == 1 && why[0].contains("\"error\":"),
        "one line says why: {why:?}"
    );
    play.world.finish().await;
}

#[tokio::test]
async fn q8_frozen_broker_delays_cards_and_loses_none() {
    let mut play = Play::open(Setup::default()).await;
    play.broker().freeze().await;
    play.trouble(Expected::Spooled).await;
    play.broker().thaw().await;
    play.ends_well().await;
}

#[tokio::test]
async fn q4_alarms_of_the_broker_delay_cards_and_lose_none() {
    let mut play = Play::open(Setup::default()).await;
    play.broker().raise_memory_alarm().await;
    play.trouble(Expected::Spooled).await;
    play.broker().clear_memory_alarm().await;
    play.is_back().await;
    play.broker().raise_disk_alarm().await;
    play.trouble(Expected::Spooled).await;
    play.broker().clear_disk_alarm().await;
    play.ends_well().await;
}

#[tokio::test]
async fn q1_without_a_spool_what_was_accepted_ends_well_and_the_rest_is_refused() {
    let mut play = Play::open(Setup::default().set("SPOOL__MAX_BYTES", "0B")).await;
    play.broker().kill().await;
    play.trouble(Expected::Refused).await;
    play.ask_by_command(2, Expected::Refused).await;
    play.webhook_is_refused().await;
    play.ready(503).await;
    play.broker().restart().await;
    play.is_back().await;
    play.ask(2, Expected::Taken).await;
    play.ends_well().await;
}

#[tokio::test]
async fn q9_closed_connections_are_made_anew() {
    let mut play = Play::open(Setup::default()).await;
    for _ in 0..3 {
        play.links_are_up().await;
        assert!(play.broker().close_all_connections().await > 0);
        play.ask(2, Expected::Taken).await;
        play.is_back().await;
    }
    play.ends_well().await;
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It is accepted; how is not asked.
    Taken,
    /// It is accepted by a relay whose broker is away.
    Spooled,
    /// The relay answers 503.
    Refused,
}

/// One relay with a broker of its own, and people who ask for meetings, each in a channel of its own.
struct Play {
    world: World,
    asked: usize,
    accepted: Vec<String>,
    /// The channels in which no post asked, but a command.
    typed: Vec<String>,
}

impl Play {
    /// Both of the relay's connections are there: its own gauges tell of an end a moment later.
    async fn links_are_up(&self) {
        eventually("both connections of the relay", async || {
            (self.broker().connections().await >= 2).then_some(())
        })
        .await;
    }

    async fn open(setup: Setup) -> Self {
        let world = setup
            .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
            // It would find the phrases that were refused.
            .set("MATTERMOST__CATCH_UP", "false")
            .back_end(BackEnd::own().await)
            .start()
            .await;
        let mut play = Self {
            world,
            asked: 0,
            accepted: Vec::new(),
            typed: Vec::new(),
        };
        play.is_back().await;
        play.ask(BEFORE, Expected::Taken).await;
        play.have_cards().await;
        play
    }

    fn broker(&self) -> &Broker {
        self.world.back_end.broker().expect("it has one").0
    }

    /// People ask for meetings.
    async fn ask(&mut self, times: usize, expected: Expected) {
        for _ in 0..times {
            let channel = self.new_channel();
            let chat = &self.world.chat;
            let post = chat.say("ana", &channel, "meet now: talk").await;
            let answer = self
                .world
                .see("the trigger's answer", |_| {
                    let mut deliveries = self.world.chat.deliveries().into_iter();
                    Some(deliveries.find(|d| d.post_id == post)?.answer)
                })
                .await;
            match expected {
                Expected::Refused => assert!(matches!(answer, Ok((503, _))), "{answer:?}"),
                _ => {
                    assert!(
                        matches!(&answer, Ok((200, body)) if body.is_empty()),
                        "{answer:?}"
                    );
                    self.accepted.push(channel);
                }
            }
        }
    }

    /// The same by the slash command, which is answered to the person alone.
    async fn ask_by_command(&mut self, times: usize, expected: Expected) {
        for _ in 0..times {
            let channel = self.new_channel();
            let line = "/plugnmeet start talk";
            let answer = self.world.chat.command("ana", &channel, line, None).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.response_type, "ephemeral");
            if expected == Expected::Refused {
                let is_told = answer.text.contains("ref ") && !answer.text.contains("/join/");
                assert!(is_told, "{}", answer.text);
            } else {
                assert!(answer.text.contains("/join/"), "{}", answer.text);
                self.accepted.push(channel.clone());
            }
            self.typed.push(channel);
        }
    }

    fn new_channel(&mut self) -> String {
        let channel = format!("room-{}", self.asked);
        self.asked += 1;
        let people = ["ana", "meetrelay"];
        let chat = &self.world.chat;
        chat.add_channel(&channel, &channel, ChannelKind::Public, &people);
        channel
    }

    /// plugNmeet sends a webhook, and is told to send it again.
    async fn webhook_is_refused(&self) {
        let sent = self.world.conference.deliveries();
        let body = sent.last().expect("meetings ran").body.to_string();
        let options = self.world.conference.options();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
        let token = sign_webhook(&options.api_key, &options.api_secret, body.as_bytes(), now);
        let url = format!("{}/plugnmeet/webhook", self.world.relay.ports.public_url());
        let answer = client()
            .post(url)
            .header("content-type", "application/webhook+json")
            .header("authorization", &token)
            .header("hash-token", &token)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "5");
    }

    /// The names of the folders in which spools are.
    fn spools(&self) -> BTreeSet<OsString> {
        std::fs::read_dir(self.world.data().join("spool"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    }

    /// While the broker is away: people ask for meetings, and half of those that run end.
    async fn trouble(&mut self, expected: Expected) {
        self.ask(DURING / 2, expected).await;
        let running = self.world.conference.rooms().into_iter().take(BEFORE / 2);
        for room in running {
            self.world.conference.end_room(&room.room_id);
        }
        self.readiness("amqp_publisher", 0).await;
        let status = match expected {
            Expected::Refused => 503,
            _ => 200,
        };
        self.ready(status).await;
        self.ask(DURING - DURING / 2, expected).await;
    }

    /// Waits until the relay calls itself ready, and its connections too.
    async fn is_back(&self) {
        self.readiness("amqp_publisher", 1).await;
        self.readiness("amqp_consumer", 1).await;
        self.ready(200).await;
    }

    /// Everything accepted has one card; all meetings are over and the cards say so, each once.
    async fn ends_well(self) {
        self.all_end_well().await;
        self.world.finish().await;
    }

    async fn all_end_well(&self) {
        self.is_back().await;
        self.have_cards().await;
        // A card may say for a while that its room is being prepared.
        let wanted = self.accepted.len();
        let have_rooms = self
            .world
            .conference
            .wait_for("a room each", RECOVERY, |fake| {
                (fake.rooms().len() == wanted).then_some(())
            });
        have_rooms.await;
        for room in self.world.conference.rooms() {
            self.world.conference.end_room(&room.room_id);
        }
        let ended = self
            .world
            .chat
            .wait_for("an end on every card", RECOVERY, |chat| {
                self.accepted
                    .iter()
                    .all(|channel| {
                        let posts = chat.posts(channel);
                        posts
                            .iter()
                            .filter(|post| post.message.contains("ended"))
                            .count()
                            == 1
                    })
                    .then_some(())
            });
        if let Err(error) = ended.await {
            panic!("{error}\n{}", self.world.relay.last_words());
        }
        assert_eq!(
            self.world.conference.rooms().len(),
            self.accepted.len(),
            "a room each"
        );
        for number in 0..self.asked {
            let channel = format!("room-{number}");
            let expected = usize::from(self.accepted.contains(&channel));
            assert_eq!(
                self.world.cards(&channel).len(),
                expected,
                "cards in {channel}"
            );
            let said = self.world.chat.posts(&channel).len();
            // A refusal is an answer that people read; a command is no post, nor is the answer to it.
            let (posts, what) = match self.typed.contains(&channel) {
                true => (expected, "its card alone"),
                false => (2, "the trigger, and its card or a refusal"),
            };
            assert_eq!(said, posts, "{what} in {channel}");
        }
    }

    async fn have_cards(&self) {
        let all = self
            .world
            .chat
            .wait_for("a card in every channel", RECOVERY, |chat| {
                self.accepted
                    .iter()
                    .all(|channel| {
                        let posts = chat.posts(channel);
                        posts.iter().any(|post| !post.attachments().is_empty())
                    })
                    .then_some(())
            });
        if let Err(error) = all.await {
            panic!("{error}\n{}", self.world.relay.last_words());
        }
    }

    /// Waits until the gauge of this condition is so.
    async fn readiness(&self, check: &str, value: u8) {
        let line = format!("meetrelay_ready{{check=\"{check}\"}} {value}\n");
        self.until(&line, |_, metrics| metrics.contains(&line))
            .await;
    }

    /// Waits until `/readyz` answers with this status.
    async fn ready(&self, status: u16) {
        let what = format!("readyz to answer {status}");
        self.until(&what, |ready, _| ready == status).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(u16, &str) -> bool) {
        let base = self.world.relay.ports.admin_url();
        let http = client();
        let wait = self.world.relay.eventually(what, async || {
            let ready = http.get(format!("{base}/readyz")).send().await.unwrap();
            let metrics = self.world.relay.metrics().await;
            is_so(ready.status().as_u16(), &metrics).then_some(())
        });
        wait.await;
    }
}

/// The value of a metric without labels.
fn value(metrics: &str, name: &str) -> u64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
}
