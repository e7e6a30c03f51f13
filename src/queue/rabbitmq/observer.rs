//! What is counted about the broker's links; the metrics stand elsewhere.

use std::time::Duration;

use crate::domain::label::labels;

labels! {
    /// Which of the two connections.
    pub enum Role {
        /// The one that messages go out by. The broker may block it.
        Publisher = "publisher",
        /// The one that messages come in and are settled by. The broker never blocks it.
        Consumer = "consumer",
    }

    /// Why a connection ended, or could not be made.
    pub enum ReconnectReason {
        /// The network or the broker's machine.
        Io = "io",
        /// The broker was silent for too long.
        Heartbeat = "heartbeat",
        /// The broker closed it, or one of its channels or consumers.
        ServerClosed = "server_closed",
        /// A person must change something: credentials, rights, certificate, topology.
        Auth = "auth",
        /// The broker did not answer in time.
        Timeout = "timeout",
    }

    /// What became of one message that was to be published.
    pub enum PublishResult {
        /// The broker has it on disk.
        Confirmed = "confirmed",
        /// The broker refused it: its queue is full.
        Nacked = "nacked",
        /// No confirm came in time; the broker may have it.
        Timeout = "timeout",
        /// The link was down or blocked, or went down before the confirm.
        Unavailable = "away",
    }
}

/// Told of what happens between the relay and the broker. Calls must not block.
pub trait AmqpObserver: Send + Sync + 'static {
    /// A link is up (`true`) or down.
    fn connected(&self, role: Role, is_up: bool);

    /// A connection ended or could not be made, and will be tried again.
    fn reconnects(&self, role: Role, reason: ReconnectReason);

    /// The broker takes no messages for now (`true`), or does again.
    fn blocked(&self, is_blocked: bool);

    /// One message was published, or not.
    fn published(&self, result: PublishResult);

    /// A message was confirmed so long after it was given to the link.
    fn confirm_took(&self, took: Duration);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnobservedLinks;

impl AmqpObserver for UnobservedLinks {
    fn connected(&self, _: Role, _: bool) {}
    fn reconnects(&self, _: Role, _: ReconnectReason) {}
    fn blocked(&self, _: bool) {}
    fn published(&self, _: PublishResult) {}
    fn confirm_took(&self, _: Duration) {}
}
