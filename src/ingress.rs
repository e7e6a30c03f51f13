//! The public door: authenticates what comes, turns it into at most one event, makes that durable, answers.
//!
//! Webhooks and start and end commands call no peer and read no store. No target of a later call ever comes from a
//! body. Every answer carries the id of its (possible) event as `X-Request-Id`.

mod fields;
mod health;
mod inbound;
mod observe;
mod plugnmeet;
mod reply;
mod sink;
mod verify;

pub use observe::{Ignored, IngressObserver, Noted, Received, Rejected, Route, Source, Trigger};
pub use sink::{CONFIRM_WITHIN, DURABLE_WITHIN, EventSink, SinkError, TraceParent};

#[cfg(test)]
mod tests;
