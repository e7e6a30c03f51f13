//! What lies in a spool was accepted, and becomes a card.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use meetrelay::clock::SystemClock;
use meetrelay::domain::{
    Conversation, ConversationKind, Event, EventId, Fact, MeetingId, Moderators, Origin, Person,
    RuleChoice, ServerName, TriggerSource,
};
use meetrelay::envelope::{EnvelopeQueue, EnvelopeSigner};
use meetrelay::ports::{
    Body, Clock, Delivery, Depths, Envelope, Outgoing, Posting, PublishError, Queue, QueueError,
    QueueName, Settlement,
};
use meetrelay::queue::{Spool, SpoolObserver, SpoolSettings};
use uuid::Uuid;

use crate::harness::{Setup, World};

/// A broker that is down.
struct Down;

#[async_trait]
impl Queue for Down {
    async fn publish(&self, _: Outgoing) -> Result<(), PublishError> {
        Err(PublishError::Unavailable("down".to_owned()))
    }
    async fn publish_all(&self, _: Vec<Outgoing>) -> Result<(), PublishError> {
        Err(PublishError::Unavailable("down".to_owned()))
    }
    async fn receive(&self, _: QueueName, _: usize) -> Result<Vec<Delivery>, QueueError> {
        Err(QueueError::Unavailable("down".to_owned()))
    }
    async fn settle(&self, _: Vec<Settlement>) -> Result<(), QueueError> {
        Err(QueueError::Unavailable("down".to_owned()))
    }
    async fn depths(&self) -> Result<Depths, QueueError> {
        Err(QueueError::Unavailable("down".to_owned()))
    }
    async fn close(&self) {}
}

struct Nobody;

impl SpoolObserver for Nobody {
    fn spooled(&self) {}
    fn forwarded(&self) {}
}

#[tokio::test]
async fn events_in_a_left_spool_get_one_card_each_although_the_queue_is_another_one_now() {
    const EVENTS: usize = 5;
    let mut world = Setup::default().start().await;
    let signer = world.signer().await;
    world.relay.stop().await;
    leave(&world, signer, EVENTS).await;
    world.relay.start_again().await;
    for number in 0..EVENTS {
        world.card("weekly", &format!("talk {number}")).await;
    }
    world
        .relay
        .await_log("the broker has everything that was in a spool left by another relay")
        .await;
    let root = world.data().join("spool");
    // With RabbitMQ the relay has one of its own.
    let own = usize::from(world.back_end.broker().is_some());
    assert_eq!(std::fs::read_dir(root).unwrap().count(), own);
    assert_eq!(world.cards("weekly").len(), EVENTS);
    world.finish().await;
}

/// A relay whose broker is down accepts starts, and is stopped.
async fn leave(world: &World, signer: EnvelopeSigner, count: usize) {
    let channel = world
        .see("the channel", |chat| {
            chat.channel("weekly").map(|channel| channel.id.clone())
        })
        .await;
    let ana = world
        .see("ana", |chat| chat.user("ana").map(|user| user.id.clone()))
        .await;
    let spool = Arc::new(open(&world.data()));
    let mail = EnvelopeQueue::new(Arc::clone(&spool) as _, signer);
    for number in 0..count {
        let now = SystemClock.now();
        let event = Event {
            id: EventId::from_uuid(Uuid::now_v7()),
            origin: Origin::relay(format!("request {number}")),
            received_at: now,
            fact: Fact::MeetingRequested {
                meeting: MeetingId::from_uuid(Uuid::now_v7()),
                place: Conversation {
                    server: ServerName::default_server(),
                    team: None,
                    team_name: "eng".to_owned(),
                    channel: channel.parse().unwrap(),
                    channel_name: "weekly".to_owned(),
                    thread: None,
                    kind: ConversationKind::Channel,
                },
                by: Person {
                    user_id: ana.parse().unwrap(),
                    user_name: "ana".to_owned(),
                },
                via: TriggerSource::SlashCommand { hook: None },
                rule: RuleChoice {
                    title: format!("talk {number}"),
                    title_source: None,
                    moderators: Moderators::Everyone,
                    start_deadline: Duration::from_secs(900),
                    notify: Default::default(),
                },
                always_new: true,
                told: None,
            },
        };
        let posting = Posting {
            queue: QueueName::Events,
            message: Envelope::first(Body::Event(event), now),
            delay: Duration::ZERO,
        };
        mail.accept(&posting).await.unwrap();
    }
    spool.close().await;
}

fn open(data: &Path) -> Spool {
    let settings = SpoolSettings {
        root: data.join("spool"),
        instance: Uuid::now_v7(),
        bytes_max: 1 << 20,
    };
    Spool::open(
        settings,
        Arc::new(Down),
        Arc::new(SystemClock),
        Arc::new(Nobody),
    )
    .unwrap()
}
