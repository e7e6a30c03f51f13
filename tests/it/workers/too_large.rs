//! Messages that no queue takes.

use super::refusing::Refusing;
use super::*;
use crate::harness::eventually;
use meetrelay::envelope::decode;
use meetrelay::ports::{DeadFilter, DeadKind, DeadLetter, MESSAGE_BYTES_MAX, PublishError};

/// A house whose queue takes no message of ours with such a body.
async fn narrow(is_too_large: fn(&Body) -> bool) -> House {
    let mut house = House::new().await;
    let refuse = move |outgoing: &meetrelay::ports::Outgoing, _| {
        let body = decode(&outgoing.message.body).unwrap().body;
        let bytes = MESSAGE_BYTES_MAX + 1;
        is_too_large(&body).then_some(PublishError::TooLarge { bytes })
    };
    let queue = Refusing::new(&house.queue, Box::new(refuse));
    house.use_queue(queue);
    house
}

async fn one_letter(house: &House) -> DeadLetter {
    eventually("the one letter", async || {
        let filter = DeadFilter::newest(10);
        let mut letters = house.store.dead_letters(filter).await.unwrap();
        (letters.len() == 1).then(|| letters.remove(0))
    })
    .await
}

#[tokio::test]
async fn job_that_learned_too_much_is_given_up() {
    let house =
        narrow(|body| matches!(body, Body::Event(event) if event.fact.kind() == created())).await;
    let _workers = house.start();
    let id = house.ask(1).await;
    // Two facts say so, and may be applied one after the other.
    let is_over = |m: &Meeting| !m.given_up.is_empty() && m.state() == State::Failed;
    house.until(id, is_over).await;
    let letter = one_letter(&house).await;
    assert!(letter.id.contains("CreateRoom"), "{letter:?}");
    assert!(letter.reason.contains("over the limit"), "{letter:?}");
    assert_eq!(
        house.peers.world().creates,
        1,
        "repeating it would learn the same"
    );
}

/// The kind of the fact that a create teaches.
fn created() -> &'static str {
    Fact::RoomCreated {
        meeting: meeting(0),
        sid: "SID".parse().unwrap(),
        created_at: Timestamp::from_millis(0),
    }
    .kind()
}

#[tokio::test]
async fn job_too_large_for_the_queue_becomes_a_letter_and_the_others_go_out() {
    let is_create =
        |body: &Body| matches!(body, Body::Job { id, .. } if id.job.kind() == "CreateRoom");
    let house = narrow(is_create).await;
    let _workers = house.start();
    let id = house.ask(1).await;
    let is_shown = |m: &Meeting| m.post(&PostKey::Card).is_some_and(|row| row.post.is_some());
    house.until(id, is_shown).await;
    let letter = one_letter(&house).await;
    assert_eq!(letter.kind, DeadKind::Job);
    assert!(letter.reason.contains("cannot be published"), "{letter:?}");
    house.until_empty(QueueName::Events).await;
}
