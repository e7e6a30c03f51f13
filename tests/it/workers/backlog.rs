//! A long backlog and a fresh request; messages that were redelivered.

use super::*;
use crate::harness::eventually;
use meetrelay::domain::Job;
use meetrelay::domain::apply::Fresh;
use meetrelay::ports::Incoming;

/// Cards that wait, as after a long outage.
const WAITING: u128 = 3_000;
/// Numbers of the meetings that wait.
const FIRST: u128 = 1_000;

/// Meetings that owe their card, and the jobs that wait behind everything fresh.
async fn fill(house: &House) {
    let now = house.deps.clock.now();
    let numbers: Vec<u128> = (FIRST..FIRST + WAITING).collect();
    for numbers in numbers.chunks(500) {
        let incoming = |number: &u128| Incoming {
            event: request(*number, now),
            fresh: Fresh {
                room: std::array::from_fn(|at| ((number >> (5 * at)) % 32) as u8),
            },
        };
        let batch = numbers.iter().map(incoming).collect();
        let policy = house.settings.policy.clone();
        house.store.apply(batch, policy, now).await.unwrap();
        let owed = Owed {
            job: Job::RefreshCard { version: 1 },
            due: now,
            since: now,
        };
        let job = |number: &u128| job_posting(meeting(*number), 0, &owed, now);
        house.send(numbers.iter().map(job).collect()).await;
    }
}

#[tokio::test]
async fn thousands_that_wait_and_a_slow_mattermost_delay_no_fresh_card() {
    let house = House::new().await;
    fill(&house).await;
    house.peers.world().post_takes = 300 * MILLIS;
    let _workers = house.start();
    eventually("the first post", async || {
        (!house.peers.world().posts.is_empty()).then_some(())
    })
    .await;
    let (began, before) = (
        tokio::time::Instant::now(),
        house.peers.world().tried_at.len(),
    );
    let id = house.ask(1).await;
    house.until(id, is_carded).await;
    let took = began.elapsed();
    let between = house.peers.world().tried_at.len() - before;
    // Half of the four slots are free for it, so it waits for nobody: one call of its own, while the others' two slots
    // make a few. "Being prepared" and its change may be two calls.
    assert!(between <= 16, "{between} calls came before it was done");
    assert!(house.lying(QueueName::ChatLater).await > WAITING as u64 / 2);
    eprintln!(
        "with {WAITING} cards waiting and 300 ms a call, a fresh one took {took:?}, {between} calls"
    );
}

#[tokio::test]
async fn redelivered_backlog_is_applied_at_the_speed_of_a_new_one() {
    let house = House::new().await;
    let now = house.deps.clock.now();
    let events = |first: u128| {
        let numbers = first..first + WAITING;
        let event = |number| event_posting(request(number, now), now);
        numbers.map(event).collect::<Vec<_>>()
    };
    house.send(events(FIRST)).await;
    // What lay in the file at its opening counts as redelivered.
    let house = house.restarted().await;
    let file = rusqlite::Connection::open(house.path("store.db")).unwrap();
    file.execute_batch(
        "CREATE TABLE marked (message);
         CREATE TRIGGER marked AFTER INSERT ON marks BEGIN INSERT INTO marked VALUES (new.message); END",
    )
    .unwrap();
    let began = tokio::time::Instant::now();
    let _workers = house.start();
    let last = meeting(FIRST + WAITING - 1);
    house.until(last, |_| true).await;
    let took = began.elapsed();
    eprintln!("{WAITING} redelivered events were applied in {took:?}");
    let marks: i64 = file
        .query_row("SELECT count(*) FROM marked", [], |row| row.get(0))
        .unwrap();
    assert!(marks <= 128, "{marks} marks for {WAITING} events");
}
