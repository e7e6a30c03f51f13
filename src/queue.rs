//! The queue's side of the house: the wire form of envelopes, and the back ends that keep them.
//!
//! - [`envelope`]: a message as bytes; [`mail`]: hands events and jobs to whatever queue there is.
//! - [`embedded`]: a file of this process, for one machine without a broker.
//! - [`rabbitmq`]: quorum queues of a broker, over two supervised connections.
//! - [`spool`]: before RabbitMQ alone; keeps accepted events in an embedded queue while the broker does not take them.

pub mod embedded;
pub mod envelope;
pub mod mail;
pub mod rabbitmq;
pub mod spool;

pub use embedded::{EmbeddedQueue, EmbeddedSettings, OpenError};
pub use envelope::EnvelopeSigner;
pub use mail::{Mailroom, VerifiedCastoffs};
pub use spool::{Spool, SpoolError, SpoolLevel, SpoolObserver, SpoolSettings};
