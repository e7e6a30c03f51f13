//! Two relays on one RabbitMQ and one PostgreSQL, behind one address, as several machines run them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use world::broker::Broker;
use world::mattermost::{ChannelKind, Post};
use world::postgres::Postgres;

use crate::harness::{BackEnd, PATIENCE, Ports, Relay, Setup, StoreEnd, World};

/// What stands before the replicas: every connection goes to the next one that takes it.
struct Balancer {
    targets: Arc<Mutex<Vec<u16>>>,
    serving: JoinHandle<()>,
}

impl Balancer {
    async fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let targets = Arc::new(Mutex::new(Vec::<u16>::new()));
        let shared = Arc::clone(&targets);
        let serving = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut order = {
                    let mut targets = shared.lock().unwrap();
                    if !targets.is_empty() {
                        targets.rotate_left(1);
                    }
                    targets.clone()
                }
                .into_iter();
                tokio::spawn(async move {
                    let mut server = loop {
                        let Some(port) = order.next() else { return };
                        if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                            break server;
                        }
                    };
                    // Either may hang up.
                    drop(copy_bidirectional(&mut client, &mut server).await);
                });
            }
        });
        Self { targets, serving }
    }

    fn send_to(&self, ports: &[u16]) {
        *self.targets.lock().unwrap() = ports.to_vec();
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The first relay is the world's; the second shares everything with it but its data directory and its ports.
struct Replicas {
    world: World,
    other: Relay,
    balancer: Balancer,
    ports: [u16; 2],
}

impl Replicas {
    async fn start() -> Self {
        let broker = Broker::shared().await;
        let queue = BackEnd::Shared(broker, broker.new_vhost().await);
        let postgres = Postgres::shared().await;
        let store = StoreEnd::Shared(postgres, postgres.new_database().await);
        let own = Ports::free();
        let listen = format!("127.0.0.1:{}", own.public);
        let world = Setup::default()
            .back_end(queue)
            .store(store)
            .set("SERVER__LISTEN", &listen)
            .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
            .start()
            .await;
        let balancer = Balancer::start(world.relay.ports.public).await;
        let ports = Ports::free();
        let beside = |name: &str| -> PathBuf { world.data().with_file_name(name) };
        let mut settings = [world.back_end.settings(), world.store.settings()].concat();
        for (key, value) in [
            ("LISTEN", format!("127.0.0.1:{}", ports.public)),
            ("ADMIN_LISTEN", format!("127.0.0.1:{}", ports.admin)),
            ("DATA_DIR", beside("other").display().to_string()),
        ] {
            settings.push((format!("MEETRELAY__SERVER__{key}"), value));
        }
        let (config, log) = (beside("meetrelay.toml"), beside("other.log"));
        let other = Relay::start(config, log, ports, settings).await;
        let both = [own.public, ports.public];
        balancer.send_to(&both);
        Self {
            world,
            other,
            balancer,
            ports: both,
        }
    }

    /// Stops the second relay first: the world's end removes what both stand on.
    async fn finish(mut self) {
        self.other.stop().await;
        self.world.finish().await;
    }

    fn applied(relay: &Relay) -> usize {
        relay.log().matches("\"event applied\"").count()
    }
}

/// The card once it says that the meeting has ended and names so many people.
async fn ended_card(world: &World, card: &Post, names: &[String]) {
    world
        .see("the ended notice with everybody", |chat| {
            let post = chat.post(&card.id)?;
            let text = post.attachments()[0].to_string();
            let has_all = names.iter().all(|name| text.contains(name.as_str()));
            (post.message.contains("ended") && has_all).then_some(())
        })
        .await;
}

#[tokio::test]
async fn start_by_one_replica_is_ended_by_the_other() {
    let mut both = Replicas::start().await;
    both.balancer.send_to(&both.ports[..1]);
    both.other.kill().await;
    both.world
        .chat
        .say("ana", "dev", "meet now: weekly sync")
        .await;
    let card = both.world.card("dev", "weekly sync").await;
    let room = both.world.room().await.room_id;
    both.world.conference.join(&room, "Ana", "u-ana").unwrap();
    both.world
        .see("her on the card", |chat| {
            let text = chat.post(&card.id)?.attachments()[0].to_string();
            text.contains("Ana").then_some(())
        })
        .await;
    both.other.start_again().await;
    both.world.relay.kill().await;
    both.balancer.send_to(&both.ports[1..]);
    assert!(both.world.conference.end_room(&room));
    ended_card(&both.world, &card, &["Ana".to_owned()]).await;
    assert_eq!(both.world.cards("dev").len(), 1);
    assert!(Replicas::applied(&both.other) > 0);
    both.finish().await;
}

#[tokio::test]
async fn replicas_that_refresh_one_card_at_once_leave_the_last_state() {
    let both = Replicas::start().await;
    both.world
        .chat
        .say("ana", "dev", "meet now: all hands")
        .await;
    let card = both.world.card("dev", "all hands").await;
    let room = both.world.room().await.room_id;
    for number in 0..30 {
        let (name, id) = (format!("Person {number}"), format!("u-{number}"));
        both.world.conference.join(&room, &name, &id).unwrap();
    }
    assert!(both.world.conference.end_room(&room));
    both.world.conference.settle_webhooks(PATIENCE).await;
    ended_card(
        &both.world,
        &card,
        &["Person 0".to_owned(), "30: ".to_owned()],
    )
    .await;
    assert_eq!(both.world.cards("dev").len(), 1, "no double");
    let shared = [&both.world.relay, &both.other].map(Replicas::applied);
    assert!(shared.iter().all(|count| *count > 0), "{shared:?}");
    both.finish().await;
}

#[tokio::test]
async fn what_a_killed_replica_had_in_work_is_finished_by_the_other() {
    const TALKS: usize = 24;
    let mut both = Replicas::start().await;
    for number in 0..TALKS {
        let channel = format!("room-{number}");
        let people = ["ana", "meetrelay"];
        both.world
            .chat
            .add_channel(&channel, &channel, ChannelKind::Public, &people);
        both.world
            .chat
            .say("ana", &channel, &format!("meet now: talk {number}"))
            .await;
        if number == TALKS / 2 {
            // What it had accepted is answered: Mattermost tries once.
            both.balancer.send_to(&both.ports[1..]);
            both.world
                .see("the answers", |_| {
                    (both.world.chat.deliveries().len() > TALKS / 2).then_some(())
                })
                .await;
            both.world.relay.kill().await;
        }
    }
    both.world
        .see("a card in every channel", |chat| {
            (0..TALKS)
                .all(|number| {
                    !chat
                        .posts(&format!("room-{number}"))
                        .iter()
                        .all(|post| post.attachments().is_empty())
                })
                .then_some(())
        })
        .await;
    both.world.conference.settle_webhooks(PATIENCE).await;
    for number in 0..TALKS {
        let cards = both.world.cards(&format!("room-{number}"));
        assert_eq!(cards.len(), 1, "talk {number}");
    }
    assert_eq!(both.world.conference.rooms().len(), TALKS, "one room each");
    both.finish().await;
}

#[tokio::test]
async fn one_replica_sweeps_and_another_takes_over_when_it_dies_or_leaves() {
    let mut both = Replicas::start().await;
    // The first one was there first, and passes have gone by at the second.
    both.world.relay.sweeps_again().await;
    both.other.await_log("another replica does it").await;
    assert!(both.other.swept_at().await == 0.0, "only one sweeps");
    both.world.relay.kill().await;
    both.other.sweeps_again().await;
    both.world.relay.start_again().await;
    both.world.relay.await_log("another replica does it").await;
    // Given back at its end, so that nobody waits for it to run out.
    both.other.stop().await;
    both.world.relay.sweeps_again().await;
    both.world.finish().await;
}
