//! The queue's side of the house: the wire form of envelopes, and the back ends that keep them.

pub mod embedded;
pub mod envelope;
pub mod mail;
pub mod rabbitmq;
pub mod spool;

pub use embedded::{EmbeddedQueue, EmbeddedSettings, OpenError};
pub use mail::Mailroom;
pub use spool::{Spool, SpoolError, SpoolLevel, SpoolObserver, SpoolSettings};
