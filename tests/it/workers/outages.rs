//! Peers that are away, and stops in the middle.

use super::*;
use meetrelay::domain::{Job, Refusal};
use meetrelay::ports::{ChatError, ConferenceError};

fn away() -> ChatError {
    ChatError::Unreachable {
        why: "no route".to_owned(),
        sent: false,
    }
}

#[tokio::test]
async fn given_up_create_fails_the_meeting() {
    let house = House::new().await;
    house.peers.world().create_fails = Some(ConferenceError::Refused {
        why: "no".to_owned(),
    });
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house
        .until(id, |meeting| {
            let card = meeting.post(&PostKey::Card);
            meeting.state() == State::Failed
                && !meeting.given_up.is_empty()
                && card.is_some_and(|row| row.rendered == meeting.version)
        })
        .await;
    assert_eq!(meeting.refused, Some(Refusal::Refused));
    assert_eq!(house.peers.world().creates, 1);
    assert_eq!(house.store.count_dead_letters().await, Ok(1));
}

#[tokio::test]
async fn f20_internal_error_waits_like_an_outage_and_holds_up_no_other_meeting() {
    let mut house = House::new().await;
    house.settings.breaker.failures = 1;
    let error = |why: &str| ConferenceError::Internal {
        why: why.to_owned(),
    };
    house.peers.world().create_fails = Some(error("dial tcp: connection refused"));
    let _workers = house.start();
    let id = house.ask(1).await;
    let tried = house.settings.retry.attempts_max + 2;
    house
        .until(id, |_| house.peers.world().creates >= tried)
        .await;
    let meeting = house.until(id, |meeting| meeting.held_up.is_some()).await;
    assert_eq!(meeting.held_up, Some(Refusal::GaveUp));
    assert_eq!((meeting.state(), meeting.refused), (State::Creating, None));
    assert_eq!(house.store.count_dead_letters().await, Ok(0));
    house.peers.world().create_fails = None;
    let other = house.ask(2).await;
    for id in [id, other] {
        house
            .until(id, |meeting| meeting.state() == State::Open)
            .await;
    }
}

#[tokio::test]
async fn breaker_stops_jobs_of_one_peer_only() {
    let mut house = House::new().await;
    house.settings.breaker.failures = 1;
    house.peers.world().chat_fails = Some(away());
    let _workers = house.start();
    for number in 1..=5 {
        house.ask(number).await;
    }
    for number in 1..=5 {
        let is_open = |meeting: &Meeting| meeting.state() == State::Open;
        house.until(meeting(number), is_open).await;
    }
    assert!(house.peers.world().posts.is_empty());
}

#[tokio::test]
async fn jobs_of_older_rounds_do_not_keep_the_breaker_open() {
    let mut house = House::new().await;
    house.settings.breaker = BreakerSettings {
        failures: 1,
        probe_every: SECOND,
    };
    house.peers.world().chat_fails = Some(away());
    let _workers = house.start();
    let id = house.ask(1).await;
    house
        .until(id, |meeting| meeting.state() == State::Open)
        .await;
    let now = house.deps.clock.now();
    let old = |number: u64| {
        let owed = Owed {
            job: Job::RefreshCard {
                version: 1000 + number,
            },
            due: now,
            since: now,
        };
        job_posting(id, 0, &owed, now)
    };
    house.send((0..200).map(old).collect()).await;
    house.peers.world().chat_fails = None;
    house.until(id, is_carded).await;
    house.until_empty(QueueName::ChatLater).await;
}

#[tokio::test]
async fn drained_worker_returns_what_it_did_not_begin() {
    let mut house = House::new().await;
    house.settings.plugnmeet_concurrency = 1;
    house.peers.world().create_takes = 300 * MILLIS;
    let workers = house.start();
    for number in 1..=4 {
        house.ask(number).await;
    }
    house.until_empty(QueueName::Events).await;
    house.until_called().await;
    let drained = tokio::time::timeout(PATIENCE, workers.drain(std::future::pending()));
    assert_eq!(drained.await, Ok(true));
    let begun = u64::from(house.peers.world().creates);
    assert!((1..4).contains(&begun), "{begun}");
    assert_eq!(
        house.lying(QueueName::Conference).await + begun,
        4,
        "every job is done or still there"
    );
    let _workers = house.start();
    for number in 1..=4 {
        house.until(meeting(number), is_carded).await;
    }
    assert_eq!(house.peers.world().creates, 4, "none was begun twice");
}
