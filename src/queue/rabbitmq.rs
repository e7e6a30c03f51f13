//! RabbitMQ through lapin.

pub mod connect;
pub mod topology;
