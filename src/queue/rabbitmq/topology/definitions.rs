//! The plan as definitions that RabbitMQ imports, for brokers in which the relay has no right to configure.

use serde_json::{Map, Value as Json, json};

use super::plan::{self, Argument, DEAD, DELAYS, ExchangeKind, UNROUTED, Value, queue_name};
use crate::ports::QueueName;

/// Most messages of a queue that workers consume, and of a delay queue. It is set by a policy, so that it can be tuned.
const WORK_MAX: u64 = 500_000;
/// Most messages of the queues from which the collector consumes.
const PARKED_MAX: u64 = 200_000;

/// The definitions as JSON for `rabbitmqctl import_definitions`, without users. The text ends with a line break.
pub(crate) fn definitions(vhost: &str) -> String {
    let exchanges = plan::exchanges().into_iter().map(|exchange| {
        json!({
            "name": exchange.name,
            "vhost": vhost,
            "type": match exchange.kind {
                ExchangeKind::Direct => "direct",
                ExchangeKind::Fanout => "fanout",
            },
            "durable": true,
            "auto_delete": false,
            "internal": exchange.is_internal,
            "arguments": arguments(&exchange.arguments),
        })
    });
    let queues = plan::queues().into_iter().map(|queue| {
        json!({
            "name": queue.name,
            "vhost": vhost,
            "durable": true,
            "auto_delete": false,
            "arguments": arguments(&queue.arguments),
        })
    });
    let bindings = plan::bindings().into_iter().map(|binding| {
        json!({
            "source": binding.exchange,
            "vhost": vhost,
            "destination": binding.queue,
            "destination_type": "queue",
            "routing_key": binding.key,
            "arguments": {},
        })
    });
    let all = json!({
        "vhosts": [{ "name": vhost }],
        "exchanges": exchanges.collect::<Json>(),
        "queues": queues.collect::<Json>(),
        "bindings": bindings.collect::<Json>(),
        "policies": policies(vhost),
    });
    format!("{all:#}\n")
}

/// The policies, which set only the maximum length of queues.
fn policies(vhost: &str) -> Json {
    let sets: [(&str, Vec<&str>, u64); 3] = [
        (
            "meetrelay-work",
            QueueName::ALL.map(queue_name).to_vec(),
            WORK_MAX,
        ),
        (
            "meetrelay-delay",
            DELAYS.map(|rung| rung.name).to_vec(),
            WORK_MAX,
        ),
        ("meetrelay-parked", vec![DEAD, UNROUTED], PARKED_MAX),
    ];
    let policy = |(name, queues, max): (&str, Vec<&str>, u64)| {
        let names: Vec<_> = queues
            .iter()
            .map(|queue| queue.replace('.', "\\."))
            .collect();
        json!({
            "name": name,
            "vhost": vhost,
            "pattern": format!("^({})$", names.join("|")),
            "apply-to": "queues",
            "priority": 10,
            "definition": { "max-length": max },
        })
    };
    sets.map(policy).into_iter().collect()
}

fn arguments(arguments: &[Argument]) -> Map<String, Json> {
    let value = |value: &Value| match value {
        Value::Text(text) => json!(text),
        Value::Number(number) => json!(number),
    };
    arguments
        .iter()
        .map(|(name, of)| ((*name).to_owned(), value(of)))
        .collect()
}
