#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use bytes::Bytes;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldArray, FieldTable};

use crate::domain::Timestamp;
use crate::ports::{Message, Outgoing, QueueName};

use super::subscriptions::{Subscription, Subscriptions};
use super::wire::{Arrived, Frame};

const SUBSCRIPTION: Subscription = Subscription::Of(QueueName::Events);

fn message(id: &str) -> Message {
    Message {
        id: id.to_owned(),
        body: Bytes::from_static(b"{}"),
    }
}

fn arrived(id: &str) -> Arrived {
    Arrived {
        queue: Some(QueueName::Events),
        message: message(id),
        is_redelivered: false,
        return_message: None,
    }
}

/// Subscriptions with the deliveries 1 to `count` in one of them.
fn subscriptions_with(count: u64) -> Subscriptions {
    let subscriptions = Subscriptions::new();
    subscriptions.begin();
    for tag in 1..=count {
        subscriptions.arrive(SUBSCRIPTION, tag, arrived(&tag.to_string()));
    }
    subscriptions
}

#[test]
fn receipt_of_an_earlier_connection_is_void() {
    let subscriptions = subscriptions_with(2);
    let taken = subscriptions.take(SUBSCRIPTION, 1);
    assert_eq!(subscriptions.count(SUBSCRIPTION), (1, 1));
    let held = subscriptions.claim(taken[0].0).unwrap();
    assert!(subscriptions.claim(taken[0].0).is_none());
    let second = subscriptions.take(SUBSCRIPTION, 5).remove(0).0;
    assert!(subscriptions.is_current(held.broker_tag.generation));
    assert_eq!(
        subscriptions.count(SUBSCRIPTION),
        (0, 2),
        "claimed and not settled yet"
    );
    subscriptions.settle(SUBSCRIPTION);
    assert_eq!(subscriptions.count(SUBSCRIPTION), (0, 1));
    subscriptions.begin();
    assert!(!subscriptions.is_current(held.broker_tag.generation));
    assert!(subscriptions.claim(second).is_none());
    assert_eq!(subscriptions.count(SUBSCRIPTION), (0, 0));
}

fn delivery_of(frame: Frame) -> Delivery {
    let mut delivery = Delivery::mock(
        1,
        frame.exchange.into(),
        frame.routing_key.into(),
        false,
        frame.body.to_vec(),
    );
    delivery.properties = frame.properties;
    delivery
}

fn frame(id: &str, is_redelivered: bool) -> Frame {
    let outgoing = Outgoing {
        queue: QueueName::ChatLater,
        message: message(id),
        delay: std::time::Duration::ZERO,
    };
    Frame::new(outgoing, is_redelivered, Timestamp::from_millis(0))
}

#[test]
fn message_comes_as_it_was_sent_however_long_its_id() {
    for id in ["id".to_owned(), "x".repeat(300)] {
        let arrived = Arrived::read(SUBSCRIPTION, delivery_of(frame(&id, false)));
        assert_eq!(arrived.message, message(&id));
        assert_eq!(arrived.queue, Some(QueueName::ChatLater));
        assert!(!arrived.is_redelivered && arrived.return_message.is_none());
    }
}

#[test]
fn redelivery_mark_survives_a_return() {
    assert!(Arrived::read(SUBSCRIPTION, delivery_of(frame("id", true))).is_redelivered);
}

#[test]
fn message_without_an_id_has_the_same_generated_id_each_time() {
    let unnamed = || Delivery::mock(1, "".into(), "events".into(), false, b"text".to_vec());
    let first = Arrived::read(SUBSCRIPTION, unnamed()).message.id;
    assert!(first.starts_with("untitled-"), "{first}");
    assert_eq!(first, Arrived::read(SUBSCRIPTION, unnamed()).message.id);
}

fn death(queue: &str, reason: &str) -> AMQPValue {
    let mut table = FieldTable::default();
    table.insert("queue".into(), AMQPValue::LongString(queue.into()));
    table.insert("reason".into(), AMQPValue::LongString(reason.into()));
    AMQPValue::FieldTable(table)
}

#[test]
fn returned_message_names_its_last_death() {
    let with_deaths = |deaths: Vec<AMQPValue>| {
        let mut delivery = Delivery::mock(1, "".into(), "chat\n".into(), false, Vec::new());
        let mut headers = FieldTable::default();
        if !deaths.is_empty() {
            headers.insert(
                "x-death".into(),
                AMQPValue::FieldArray(FieldArray::from(deaths)),
            );
        }
        delivery.properties = delivery.properties.with_headers(headers);
        Arrived::read(Subscription::Dead, delivery)
            .return_message
            .unwrap()
    };
    let expired = death("meetrelay.delay.2s", "expired");
    let reasons = [
        with_deaths(vec![
            death("meetrelay.chat", "delivery_limit"),
            expired.clone(),
        ]),
        with_deaths(vec![death("meetrelay.chat", "rejected"), expired]),
        with_deaths(vec![AMQPValue::Boolean(true)]),
        with_deaths(Vec::new()),
    ];
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    the broker gave it up: it was delivered too often from meetrelay.chat without being settled
    the broker dead-lettered it from meetrelay.chat: rejected
    the broker has no queue for the routing key "chat "
    the broker has no queue for the routing key "chat "
    "#);
}
