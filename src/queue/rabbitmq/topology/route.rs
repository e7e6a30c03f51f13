//! Where a message goes so that it comes up after its delay.

use std::time::Duration;

use super::plan::{DELAYS, EXCHANGE, Rung};
use crate::ports::QueueName;

/// The exchange and the routing key of a message for `queue` that shall be seen after `delay`.
///
/// A delay that no rung fits is waited for in several hops: who receives the message before its time sends it round
/// again with what is left. So a message comes late by at most half of its delay, or by 2 s if that is more.
pub(crate) fn route(queue: QueueName, delay: Duration) -> (&'static str, &'static str) {
    let exchange = match rung(delay) {
        Some(rung) => rung.name,
        None => EXCHANGE,
    };
    (exchange, queue.as_str())
}

/// The first rung that is not shorter, if it is at most half longer; else the longest shorter one. `None`: at once.
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
