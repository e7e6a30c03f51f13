//! The exchanges, queues and bindings, as data: one source for declaring, verifying and exporting.

use std::time::Duration;

use crate::ports::QueueName;

/// The exchange that everything enters by; its routing keys are [`QueueName::as_str`].
pub(crate) const EXCHANGE: &str = "meetrelay";
/// Exchange and queue of what the broker gave up: delivered too often.
pub(crate) const DEAD: &str = "meetrelay.dead";
/// Exchange and queue of what has no route.
pub(crate) const UNROUTED: &str = "meetrelay.unrouted";

/// A time that the broker can hold messages back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rung {
    /// The name of its exchange and of its queue. Another time needs another name: arguments never change.
    pub(crate) name: &'static str,
    /// How long.
    pub(crate) delay: Duration,
}

/// The ladder of delays, shortest first.
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

/// The broker's name of a queue.
pub(crate) const fn queue_name(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Events => "meetrelay.events",
        QueueName::Conference => "meetrelay.conference",
        QueueName::Chat => "meetrelay.chat",
        QueueName::ChatLater => "meetrelay.chat.later",
    }
}

/// Deliveries after which the broker gives a message up. Generous, because every restart of the relay counts; the
/// bound for poison is the relay's own.
const DELIVERY_LIMIT: i64 = 100;
/// The same where giving up would mean losing: brokers from 4.0 on have a limit of 20 of their own, and only these
/// know a value for "none" (src/queue/rabbitmq/README.md, "Delivery limit").
const NO_DELIVERY_LIMIT: i64 = 1_000_000_000;

/// The value of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Text(&'static str),
    Number(i64),
}

/// One argument with its name.
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

/// What leads from an exchange to a queue.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) exchange: &'static str,
    pub(super) queue: &'static str,
    pub(super) key: &'static str,
}

/// All exchanges; those that others name in their arguments first.
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

/// All queues; those that messages end in first.
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
        // Without a routing key of its own, so that the message's survives and leads it back.
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

/// A full queue refuses instead of dropping its oldest, and the publisher hears of it.
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
