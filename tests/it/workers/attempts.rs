//! What is kept of each attempt at a job: row W1.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::peers::Fate;
use super::*;
use crate::harness::eventually;
use meetrelay::ports::{
    Attempt, ChatError, Delivery, Depths, Ending, Outgoing, PublishError, QueueError, Receipt,
    Settlement,
};

/// A queue that looks into the store whenever a job is acknowledged.
struct Watched {
    inner: Arc<dyn Queue>,
    store: Arc<SqliteStore>,
    handed_out: Mutex<HashMap<Receipt, String>>,
    /// Each acknowledged job, and whether its attempt was kept by then.
    acknowledged: Mutex<Vec<(String, bool)>>,
}

#[async_trait]
impl Queue for Watched {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        self.inner.publish(outgoing).await
    }

    async fn publish_all(&self, outgoing: Vec<Outgoing>) -> Result<(), PublishError> {
        self.inner.publish_all(outgoing).await
    }

    async fn depths(&self) -> Result<Depths, QueueError> {
        self.inner.depths().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let received = self.inner.receive(queue, max).await?;
        let named = received.iter().map(|r| (r.receipt, r.message.id.clone()));
        self.handed_out.lock().unwrap().extend(named);
        Ok(received)
    }

    async fn settle(&self, settled: Vec<Settlement>) -> Result<(), QueueError> {
        for settled in &settled {
            if let Settlement::Done(receipt) = settled {
                let name = self.handed_out.lock().unwrap().get(receipt).cloned();
                let name = name.unwrap();
                let Ok(id) = name.parse::<JobId>() else {
                    continue;
                };
                let kept = self.store.attempts(id.meeting).await.unwrap();
                let is_kept = kept.iter().any(|attempt| attempt.job == name);
                self.acknowledged.lock().unwrap().push((name, is_kept));
            }
        }
        self.inner.settle(settled).await
    }
}

async fn attempts_at(house: &House, id: MeetingId, kind: &str) -> Vec<Attempt> {
    let mut attempts = house.store.attempts(id).await.unwrap();
    attempts.retain(|attempt| attempt.job.contains(kind));
    attempts
}

#[tokio::test]
async fn w1_attempt_is_kept_before_its_job_is_acknowledged_once() {
    let mut house = House::new().await;
    let watched = Arc::new(Watched {
        inner: Arc::clone(&house.queue),
        store: Arc::clone(&house.store),
        handed_out: Mutex::default(),
        acknowledged: Mutex::default(),
    });
    house.use_queue(Arc::clone(&watched) as _);
    let workers = house.start();
    let id = house.ask(1).await;
    house.until(id, is_carded).await;
    house.until_empty(QueueName::Conference).await;
    house.until_empty(QueueName::Chat).await;
    workers.drain(std::future::pending()).await;
    let acknowledged = watched.acknowledged.lock().unwrap().clone();
    let attempts = house.store.attempts(id).await.unwrap();
    assert!(attempts.len() >= 2, "a room and a card: {attempts:#?}");
    for attempt in &attempts {
        let settled: Vec<_> = acknowledged
            .iter()
            .filter(|(job, _)| *job == attempt.job)
            .collect();
        assert!(
            matches!(settled[..], [(_, true)]),
            "{}: {acknowledged:?}",
            attempt.job
        );
        assert_eq!((attempt.ending, attempt.number), (Ending::Done, 1));
        assert!(attempt.due_at <= attempt.began_at);
    }
}

#[tokio::test]
async fn attempts_tell_what_the_peer_said_and_how_each_ended() {
    let house = House::new().await;
    let away = ChatError::Unavailable {
        why: "HTTP 503 (request abc)".to_owned(),
        after: None,
    };
    house
        .peers
        .world()
        .fates
        .extend([Fate::Refused(away.clone()), Fate::Refused(away)]);
    let _workers = house.start();
    let id = house.ask(1).await;
    house.until(id, is_carded).await;
    house.until_empty(QueueName::Chat).await;
    house.until_empty(QueueName::ChatLater).await;
    let attempts = eventually("a finished attempt", async || {
        // After an unknown outcome the card may be found by whichever job comes first.
        let mut attempts = attempts_at(&house, id, ":RefreshCard:").await;
        attempts.extend(attempts_at(&house, id, ":TidyPosts:").await);
        // The card is there a moment before its attempt is recorded.
        let is_done = attempts.iter().any(|one| one.ending == Ending::Done);
        is_done.then_some(attempts)
    })
    .await;
    let again: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.ending == Ending::Again)
        .collect();
    // Two jobs met it, or one of them twice; on RabbitMQ one of them may be no longer wanted by then.
    assert!(!again.is_empty(), "{attempts:#?}");
    for attempt in again {
        assert!(
            attempt.detail.contains("HTTP 503 (request abc)"),
            "{attempt:?}"
        );
    }
    let done = attempts.iter().find(|a| a.ending == Ending::Done).unwrap();
    assert_eq!(done.detail, "");
}

#[tokio::test]
async fn job_given_up_says_so_in_its_last_attempt() {
    let house = House::new().await;
    house.peers.world().chat_fails = Some(ChatError::Failed {
        why: "no such thing".to_owned(),
    });
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house
        .until(id, |meeting| !meeting.given_up.is_empty())
        .await;
    let job = meeting.given_up.first().unwrap();
    let attempts = attempts_at(&house, id, &format!(":{job}:")).await;
    let told: Vec<_> = attempts.iter().map(|a| (a.number, a.ending)).collect();
    let (again, given_up) = (Ending::Again, Ending::GivenUp);
    assert_eq!(told, [(1, again), (2, again), (3, given_up)]);
    for attempt in attempts {
        assert!(attempt.detail.contains("no such thing"), "{attempt:?}");
    }
}

#[tokio::test]
async fn store_that_keeps_no_attempts_fails_no_job() {
    let house = House::new().await;
    let file = rusqlite::Connection::open(house.path("store.db")).unwrap();
    file.execute("DROP TABLE attempts", []).unwrap();
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house.until(id, is_carded).await;
    assert!(meeting.given_up.is_empty());
}
