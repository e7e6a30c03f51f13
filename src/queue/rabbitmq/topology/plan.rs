//! The exchanges, queues and bindings as data: one source for declaring, checking and exporting.

use std::time::Duration;

use crate::ports::QueueName;

/// The exchange that all messages are published to. Its routing keys are [`QueueName::as_str`].
pub(crate) const EXCHANGE: &str = "meetrelay";
/// Exchange and queue of the messages that were delivered too often.
pub(crate) const DEAD: &str = "meetrelay.dead";
/// Exchange and queue of the messages that have no route.
pub(crate) const UNROUTED: &str = "meetrelay.unrouted";

/// A delay that the broker offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rung {
    /// The name of its exchange and of its queue. A different delay needs a different name, because arguments never
    /// change.
    pub(crate) name: &'static str,
    /// How long a message stays in the queue.
    pub(crate) delay: Duration,
}

/// The delays that the broker offers, shortest first.
pub(crate) const DELAYS: [Rung; 4] = [
    Rung {
        name: "meetrelay.delay.2s",
        delay: Duration::from_secs(2),
    },
    Rung {
        name: "meetrelay.delay.10s",
        delay: Duration::from_secs(10),
    },
    Rung {
        name: "meetrelay.delay.1m",
        delay: Duration::from_secs(60),
    },
    Rung {
        name: "meetrelay.delay.10m",
        delay: Duration::from_secs(600),
    },
];

/// The name of a queue in the broker.
pub(crate) const fn queue_name(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Events => "meetrelay.events",
        QueueName::Conference => "meetrelay.conference",
        QueueName::Chat => "meetrelay.chat",
        QueueName::ChatLater => "meetrelay.chat.later",
    }
}

/// Deliveries after which the broker dead-letters a message. It is generous, because every restart of the relay counts.
/// The relay itself has a lower bound for poison messages.
const DELIVERY_LIMIT: i64 = 100;
/// The limit where dead-lettering would lose the message. Brokers from 4.0 on have a limit of 20 by default, and only
/// these have a value for "none" (src/queue/rabbitmq/README.md, "Delivery limit").
const NO_DELIVERY_LIMIT: i64 = 1_000_000_000;

/// The value of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Text(&'static str),
    Number(i64),
}

/// The name and the value of one argument.
pub(super) type Argument = (&'static str, Value);

/// How an exchange routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExchangeKind {
    Direct,
    Fanout,
}

/// A durable exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) name: &'static str,
    pub(super) kind: ExchangeKind,
    /// Only the broker itself may publish to it.
    pub(super) is_internal: bool,
    pub(super) arguments: Vec<Argument>,
}

/// A durable queue.
#[derive(Debug)]
pub(super) struct PlannedQueue {
    pub(super) name: &'static str,
    pub(super) arguments: Vec<Argument>,
}

/// A binding of a queue to an exchange.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) exchange: &'static str,
    pub(super) queue: &'static str,
    pub(super) key: &'static str,
}

/// All exchanges. Those that others name in their arguments come first.
pub(super) fn exchanges() -> Vec<Exchange> {
    let fanout = |name, is_internal| Exchange {
        name,
        kind: ExchangeKind::Fanout,
        is_internal,
        arguments: Vec::new(),
    };
    let mut all = vec![
        fanout(UNROUTED, true),
        fanout(DEAD, true),
        Exchange {
            name: EXCHANGE,
            kind: ExchangeKind::Direct,
            is_internal: false,
            arguments: vec![("alternate-exchange", Value::Text(UNROUTED))],
        },
    ];
    all.extend(DELAYS.map(|rung| fanout(rung.name, false)));
    all
}

/// All queues. Those at the end of a message's route come first.
pub(super) fn queues() -> Vec<PlannedQueue> {
    let mut all = Vec::from([UNROUTED, DEAD].map(|name| queue(name, [limit(NO_DELIVERY_LIMIT)])));
    all.extend(QueueName::ALL.map(|name| {
        let own = [limit(DELIVERY_LIMIT)]
            .into_iter()
            .chain(dead_letters(DEAD));
        queue(queue_name(name), own)
    }));
    all.extend(DELAYS.map(|rung| {
        let time = (
            "x-message-ttl",
            Value::Number(rung.delay.as_secs() as i64 * 1000),
        );
        // Without a dead-letter routing key, so that the message keeps its own key and returns to its queue.
        queue(rung.name, [time].into_iter().chain(dead_letters(EXCHANGE)))
    }));
    all
}

/// All bindings.
pub(super) fn bindings() -> Vec<Binding> {
    let same_name = |name| Binding {
        exchange: name,
        queue: name,
        key: "",
    };
    let mut all = vec![same_name(UNROUTED), same_name(DEAD)];
    all.extend(QueueName::ALL.map(|name| Binding {
        exchange: EXCHANGE,
        queue: queue_name(name),
        key: name.as_str(),
    }));
    all.extend(DELAYS.map(|rung| same_name(rung.name)));
    all
}

/// A full queue refuses a new message instead of dropping its oldest one, and the publisher gets a nack.
fn queue(name: &'static str, own: impl IntoIterator<Item = Argument>) -> PlannedQueue {
    let common = [
        ("x-queue-type", Value::Text("quorum")),
        ("x-overflow", Value::Text("reject-publish")),
    ];
    PlannedQueue {
        name,
        arguments: common.into_iter().chain(own).collect(),
    }
}

fn limit(deliveries: i64) -> Argument {
    ("x-delivery-limit", Value::Number(deliveries))
}

fn dead_letters(to: &'static str) -> [Argument; 2] {
    [
        ("x-dead-letter-exchange", Value::Text(to)),
        ("x-dead-letter-strategy", Value::Text("at-least-once")),
    ]
}
