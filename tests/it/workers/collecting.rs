//! What the broker put aside becomes dead letters, and nothing of it is lost on the way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use meetrelay::domain::apply::{Applied, Fresh};
use meetrelay::domain::{Job, Refusal};
use meetrelay::ports::{
    DeadFilter, DeadKind, DeadLetter, Delivery, Incoming, Message, Outgoing, QueueError, Receipt,
    ReturnedMessage, ReturnedMessages, Settlement,
};
use meetrelay::worker::Workers;
use tokio::sync::Notify;

use super::*;
use crate::harness::{eventually, stays_true_for};

const REASON: &str = "delivered more than 100 times";

/// A broker's dead and unrouted messages, in memory. What is handed out and not settled comes again after `lose`.
#[derive(Default)]
struct Aside {
    lying: Mutex<VecDeque<ReturnedMessage>>,
    out: Mutex<BTreeMap<Receipt, ReturnedMessage>>,
    is_unavailable: Mutex<bool>,
    biggest_batch: Mutex<usize>,
    news: Notify,
}

impl Aside {
    fn put(&self, returned: Vec<ReturnedMessage>) {
        self.lying.lock().unwrap().extend(returned);
        self.news.notify_one();
    }

    /// The connection breaks: what was handed out comes again.
    fn lose(&self) {
        let lost = std::mem::take(&mut *self.out.lock().unwrap());
        self.put(lost.into_values().collect());
    }

    fn unsettled(&self) -> usize {
        self.lying.lock().unwrap().len() + self.out.lock().unwrap().len()
    }

    async fn until_settled(&self) {
        eventually("everything to be settled", async || {
            (self.unsettled() == 0).then_some(())
        })
        .await;
    }
}

#[async_trait]
impl ReturnedMessages for Aside {
    async fn receive(&self, max: usize) -> Result<Vec<ReturnedMessage>, QueueError> {
        loop {
            if std::mem::take(&mut *self.is_unavailable.lock().unwrap()) {
                return Err(QueueError::Unavailable("no connection".to_owned()));
            }
            let taken: Vec<ReturnedMessage> = {
                let mut lying = self.lying.lock().unwrap();
                let count = max.min(lying.len());
                lying.drain(..count).collect()
            };
            if !taken.is_empty() {
                let mut out = self.out.lock().unwrap();
                out.extend(taken.iter().map(|c| (c.delivery.receipt, c.clone())));
                let mut biggest = self.biggest_batch.lock().unwrap();
                *biggest = taken.len().max(*biggest);
                return Ok(taken);
            }
            self.news.notified().await;
        }
    }

    async fn settle(&self, done: Vec<Receipt>) -> Result<(), QueueError> {
        let mut out = self.out.lock().unwrap();
        out.retain(|receipt, _| !done.contains(receipt));
        Ok(())
    }
}

/// A house whose broker puts aside.
struct Scene {
    house: House,
    aside: Arc<Aside>,
}

impl Scene {
    async fn new() -> Self {
        let mut house = House::new().await;
        let aside = Arc::new(Aside::default());
        house.deps.returned = vec![Arc::clone(&aside) as _];
        Self { house, aside }
    }

    fn start(&self) -> Workers {
        self.house.start()
    }

    /// What the broker has of a message that was put into a queue.
    async fn return_message(&self, posting: Posting) -> ReturnedMessage {
        let queue = posting.queue;
        self.house.send(vec![posting]).await;
        let queues = &self.house.queue;
        let delivery = queues.receive(queue, 1).await.unwrap().remove(0);
        let done = Settlement::Done(delivery.receipt);
        queues.settle(vec![done]).await.unwrap();
        ReturnedMessage {
            delivery,
            reason: REASON.to_owned(),
        }
    }

    async fn event(&self, number: u128) -> ReturnedMessage {
        let now = self.house.deps.clock.now();
        self.return_message(event_posting(request(number, now), now))
            .await
    }

    /// A meeting is there that owes these jobs, and nothing is published of them.
    async fn asked(&self, number: u128) -> Applied {
        let now = self.house.deps.clock.now();
        let incoming = Incoming {
            event: request(number, now),
            fresh: Fresh { room: [1; 13] },
        };
        let policy = self.house.settings.policy.clone();
        let applied = self.house.store.apply(vec![incoming], policy, now).await;
        applied.unwrap().remove(0)
    }

    /// One of the jobs that a meeting owes, put aside.
    async fn job(&self, applied: &Applied, is_it: impl Fn(&Job) -> bool) -> ReturnedMessage {
        let (id, round) = applied.meeting.unwrap();
        let owed = applied.publish.iter().find(|owed| is_it(&owed.job));
        let now = self.house.deps.clock.now();
        self.return_message(job_posting(id, round, owed.unwrap(), now))
            .await
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        self.house
            .store
            .dead_letters(meetrelay::ports::DeadFilter::newest(500))
            .await
            .unwrap()
    }

    async fn letter(&self, id: &str) -> Option<DeadLetter> {
        self.house.store.dead_letter(id).await.unwrap()
    }

    fn sql(&self, statement: &str) {
        let connection = rusqlite::Connection::open(self.house.path("store.db")).unwrap();
        connection.execute_batch(statement).unwrap();
    }

    async fn replay(&self, id: &str) {
        let repairs = self.house.repairs();
        repairs.replay(id, "ana", false).await.unwrap();
    }
}

fn unreadable(receipt: u64, id: &str, raw: &'static [u8]) -> ReturnedMessage {
    let delivery = Delivery {
        queue: QueueName::Events,
        message: Message {
            id: id.to_owned(),
            body: Bytes::from_static(raw),
        },
        receipt: Receipt(1000 + receipt),
        redelivered: false,
        damaged: false,
    };
    ReturnedMessage {
        delivery,
        reason: REASON.to_owned(),
    }
}

#[tokio::test]
async fn castoff_event_is_kept_settled_and_can_be_replayed() {
    let scene = Scene::new().await;
    let returned = scene.event(1).await;
    let id = returned.delivery.message.id.clone();
    let raw = returned.delivery.message.body.to_vec();
    scene.aside.put(vec![returned]);
    let _workers = scene.start();
    scene.aside.until_settled().await;
    let letter = scene.letter(&id).await.unwrap();
    assert_eq!(
        (letter.kind, letter.queue.as_str()),
        (DeadKind::Event, "events")
    );
    assert_eq!((letter.reason.as_str(), letter.body), (REASON, raw));
    assert_eq!(scene.house.load(meeting(1)).await, None);
    scene.replay(&id).await;
    scene.house.until(meeting(1), is_carded).await;
    assert_eq!(scene.letters().await, []);
}

#[tokio::test]
async fn meeting_of_a_castoff_create_is_told() {
    let scene = Scene::new().await;
    let applied = scene.asked(1).await;
    let returned = scene.job(&applied, |job| *job == Job::CreateRoom).await;
    let id = returned.delivery.message.id.clone();
    scene.aside.put(vec![returned]);
    let _workers = scene.start();
    let told = |meeting: &Meeting| meeting.state() == State::Failed;
    let meeting = scene.house.until(meeting(1), told).await;
    assert_eq!(meeting.refused, Some(Refusal::GaveUp));
    scene.aside.until_settled().await;
    let letter = scene.letter(&id).await.unwrap();
    assert_eq!(
        (letter.kind, letter.meeting),
        (DeadKind::Job, Some(meeting.id))
    );
}

#[tokio::test]
async fn castoff_job_is_owed_no_more_until_its_letter_is_replayed() {
    let scene = Scene::new().await;
    let applied = scene.asked(1).await;
    let is_card = |job: &Job| matches!(job, Job::RefreshCard { .. });
    let returned = scene.job(&applied, is_card).await;
    let id = returned.delivery.message.id.clone();
    scene.aside.put(vec![returned]);
    let _workers = scene.start();
    let told = |meeting: &Meeting| !meeting.given_up.is_empty();
    scene.house.until(meeting(1), told).await;
    scene.aside.until_settled().await;
    scene.replay(&id).await;
    let told = |meeting: &Meeting| meeting.given_up.is_empty();
    scene.house.until(meeting(1), told).await;
    assert_eq!(scene.letter(&id).await, None);
}

#[tokio::test]
async fn unreadable_castoffs_are_all_kept_whatever_ids_they_have() {
    let scene = Scene::new().await;
    scene.aside.put(vec![
        unreadable(1, "", b"one"),
        unreadable(2, "", b"two"),
        unreadable(3, "same", b"one"),
        unreadable(4, "same", b"\xff\x00"),
    ]);
    let _workers = scene.start();
    scene.aside.until_settled().await;
    let letters = scene.letters().await;
    assert_eq!(letters.len(), 4, "{letters:?}");
    for letter in letters {
        assert_eq!(letter.kind, DeadKind::Unreadable);
        assert!(
            letter.reason.contains("not an envelope"),
            "{}",
            letter.reason
        );
        assert!(letter.reason.contains(REASON), "{}", letter.reason);
    }
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_settled_and_nothing_lost() {
    let scene = Scene::new().await;
    scene.sql("ALTER TABLE dead_letters RENAME TO away");
    let returned = scene.event(1).await;
    let id = returned.delivery.message.id.clone();
    scene.aside.put(vec![returned, unreadable(1, "", b"x")]);
    let workers = scene.start();
    // Longer than the pause between two tries.
    let is_kept = async || scene.aside.unsettled() == 2;
    stays_true_for(1500 * MILLIS, "nothing is settled", is_kept).await;
    scene.sql("ALTER TABLE away RENAME TO dead_letters");
    scene.aside.until_settled().await;
    assert!(scene.letter(&id).await.is_some());
    assert_eq!(scene.letters().await.len(), 2);
    assert!(workers.drain(std::future::pending()).await);
}

#[tokio::test]
async fn stop_while_the_store_is_away_leaves_everything_at_the_broker() {
    let scene = Scene::new().await;
    scene.sql("ALTER TABLE dead_letters RENAME TO away");
    let returned = scene.event(1).await;
    scene.aside.put(vec![returned]);
    let workers = scene.start();
    let is_kept = async || scene.aside.unsettled() == 1;
    stays_true_for(200 * MILLIS, "nothing is settled", is_kept).await;
    assert!(workers.drain(std::future::pending()).await);
    assert_eq!(scene.aside.unsettled(), 1);
    scene.sql("ALTER TABLE away RENAME TO dead_letters");
    scene.aside.lose();
    let _workers = scene.start();
    scene.aside.until_settled().await;
    assert_eq!(scene.letters().await.len(), 1);
}

#[tokio::test]
async fn castoff_that_is_a_dead_letter_already_is_settled_and_told_no_more() {
    let scene = Scene::new().await;
    let applied = scene.asked(1).await;
    let returned = scene.job(&applied, |job| *job == Job::CreateRoom).await;
    let letter = DeadLetter {
        id: returned.delivery.message.id.clone(),
        queue: "conference".to_owned(),
        kind: DeadKind::Job,
        meeting: Some(meeting(1)),
        reason: "the first reason".to_owned(),
        buried_at: Timestamp::from_millis(1),
        attempts: 7,
        body: returned.delivery.message.body.to_vec(),
    };
    scene.house.store.bury(letter.clone()).await.unwrap();
    scene.aside.put(vec![returned]);
    let _workers = scene.start();
    scene.aside.until_settled().await;
    let kept = scene.letter(&letter.id).await.unwrap();
    assert!(
        kept.buried_at > letter.buried_at,
        "a replay just now must not remove it"
    );
    let buried_at = kept.buried_at;
    assert_eq!(
        kept,
        DeadLetter {
            buried_at,
            ..letter
        }
    );
    assert_eq!(scene.house.lying(QueueName::Events).await, 0);
    let meeting = scene.house.load(meeting(1)).await.unwrap();
    assert_eq!((meeting.refused, meeting.given_up.len()), (None, 0));
}

#[tokio::test]
async fn a_hundred_castoffs_come_in_bounded_batches_after_an_outage_of_the_broker() {
    let scene = Scene::new().await;
    *scene.aside.is_unavailable.lock().unwrap() = true;
    let mut all = Vec::new();
    for number in 1..=100 {
        let mut returned = scene.event(number).await;
        returned.delivery.receipt = Receipt(u64::try_from(number).unwrap());
        all.push(returned);
    }
    scene.aside.put(all);
    let _workers = scene.start();
    scene.aside.until_settled().await;
    assert_eq!(scene.letters().await.len(), 100);
    let biggest = *scene.aside.biggest_batch.lock().unwrap();
    assert!((2..=64).contains(&biggest), "{biggest}");
}

/// Ids are read from where the content is, and so may be destroyed with it.
#[tokio::test]
async fn unreadable_messages_of_the_queue_are_all_kept_though_their_ids_are_the_same() {
    let house = House::new().await;
    let same = uuid::Uuid::from_u128(0).to_string();
    for queue in [QueueName::Events, QueueName::Chat, QueueName::Conference] {
        let outgoing = Outgoing {
            queue,
            message: Message {
                id: same.clone(),
                body: format!("no envelope of {}", queue.as_str())
                    .into_bytes()
                    .into(),
            },
            delay: Duration::ZERO,
        };
        house.queue.publish(outgoing).await.unwrap();
    }
    let _workers = house.start();
    for queue in [QueueName::Events, QueueName::Chat, QueueName::Conference] {
        house.until_empty(queue).await;
    }
    let letters = house
        .store
        .dead_letters(DeadFilter::newest(10))
        .await
        .unwrap();
    assert_eq!(letters.len(), 3, "{letters:?}");
    // The ledger asks by its id what became of an event.
    let event = letters.iter().find(|letter| letter.id == same).unwrap();
    assert_eq!(event.queue, "events");
}
