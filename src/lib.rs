//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses nothing on the way.
//!
//! In reading order:
//! - [`domain`]: the vocabulary and every decision; pure.
//! - [`ports`]: what the inside needs of the outside.
//! - [`queue`]: the back ends of the queue, and the envelope that travels through them.
//! - [`sqlite`]: usable by every edge.

pub mod clock;
pub mod domain;
pub mod ports;
pub mod queue;
pub mod sqlite;
