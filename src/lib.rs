//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses nothing on the way.
//!
//! In reading order:
//! - [`domain`]: the vocabulary and every decision; pure.
//! - [`ports`]: what the inside needs of the outside.
//! - [`ingress`]: the door: requests become events.
//! - [`listen`], [`token`], [`sqlite`]: usable by every edge.

pub mod clock;
pub mod domain;
pub mod ingress;
pub mod listen;
pub mod ports;
pub mod sqlite;
pub mod token;
