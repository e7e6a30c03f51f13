//! The route of a message that must become visible after a delay.

use std::time::Duration;

use super::plan::{DELAYS, EXCHANGE, Rung};
use crate::ports::QueueName;

/// The exchange and the routing key of a message for `queue` that must become visible after `delay`.
///
/// A delay that no rung fits takes several hops: a receiver that gets the message too early publishes it again with the
/// remaining delay. So a message is late by at most half of its delay, or by 2 s if that is more.
pub(crate) fn route(queue: QueueName, delay: Duration) -> (&'static str, &'static str) {
    let exchange = match rung(delay) {
        Some(rung) => rung.name,
        None => EXCHANGE,
    };
    (exchange, queue.as_str())
}

/// The shortest rung that is not shorter than the delay, if it is at most half longer; otherwise the longest shorter
/// one. `None`: no delay.
pub(super) fn rung(delay: Duration) -> Option<Rung> {
    if delay.is_zero() {
        return None;
    }
    let reaches = |rung: &&Rung| rung.delay >= delay;
    let [shortest, ..] = DELAYS;
    let shorter = DELAYS.iter().rev().find(|rung| rung.delay < delay);
    let fits = DELAYS
        .iter()
        .find(reaches)
        .filter(|rung| rung.delay <= delay + delay / 2);
    Some(*fits.or(shorter).unwrap_or(&shortest))
}
