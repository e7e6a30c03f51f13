//! Messages that cannot be worked on: rows Q10 and Q11. Each ends as a dead letter within its bound, and its
//! neighbours are unharmed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use meetrelay::clock::SystemClock;
use meetrelay::domain::{
    Conversation, ConversationKind, Event, EventId, Fact, MeetingId, Moderators, Origin, Person,
    RuleChoice, ServerName, Timestamp, TriggerSource,
};
use meetrelay::envelope::EnvelopeQueue;
use meetrelay::ports::{Body, Clock, Envelope, Message, Outgoing, Posting, QueueName};
use world::mattermost::ChannelKind;

use crate::harness::{Setup, World};

/// Work on a poisonous message is begun so often as a redelivered one, and once before that.
const DEATHS_MAX: u32 = 6;

/// A poisonous job is in hand before the event that called for it is acknowledged, which publishes it once more: a copy
/// that is new is not counted.
const DEATHS_OVER_A_JOB_MAX: u32 = 2 * DEATHS_MAX;

/// Events in one batch, more than apply takes one by one on a quiet day.
const NEIGHBOURS: u128 = 30;

/// Waits until there are so many letters; gives (kind, reason, queue) of each.
async fn letters_of(world: &World, count: usize) -> Vec<(String, String, String)> {
    let what = format!("{count} dead letters");
    let letters = world.relay.eventually(&what, async || {
        let letters = world.relay.dead_letters().await;
        (letters.len() >= count).then_some(letters)
    });
    let letters = letters.await;
    let text = |letter: &Value, key: &str| letter[key].as_str().unwrap().to_owned();
    let of = |letter| {
        let queue = text(letter, "queue");
        (text(letter, "kind"), text(letter, "reason"), queue)
    };
    letters.iter().map(of).collect()
}

/// Somebody asks for a meeting in a channel of its own.
fn request(number: u128, channel: &str, title: &str, now: Timestamp) -> Posting {
    let event = Event {
        id: EventId::from_uuid(Uuid::from_u128(number)),
        origin: Origin::relay(format!("request {number}")),
        received_at: now,
        fact: Fact::MeetingRequested {
            meeting: MeetingId::from_uuid(Uuid::from_u128(number)),
            place: Conversation {
                server: ServerName::default_server(),
                team: None,
                team_name: "eng".to_owned(),
                channel: channel.parse().unwrap(),
                channel_name: format!("room-{number}"),
                thread: None,
                kind: ConversationKind::Channel,
            },
            by: Person {
                user_id: "ana".parse().unwrap(),
                user_name: "ana".to_owned(),
            },
            via: TriggerSource::SlashCommand { hook: None },
            rule: RuleChoice {
                title: title.to_owned(),
                title_source: None,
                moderators: Moderators::Everyone,
                start_deadline: Duration::from_secs(900),
                notify: Default::default(),
            },
            always_new: false,
            told: None,
        },
    };
    Posting {
        queue: QueueName::Events,
        message: Envelope::first(Body::Event(event), now),
        delay: Duration::ZERO,
    }
}

/// Requests in channels of their own, one of them poisonous, in the queue of a relay that is not running.
async fn one_bad_batch(world: &mut World) {
    let signer = world.signer().await;
    world.relay.stop().await;
    let now = SystemClock.now();
    let mut postings = Vec::new();
    for number in 1..=NEIGHBOURS {
        let name = format!("room-{number}");
        let people = ["ana", "meetrelay"];
        let channel = world
            .chat
            .add_channel(&name, &name, ChannelKind::Public, &people);
        let title = if number == NEIGHBOURS / 2 {
            "poison"
        } else {
            "bread"
        };
        postings.push(request(number, &channel, title, now));
    }
    let queue = world.back_end.open(&world.data()).await;
    let mail = EnvelopeQueue::new(queue.clone(), signer);
    mail.send(&postings).await.unwrap();
    queue.close().await;
}

/// Every neighbour has its one card; gives in how many channels there is one.
async fn neighbours_are_unharmed(world: &World) {
    let carded = |chat: &world::mattermost::Model| {
        let has_card = |number: &u128| {
            let posts = chat.posts(&format!("room-{number}"));
            posts.iter().any(|post| post.message.contains("bread"))
        };
        let carded: BTreeSet<u128> = (1..=NEIGHBOURS).filter(has_card).collect();
        (carded.len() as u128 == NEIGHBOURS - 1).then_some(())
    };
    world.see("a card for every neighbour", carded).await;
    for number in 1..=NEIGHBOURS {
        let count = world.cards(&format!("room-{number}")).len();
        assert!(count <= 1, "{count} cards in room-{number}");
    }
}

#[tokio::test]
async fn q10_messages_that_cannot_be_read_become_letters_and_their_neighbours_work() {
    let mut world = World::start().await;
    let signer = world.signer().await;
    world.relay.stop().await;
    let bodies: [&[u8]; 4] = [
        b"\xff\x00 no json",
        b"{}",
        br#"{"v":99,"kind":"event"}"#,
        br#"{"v":1,"kind":"job","id":"no job"}"#,
    ];
    let now = SystemClock.now();
    let channel = world.chat.add_channel(
        "room-1",
        "room-1",
        ChannelKind::Public,
        &["ana", "meetrelay"],
    );
    let queue = world.back_end.open(&world.data()).await;
    for (number, body) in bodies.into_iter().enumerate() {
        for name in QueueName::ALL {
            let id = format!("bad-{number}-{}", name.as_str());
            // What is no object cannot even be signed.
            let body = match body.ends_with(b"}") {
                true => signer.sign(body).into(),
                false => body.to_vec().into(),
            };
            let outgoing = Outgoing {
                queue: name,
                message: Message { id, body },
                delay: Duration::ZERO,
            };
            queue.publish(outgoing).await.unwrap();
        }
        if number == 1 {
            let good = request(1, &channel, "bread", now);
            let mail = EnvelopeQueue::new(queue.clone(), signer.clone());
            mail.send(&[good]).await.unwrap();
        }
    }
    queue.close().await;
    world.relay.start_again().await;
    world.card("room-1", "bread").await;
    let letters = letters_of(&world, bodies.len() * QueueName::ALL.len()).await;
    assert_eq!(letters.len(), 16, "{letters:?}");
    for (kind, reason, _) in &letters {
        assert_eq!(kind, "unreadable", "{reason}");
    }
    let newer = letters
        .iter()
        .filter(|(_, reason, _)| reason.contains("version 99"));
    assert_eq!(
        newer.count(),
        4,
        "a newer relay's message says so: {letters:?}"
    );
    world.finish().await;
}

#[tokio::test]
async fn q11_event_that_panics_becomes_a_letter_and_its_batch_is_applied() {
    let mut world = Setup::default()
        .variable("MEETRELAY_PANIC_AT", "apply.begun@poison")
        .start()
        .await;
    one_bad_batch(&mut world).await;
    world.relay.start_again().await;
    neighbours_are_unharmed(&world).await;
    let letters = letters_of(&world, 1).await;
    let [(kind, reason, queue)] = &letters[..] else {
        panic!("one letter: {letters:?}")
    };
    assert_eq!((kind.as_str(), queue.as_str()), ("event", "events"));
    assert!(reason.contains("panicked"), "{reason}");
    world.finish().await;
}

#[tokio::test]
async fn q11_job_that_panics_becomes_a_letter_after_its_attempts() {
    let world = Setup::default()
        .variable("MEETRELAY_PANIC_AT", "job.calling@poison")
        .set("RETRY__INITIAL", "10ms")
        .set("RETRY__MAX", "1s")
        .set("RETRY__ATTEMPTS_MAX", "3")
        .start()
        .await;
    world.chat.say("ana", "dev", "meet now: poison").await;
    world.card_of("bob", "weekly", "bread").await;
    let letters = letters_of(&world, 2).await;
    for (kind, reason, _) in &letters {
        assert_eq!(kind, "job");
        assert!(
            reason.contains("3 attempts") && reason.contains("panicked"),
            "{reason}"
        );
    }
    assert_eq!(world.conference.rooms().len(), 1, "bread's alone");
    world.finish().await;
}

#[tokio::test]
async fn q11_event_that_kills_the_process_becomes_a_letter_and_its_batch_is_applied() {
    let mut world = World::start().await;
    one_bad_batch(&mut world).await;
    world.relay.crash_at("apply.begun@poison");
    let buried = world.relay.logs("poison: work on it began 5 times");
    let deaths = world.relay.outlive(DEATHS_MAX, buried).await;
    assert!(deaths >= 5, "it is tried: {deaths}");
    neighbours_are_unharmed(&world).await;
    let letters = letters_of(&world, 1).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].0, "event");
    assert_eq!(world.conference.rooms().len() as u128, NEIGHBOURS - 1);
    world.finish().await;
}

#[tokio::test]
async fn q11_job_that_kills_the_process_becomes_a_letter_and_its_neighbours_are_done() {
    let mut world = World::start().await;
    one_bad_batch(&mut world).await;
    world
        .relay
        .crash_at("job.calling@:CreateRoom:room:0 poison");
    let buried = world.relay.logs("poison: work on it began 5 times");
    let deaths = world.relay.outlive(DEATHS_OVER_A_JOB_MAX, buried).await;
    assert!(deaths >= 5, "it is tried: {deaths}");
    neighbours_are_unharmed(&world).await;
    let channel = format!("room-{}", NEIGHBOURS / 2);
    world.card(&channel, "could not be started").await;
    let letters = letters_of(&world, 1).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].0, "job");
    assert_eq!(world.conference.rooms().len() as u128, NEIGHBOURS - 1);
    world.finish().await;
}
