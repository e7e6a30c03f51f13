//! RabbitMQ through lapin.

pub mod connect;
pub mod topology;

pub use connect::{BrokerError, BrokerSettings, Declare};
