//! Events that are refused, and their neighbours.

use super::*;
use meetrelay::domain::PostId;
use meetrelay::ports::DeadKind;

/// A meeting of this number is there, and nobody can read it.
async fn damage(house: &House, number: u128) {
    let connection = rusqlite::Connection::open(house.path("store.db")).unwrap();
    let changed = connection
        .execute(
            "UPDATE meetings SET body = '{}', wake_at = 1 WHERE id = ?1",
            [meeting(number).to_string()],
        )
        .unwrap();
    assert_eq!(changed, 1);
}

fn ended(number: u128, now: Timestamp) -> Event {
    let fact = Fact::EndOrdered {
        meeting: meeting(number),
    };
    own_event(fact, format!("end {number}"), now)
}

#[tokio::test]
async fn event_that_cannot_be_applied_is_buried_and_its_neighbours_are_applied() {
    let house = House::new().await;
    let workers = house.start();
    house.ask(1).await;
    house.until(meeting(1), is_carded).await;
    house.until_empty(QueueName::Chat).await;
    house.until_empty(QueueName::ChatLater).await;
    workers.drain(std::future::pending()).await;
    damage(&house, 1).await;
    let now = house.deps.clock.now();
    let bad = ended(1, now);
    let events = [request(2, now), bad.clone(), request(3, now)];
    let postings = events.map(|event| event_posting(event, now));
    house.send(postings.into()).await;
    let _workers = house.start();
    house.until(meeting(2), is_carded).await;
    house.until(meeting(3), is_carded).await;
    house.until_empty(QueueName::Events).await;
    let letters = house
        .store
        .dead_letters(meetrelay::ports::DeadFilter::newest(10))
        .await
        .unwrap();
    let letters: Vec<_> = letters.iter().map(|l| (l.id.clone(), l.kind)).collect();
    assert_eq!(letters, [(bad.id.to_string(), DeadKind::Event)]);
}

#[tokio::test]
async fn meeting_that_cannot_be_woken_leaves_no_letters() {
    let mut house = House::new().await;
    house.settings.sweep_every = 20 * MILLIS;
    let workers = house.start();
    house.ask(1).await;
    house.until(meeting(1), is_carded).await;
    house.until_empty(QueueName::Chat).await;
    house.until_empty(QueueName::ChatLater).await;
    damage(&house, 1).await;
    // Several passes of the sweep, and then one more event.
    for number in 2..10 {
        house.ask(number).await;
        house.until(meeting(number), is_carded).await;
    }
    assert_eq!(house.store.count_dead_letters().await, Ok(0));
    assert!(workers.drain(std::future::pending()).await);
}

/// A wake that ends every process which applies it is sent anew by each start, and so is new there.
#[tokio::test]
async fn wake_that_was_begun_too_often_is_not_begun_again_though_the_sweep_sends_it_anew() {
    let mut house = House::new().await;
    let workers = house.start();
    for number in [1, 2] {
        house.ask(number).await;
        house.until(meeting(number), is_carded).await;
    }
    house.until_empty(QueueName::Chat).await;
    house.until_empty(QueueName::ChatLater).await;
    workers.drain(std::future::pending()).await;
    let mark = format!("woken:{}", meeting(1));
    for _ in 0..house.settings.poison_max {
        house.store.mark_redelivered(&mark).await.unwrap();
    }
    rusqlite::Connection::open(house.path("store.db"))
        .unwrap()
        .execute("UPDATE meetings SET wake_at = 1", [])
        .unwrap();
    let rounds = [
        house.load(meeting(1)).await.unwrap().round,
        house.load(meeting(2)).await.unwrap().round,
    ];
    house.settings.sweep_every = 20 * MILLIS;
    let workers = house.start();
    house
        .until(meeting(2), |meeting| meeting.round > rounds[1])
        .await;
    // Several passes of the sweep, and then one more event.
    for number in 3..6 {
        house.ask(number).await;
        house.until(meeting(number), is_carded).await;
    }
    house.until_empty(QueueName::Chat).await;
    assert!(workers.drain(std::future::pending()).await);
    assert_eq!(house.load(meeting(1)).await.unwrap().round, rounds[0]);
    let letters = house
        .store
        .dead_letters(meetrelay::ports::DeadFilter::newest(10))
        .await
        .unwrap();
    let letters: Vec<_> = letters.iter().map(|l| (l.id.clone(), l.kind)).collect();
    assert_eq!(letters, [(mark, DeadKind::Event)]);
    let innocent = format!("woken:{}", meeting(2));
    assert_eq!(house.store.mark_redelivered(&innocent).await, Ok(1));
}

#[tokio::test]
async fn crash_between_commit_and_publish_loses_no_job() {
    let house = House::new().await;
    let event = request(1, house.deps.clock.now());
    // What a crashed apply leaves: the event applied, nothing published, the delivery not acknowledged.
    let incoming = meetrelay::ports::Incoming {
        event: event.clone(),
        fresh: meetrelay::domain::apply::Fresh { room: [1; 13] },
    };
    let (policy, now) = (house.settings.policy.clone(), house.deps.clock.now());
    house
        .store
        .apply(vec![incoming], policy, now)
        .await
        .unwrap();
    house.post(event).await;
    let _workers = house.start();
    let meeting = house.until(meeting(1), is_carded).await;
    let posts: Vec<PostId> = house
        .peers
        .world()
        .posts
        .iter()
        .map(|p| p.id.clone())
        .collect();
    assert_eq!(
        posts,
        [meeting.post(&PostKey::Card).unwrap().post.clone().unwrap()]
    );
}
