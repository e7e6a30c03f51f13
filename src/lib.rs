//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses nothing on the way.
//!
//! In reading order:
//! - [`domain`]: the vocabulary and every decision; pure.
//! - [`ports`]: what the inside needs of the outside.
//! - [`ingress`]: the door: requests become events. [`listen`]: the accept loop. [`token`]: signed links.
//! - [`queue`], [`store`]: durable work and durable facts; both on [`sqlite`].
//! - [`worker`]: apply, jobs, sweep.
//! - [`config`]: one typed tree from file and environment.
//! - [`telemetry`]: log lines and metrics. [`shutdown`]: how the process stops. [`admin`]: health and repair.
//! - [`cli`]: the program's commands.

pub mod admin;
pub mod backoff;
pub mod clock;
pub mod config;
pub mod domain;
pub mod ingress;
pub mod listen;
pub mod ports;
pub mod queue;
pub mod shutdown;
pub mod sqlite;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod worker;
