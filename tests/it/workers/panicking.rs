//! Defects in the work around a call: the message is settled all the same.

use std::sync::atomic::{AtomicI64, Ordering};

use meetrelay::domain::Refusal;
use meetrelay::ports::DeadFilter;
use meetrelay::worker::WorkObserver;

use super::*;

/// Panics so often when a job of plugNmeet is told to have waited, which is before its call.
struct Defect {
    left: AtomicI64,
    in_flight: AtomicI64,
}

impl Defect {
    fn of(times: i64) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(times),
            in_flight: AtomicI64::new(0),
        })
    }
}

impl WorkObserver for Defect {
    fn waited(&self, queue: QueueName, _: Duration) {
        if queue == QueueName::Conference {
            let left = self.left.fetch_sub(1, Ordering::Relaxed);
            assert!(left <= 0, "the test asked for it");
        }
    }

    fn in_flight(&self, _: QueueName, change: i64) {
        self.in_flight.fetch_add(change, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn job_whose_work_panics_once_is_done_with_its_next_attempt() {
    let mut house = House::new().await;
    let defect = Defect::of(1);
    house.deps.observer = Arc::clone(&defect) as _;
    let workers = house.start();
    house.ask(1).await;
    house.until(meeting(1), is_carded).await;
    for queue in QueueName::ALL {
        house.until_empty(queue).await;
    }
    assert!(workers.drain(std::future::pending()).await);
    assert_eq!(defect.in_flight.load(Ordering::Relaxed), 0);
    assert_eq!(house.peers.world().creates, 1);
    assert_eq!(house.store.count_dead_letters().await, Ok(0));
}

#[tokio::test]
async fn job_whose_work_panics_always_is_given_up_and_its_meeting_told() {
    let mut house = House::new().await;
    let defect = Defect::of(i64::MAX);
    house.deps.observer = Arc::clone(&defect) as _;
    let workers = house.start();
    house.ask(1).await;
    let failed = |meeting: &Meeting| meeting.refused == Some(Refusal::GaveUp);
    house.until(meeting(1), failed).await;
    house.until_empty(QueueName::Conference).await;
    assert!(workers.drain(std::future::pending()).await);
    assert_eq!(defect.in_flight.load(Ordering::Relaxed), 0);
    let letters = house
        .store
        .dead_letters(DeadFilter::newest(10))
        .await
        .unwrap();
    let [letter] = &letters[..] else {
        panic!("one letter: {letters:?}")
    };
    assert!(
        letter.reason.contains("3 attempts") && letter.reason.contains("panicked"),
        "{}",
        letter.reason
    );
}
