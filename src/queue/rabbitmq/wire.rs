//! Messages as the broker carries them: properties out, properties in.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use sha2::{Digest as _, Sha256};

use crate::domain::Timestamp;
use crate::ports::{Message, Outgoing, QueueName};

use super::subscriptions::Subscription;
use super::topology;

/// Kept on the broker's disk.
const PERSISTENT: u8 = 2;
/// Set on a message that was given back after it had come redelivered: giving back takes no suspicion away.
const SUSPECT: &str = "redelivered";
/// Carries an identifier that is too long for the property.
const LONG_ID: &str = "message-id";

/// One message on its way to the broker.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) exchange: &'static str,
    pub(super) routing_key: &'static str,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

impl Frame {
    /// The properties are new: no `x-` header of an earlier delivery comes along, in which brokers before 4.0 would go
    /// on counting (src/queue/rabbitmq/README.md, "Headers of dead letters").
    pub(super) fn new(outgoing: Outgoing, is_suspect: bool, now: Timestamp) -> Self {
        let (exchange, routing_key) = topology::route(outgoing.queue, outgoing.delay);
        let mut headers = FieldTable::default();
        let mut properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_timestamp(u64::try_from(now.millis() / 1000).unwrap_or(0));
        let Message { id, body } = outgoing.message;
        match ShortString::try_new(id.as_str()) {
            Ok(id) => properties = properties.with_message_id(id),
            Err(_) => {
                headers.insert(LONG_ID.into(), AMQPValue::LongString(id.into()));
            }
        }
        if is_suspect {
            headers.insert(SUSPECT.into(), AMQPValue::Boolean(true));
        }
        if !headers.inner().is_empty() {
            properties = properties.with_headers(headers);
        }
        Self {
            exchange,
            routing_key,
            properties,
            body,
        }
    }
}

/// A message as it came.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    /// Where it belongs, as far as its routing key tells.
    pub(super) queue: Option<QueueName>,
    pub(super) message: Message,
    pub(super) is_redelivered: bool,
    /// Why the broker put it aside, if it did.
    pub(super) return_message: Option<String>,
}

impl Arrived {
    pub(super) fn read(subscription: Subscription, delivery: Delivery) -> Self {
        let Delivery {
            routing_key,
            redelivered,
            properties,
            data,
            ..
        } = delivery;
        let header = |name: &str| properties.headers().as_ref()?.inner().get(name);
        let key = routing_key.as_str();
        let queue = QueueName::ALL
            .into_iter()
            .find(|queue| queue.as_str() == key);
        let given = properties.message_id().as_ref().map(ToString::to_string);
        let id = given
            .or_else(|| text(header(LONG_ID)?))
            .unwrap_or_else(|| untitled(&data));
        let is_suspect = matches!(header(SUSPECT), Some(AMQPValue::Boolean(true)));
        Self {
            queue,
            return_message: subscription
                .is_cast_off()
                .then(|| return_message(header("x-death"), key)),
            message: Message {
                id,
                body: data.into(),
            },
            is_redelivered: redelivered || is_suspect,
        }
    }
}

/// A name for a message that has none: the same whenever it comes.
fn untitled(body: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(body));
    format!("untitled-{}", &digest[..16])
}

fn text(value: &AMQPValue) -> Option<String> {
    let text = match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::ShortString(text) => text.to_string(),
        _ => return None,
    };
    Some(super::connect::broker_text(&text))
}

/// The newest entry of `x-death` stands first and tells the last queue.
fn return_message(death: Option<&AMQPValue>, key: &str) -> String {
    let newest = match death {
        Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().first(),
        _ => None,
    };
    let Some(AMQPValue::FieldTable(newest)) = newest else {
        let key = super::connect::broker_text(key);
        return format!("the broker has no queue for the routing key {key:?}");
    };
    let field = |name: &str| newest.inner().get(name).and_then(text);
    let reason = field("reason").unwrap_or_else(|| "unknown".to_owned());
    let queue = field("queue").unwrap_or_else(|| "unknown".to_owned());
    match reason.as_str() {
        "delivery_limit" => format!(
            "the broker gave it up: it was delivered too often from {queue} without being settled"
        ),
        _ => format!("the broker put it aside from {queue}: {reason}"),
    }
}
