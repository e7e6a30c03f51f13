//! meetrelay: turns "meet now" in Mattermost into a plugNmeet meeting and its card, and loses no event on the way.
//!
//! # How a message flows
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
//!    the transaction. They can be published again after any failure: a crash, a purged queue, a restored backup.
//! 4. Job workers call the peers ([`mattermost`], [`plugnmeet`]). They report what they learned as further events,
//!    which apply handles. Chat workers also write the store's rows of posts, and no other rows.
//! 5. The sweep finds meetings that still owe a job and wakes them. Catching up finds posts that Mattermost did not
//!    report. The collector moves the messages that the broker returned into the dead letters.
//!
//! # Modules, in reading order
//!
//! - [`domain`]: the vocabulary and every decision; pure. Its first page is the glossary.
//! - [`ports`]: the traits through which the domain and the workers use the outside.
//! - [`envelope`]: messages as signed bytes, and the queue of them that routes and workers use.
//! - [`queue`]: durable work, in the relay's own file or in RabbitMQ with a spool before it. [`store`]: durable facts,
//!   in the relay's own file or in PostgreSQL. Both files use `sqlite`. `lock`: which process holds the files.
//! - [`trigger`]: whether a post asks for a meeting. `ingress`: inbound HTTP, over `listen`, with the signed links of
//!   `token`.
//! - [`worker`]: apply, jobs, sweep, catching up.
//! - `mattermost`, `plugnmeet`: the peers, over [`http`].
//! - [`config`]: one typed tree from file and environment.
//! - [`repair`]: what a person does about dead letters and meetings.
//! - [`telemetry`]: log lines and metrics. [`shutdown`]: how the process stops. [`admin`]: health, and repair over
//!   HTTP.
//! - `log_throttle`: limits a repeated log message to one line a minute.
//! - `crash_point`: places where tests end the process; empty in every other build.
//! - [`app`]: builds the relay from its parts. [`cli`]: the program's commands.
//!
//! # Errors
//!
//! An error's text includes its cause, so whoever prints an error prints its text alone. `source` holds the cause
//! itself.
//!
//! # Which module may import which
//!
//! The domain imports nothing. The ports import the domain. Edges (ingress, queue, store, mattermost, plugnmeet) never
//! import each other, and workers import only the domain and the ports. Only [`app`] names every adapter. A third-party
//! crate is named only in the modules that wrap it. `tests/it/architecture.rs` enforces this, and the maximum length of
//! a file.
//!
//! # Outside this crate
//!
//! - `tests/world`: strict, stateful fakes of both peers over real HTTP; real RabbitMQ and PostgreSQL servers on
//!   demand; the programs `demo`, `chaos`, `load` and `services`.
//! - `tests/it`: tests of the real program between the fakes; the conformance suites of queue and store; checks of the
//!   architecture and the documents.

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
