//! The back ends that keep messages.
//!
//! - [`embedded`]: a file of this process, for one machine without a broker.
//! - [`rabbitmq`]: quorum queues of a broker, over two supervised connections.
//! - [`spool`]: before RabbitMQ alone; keeps accepted events in an embedded queue while the broker does not take them.

pub mod embedded;
pub mod rabbitmq;
pub mod spool;

pub use embedded::{EmbeddedQueue, EmbeddedSettings, QueueOpenError};
pub use spool::{Spool, SpoolError, SpoolLevel, SpoolObserver, SpoolSettings};
