//! The back ends that store messages.
//!
//! - `embedded`: a file of this process, for one machine without a broker.
//! - [`rabbitmq`]: quorum queues of a broker, over two supervised connections.
//! - `spool`: only in front of RabbitMQ; stores accepted events in an embedded queue while the broker refuses them.
//!
//! The queue is one port ([`crate::ports::Queue`]) with two back ends. One conformance suite
//! (`tests/it/queue_conformance.rs`) checks that both give the same guarantees.
//!
//! With RabbitMQ a publish is complete when the broker has confirmed it. A message that is not due yet waits in one of
//! four queues with a time to live (`rabbitmq::topology`). Publisher and consumer have a connection each, because the
//! broker may block the connection of a publisher. A message that the broker returns, because it was delivered too
//! often or has no route, becomes a dead letter in the store.

pub(crate) mod embedded;
pub mod rabbitmq;
pub(crate) mod spool;

pub use embedded::{EmbeddedQueue, EmbeddedSettings, QueueOpenError};
pub use spool::{Spool, SpoolError, SpoolLevel, SpoolObserver, SpoolSettings};
