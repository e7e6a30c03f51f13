//! Jobs that end the process: each is given up within its bound, and no other message begins it again.

use meetrelay::domain::apply::Fresh;
use meetrelay::domain::{Job, Refusal};
use meetrelay::ports::{ConferenceError, DeadFilter, Incoming};

use super::*;

/// The meeting is there and owes, as after a crash between commit and publish.
async fn apply_alone(house: &House, event: Event) {
    let incoming = Incoming {
        event,
        fresh: Fresh { room: [1; 13] },
    };
    let (policy, now) = (house.settings.policy.clone(), house.deps.clock.now());
    let applying = house.store.apply(vec![incoming], policy, now);
    applying.await.unwrap();
}

fn message(queue: QueueName, job: Job, round: u32, now: Timestamp) -> Posting {
    let owed = Owed {
        job,
        due: now,
        since: now,
    };
    Posting {
        queue,
        ..job_posting(meeting(1), round, &owed, now)
    }
}

fn mark(job: &Job) -> String {
    format!("{}:{}", meeting(1), job.key())
}

/// Work on the job was begun as often as may be, and a message of it was handed out and never settled by a relay that
/// died of it.
async fn died_of(house: House, queue: QueueName, job: Job) -> House {
    for _ in 0..house.settings.poison_max {
        house.store.mark_redelivered(&mark(&job)).await.unwrap();
    }
    let now = house.deps.clock.now();
    house.send(vec![message(queue, job, 0, now)]).await;
    let handed_out = house.queue.receive(queue, 1).await.unwrap();
    assert_eq!(handed_out.len(), 1);
    house.restarted().await
}

/// A meeting that was asked for a moment ago.
async fn asked() -> House {
    let house = House::new().await;
    let asked_at = house.deps.clock.now().minus(SECOND);
    apply_alone(&house, request(1, asked_at)).await;
    house
}

async fn letters(house: &House) -> Vec<String> {
    let letters = house.store.dead_letters(DeadFilter::newest(10)).await;
    letters.unwrap().into_iter().map(|it| it.id).collect()
}

#[tokio::test]
async fn poisonous_chat_job_fails_no_room() {
    let house = asked().await;
    house.peers.world().create_fails = Some(ConferenceError::Unreachable {
        why: "no route".to_owned(),
    });
    let version = house.load(meeting(1)).await.unwrap().version;
    let job = Job::RefreshCard { version };
    let house = died_of(house, QueueName::ChatLater, job).await;
    let _workers = house.start();
    let meeting = house
        .until(meeting(1), |meeting| !meeting.given_up.is_empty())
        .await;
    assert_eq!((meeting.state(), meeting.refused), (State::Creating, None));
}

#[tokio::test]
async fn job_that_was_given_up_as_poison_is_not_begun_by_another_message() {
    let mut house = died_of(asked().await, QueueName::Conference, Job::CreateRoom).await;
    // New ones of the same round and of the next, which the sweep calls for meanwhile.
    let now = house.deps.clock.now();
    let other = |round| message(QueueName::Conference, Job::CreateRoom, round, now);
    rusqlite::Connection::open(house.path("store.db"))
        .unwrap()
        .execute("UPDATE meetings SET wake_at = 1", [])
        .unwrap();
    house.settings.sweep_every = 20 * MILLIS;
    // One after the other, so that the redelivered one is given up first.
    house.settings.plugnmeet_concurrency = 1;
    let workers = house.start();
    house
        .until(meeting(1), |meeting| {
            meeting.refused == Some(Refusal::GaveUp)
        })
        .await;
    house.send(vec![other(0), other(1), other(2)]).await;
    house.until_empty(QueueName::Events).await;
    house.until_empty(QueueName::Conference).await;
    assert!(workers.drain(std::future::pending()).await);
    assert_eq!(house.peers.world().creates, 0);
    assert_eq!(letters(&house).await.len(), 1);
    let count = house.store.mark_redelivered(&mark(&Job::CreateRoom)).await;
    assert_eq!(count, Ok(1), "a person who wants it again gets all tries");
}

/// The meeting knows first. What ended before the dead letter was kept keeps it now.
#[tokio::test]
async fn process_that_ends_while_it_gives_up_poison_leaves_a_letter_and_no_way_to_begin_it_again() {
    let house = died_of(asked().await, QueueName::Conference, Job::CreateRoom).await;
    house
        .store
        .mark_redelivered(&mark(&Job::CreateRoom))
        .await
        .unwrap();
    let now = house.deps.clock.now();
    let fact = Fact::JobGivenUp {
        meeting: meeting(1),
        job: Job::CreateRoom.key(),
    };
    apply_alone(&house, own_event(fact, "given up", now)).await;
    let round = house.load(meeting(1)).await.unwrap().round;
    let others = [round, round + 1, round];
    let others = others.map(|round| message(QueueName::Conference, Job::CreateRoom, round, now));
    house.send(others.into()).await;
    let workers = house.start();
    house.until_empty(QueueName::Conference).await;
    assert!(workers.drain(std::future::pending()).await);
    assert_eq!(house.peers.world().creates, 0);
    let id = format!("{}:0", mark(&Job::CreateRoom));
    assert_eq!(letters(&house).await, [id]);
    let count = house.store.mark_redelivered(&mark(&Job::CreateRoom)).await;
    assert_eq!(count, Ok(1));
}
