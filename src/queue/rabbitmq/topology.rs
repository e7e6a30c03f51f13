//! What lies in the broker (design 3): names, arguments, and how a delay is waited for.
//!
//! ```text
//!  publisher --key--> [meetrelay] --key--> meetrelay.events .conference .chat .chat.later --given up--> [meetrelay.dead] --> meetrelay.dead
//!                        |   ^
//!               no route |   +--the same key, when its time is up-- meetrelay.delay.2s .10s .1m .10m <-- [meetrelay.delay.*] <--key-- publisher
//!                        v
//!              [meetrelay.unrouted] --> meetrelay.unrouted
//! ```
//! Everything that correctness needs is a queue argument, since AMQP cannot set policies; a policy may tune
//! `max-length` alone. All dead-lettering is at-least-once, which needs quorum queues and reject-publish
//! (queue.md 2.2): a full or missing target holds messages back where they are instead of losing them.

mod declare;
mod plan;
mod route;

#[cfg(test)]
mod tests;

pub(crate) use declare::{Difference, apply, differences, ensure};
pub(crate) use plan::{DEAD, DELAYS, EXCHANGE, UNROUTED, queue_name};
pub(crate) use route::route;
