//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses nothing on the way.
//!
//! In reading order:
//! - [`domain`]: the vocabulary and every decision; pure.
//! - [`ports`]: what the inside needs of the outside.
//! - [`envelope`]: messages as signed bytes, and the queue of them that routes and workers use.
//! - [`queue`]: durable work, in a file of ours or in RabbitMQ with a spool before it. [`store`]: durable facts, in a
//!   file of ours or in PostgreSQL. Both files are on [`sqlite`]. [`lock`]: who has the files.
//! - [`trigger`]: whether a post asks for a meeting. [`ingress`]: HTTP in, over [`listen`], with the signed links of
//!   [`token`].
//! - [`worker`]: apply, jobs, sweep, catching up.
//! - [`mattermost`], [`plugnmeet`]: the peers, over [`http`].
//! - [`config`]: one typed tree from file and environment.
//! - [`repair`]: what a person does about dead letters and meetings.
//! - [`telemetry`]: log lines and metrics. [`shutdown`]: how the process stops. [`admin`]: health, and repair by HTTP.
//! - `log_throttle`: one line a minute of what comes in floods.
//! - [`crash_point`]: where tests end the process; nothing in any other build.
//! - [`app`]: puts it all together. [`cli`]: the program's commands.

pub mod admin;
#[cfg(test)]
mod any;
pub mod app;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash_point;
pub mod domain;
pub mod envelope;
pub mod http;
pub mod ingress;
pub mod listen;
pub mod lock;
mod log_throttle;
pub mod mattermost;
pub mod plugnmeet;
pub mod ports;
pub mod queue;
pub mod repair;
pub mod shutdown;
pub mod sqlite;
pub mod store;
pub mod telemetry;
mod tls;
pub mod token;
pub mod trigger;
pub mod worker;
