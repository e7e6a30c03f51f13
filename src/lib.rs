//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses nothing on the way.
//!
//! In reading order:
//! - [`domain`]: the vocabulary and every decision; pure.
//! - [`ports`]: what the inside needs of the outside.
//! - [`sqlite`]: usable by every edge.
//! - [`store`]: where meetings, posts and dead letters are kept.

pub mod clock;
pub mod domain;
pub mod ports;
pub mod sqlite;
pub mod store;
