//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses nothing on the way.
//!
//! In reading order:
//! - [`domain`]: the vocabulary and every decision; pure.
//! - [`ports`]: what the inside needs of the outside.
//! - [`sqlite`]: usable by every edge.
//! - [`config`]: one typed tree from file and environment.
//! - [`telemetry`]: log lines and metrics. [`shutdown`]: how the process stops. [`admin`]: health and repair.
//! - [`cli`]: the program's commands.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod ports;
pub mod shutdown;
pub mod sqlite;
pub mod telemetry;
