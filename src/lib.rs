//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses nothing on the way.
//!
//! # The way of a message
//!
//! ```text
//! Mattermost, plugNmeet, browsers                          Mattermost, plugNmeet
//!      |  webhook, command                                        ^  card, replies; create, end, poll
//!      v                                                          |
//!  [ingress] --event--> (events) --> [apply] --owed jobs--> (conference, chat, chat.later) --> [job workers]
//!                          ^            |                                                            |
//!                          |            v                                                            |
//!                          |         (store) <-- [sweep]: wakes meetings that still owe jobs         |
//!                          +------------------- new facts, as events --------------------------------+
//! ```
//!
//! 1. [`ingress`] authenticates a request and turns it into at most one **event**: a fact in our own types, in the past
//!    tense ([`domain::Event`]). The request is answered with 2xx only after the event is durable on a [`queue`].
//! 2. Apply ([`worker`]) alone moves **meetings**. It takes events in batches and applies each batch in one transaction
//!    of the [`store`].
//! 3. Which **jobs** a meeting **owes** is a pure function of its facts ([`domain::owed`]). So jobs are published after
//!    the transaction, and can be published again after any accident: a crash, a purged queue, a restored backup.
//! 4. Job workers call the peers ([`mattermost`], [`plugnmeet`]). They report what they learned to apply as further
//!    events. Chat workers also write posts, and nothing else.
//! 5. The sweep finds meetings that still owe a job and wakes them. Catching up finds posts that Mattermost did not
//!    report. The collector moves what the broker returned into the dead letters.
//!
//! # Modules, in reading order
//!
//! - [`domain`]: the vocabulary and every decision; pure. Its first page is the glossary.
//! - [`ports`]: what the inside needs of the outside.
//! - [`envelope`]: messages as signed bytes, and the queue of them that routes and workers use.
//! - [`queue`]: durable work, in a file of ours or in RabbitMQ with a spool before it. [`store`]: durable facts, in a
//!   file of ours or in PostgreSQL. Both files are on `sqlite`. `lock`: who has the files.
//! - [`trigger`]: whether a post asks for a meeting. `ingress`: HTTP in, over `listen`, with the signed links of
//!   `token`.
//! - [`worker`]: apply, jobs, sweep, catching up.
//! - `mattermost`, `plugnmeet`: the peers, over [`http`].
//! - [`config`]: one typed tree from file and environment.
//! - [`repair`]: what a person does about dead letters and meetings.
//! - [`telemetry`]: log lines and metrics. [`shutdown`]: how the process stops. [`admin`]: health, and repair by HTTP.
//! - `log_throttle`: one line a minute of what comes in floods.
//! - `crash_point`: where tests end the process; nothing in any other build.
//! - [`app`]: puts it all together. [`cli`]: the program's commands.
//!
//! # Errors
//!
//! An error's text says all of it, its cause included, so whoever prints one prints its text alone. `source` holds the
//! cause itself.
//!
//! # Who may import whom
//!
//! The domain imports nothing. The ports import the domain. Edges (ingress, queue, store, mattermost, plugnmeet) never
//! import each other, and workers know only the domain and the ports. Only [`app`] names every adapter, and each vendor's
//! crate is named in its own modules only. `tests/it/architecture.rs` enforces this, and how long a file may be.
//!
//! # Outside this crate
//!
//! - `tests/world`: strict, stateful fakes of both peers over real HTTP; real RabbitMQ and PostgreSQL servers on demand;
//!   the programs `demo`, `chaos`, `load` and `services`.
//! - `tests/it`: the real program between the fakes; the conformance suites of queue and store; the architecture and the
//!   documents.

pub mod admin;
#[cfg(test)]
mod any;
pub mod app;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
mod crash_point;
pub mod domain;
pub mod envelope;
pub(crate) mod http;
mod ingress;
mod listen;
mod lock;
mod log_throttle;
mod mattermost;
mod plugnmeet;
pub mod ports;
pub mod queue;
pub mod repair;
pub mod shutdown;
mod sqlite;
pub mod store;
pub mod telemetry;
mod tls;
mod token;
pub mod trigger;
pub mod worker;
