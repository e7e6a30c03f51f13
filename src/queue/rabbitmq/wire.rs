//! Messages in the broker's format: writing and reading their properties.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use sha2::{Digest as _, Sha256};

use crate::domain::Timestamp;
use crate::ports::{Message, Outgoing, QueueName};

use super::subscriptions::Subscription;
use super::topology;

/// The AMQP delivery mode of messages that the broker stores on disk.
const PERSISTENT: u8 = 2;
/// The header of a message that was returned after it had been redelivered. Returning a message must not remove the
/// mark.
const REDELIVERED: &str = "redelivered";
/// The header for a message id that is too long for the property.
const LONG_ID: &str = "message-id";

/// One message to publish.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) exchange: &'static str,
    pub(super) routing_key: &'static str,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

impl Frame {
    /// Builds the message with new properties. It carries no `x-` header of an earlier delivery, because brokers before
    /// 4.0 would continue to count in it (src/queue/rabbitmq/README.md, "Headers of dead letters").
    pub(super) fn new(outgoing: Outgoing, is_redelivered: bool, now: Timestamp) -> Self {
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
        if is_redelivered {
            headers.insert(REDELIVERED.into(), AMQPValue::Boolean(true));
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

/// A message that was received.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    /// The queue that the routing key names, if it is known.
    pub(super) queue: Option<QueueName>,
    pub(super) message: Message,
    pub(super) is_redelivered: bool,
    /// Why the broker returned it, for a returned message.
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
            .unwrap_or_else(|| generated_id(&data));
        let is_marked = matches!(header(REDELIVERED), Some(AMQPValue::Boolean(true)));
        Self {
            queue,
            return_message: subscription
                .holds_returned()
                .then(|| return_message(header("x-death"), key)),
            message: Message {
                id,
                body: data.into(),
            },
            is_redelivered: redelivered || is_marked,
        }
    }
}

/// An id for a message that has none. It depends on the body only, so it is the same at each delivery.
fn generated_id(body: &[u8]) -> String {
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

/// The reason for a returned message. The newest entry of `x-death` comes first and names the last queue.
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
        _ => format!("the broker dead-lettered it from {queue}: {reason}"),
    }
}
