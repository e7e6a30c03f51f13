//! The world around the relay: strict, stateful fakes of Mattermost and plugNmeet over real HTTP on loopback.
//!
//! They are models of the peers, not recorders: they check method, path, authentication, content type and
//! fields, refuse what the real servers refuse with the real status and body, keep posts, channels, rooms and
//! sessions, send real webhooks, and can be told to fail. What they did not expect stands in [`Unexpected`].
//!
#![doc = include_str!("../README.md")]

pub mod broker;
mod certificates;
mod daemon;
pub mod fault;
pub mod mattermost;
pub mod plugnmeet;
pub mod ports;
pub mod postgres;
pub mod reconcile;
pub mod relay;
pub mod unexpected;
pub mod usage;

pub use fault::{Fault, FaultSwitch};
pub use unexpected::Unexpected;
