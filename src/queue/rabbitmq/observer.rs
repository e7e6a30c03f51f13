//! The events of the broker's links that are counted. The metrics themselves are defined elsewhere.

use std::time::Duration;

use crate::domain::label::labels;

labels! {
    /// One of the two connections.
    pub enum Role {
        /// Publishes messages. The broker may block it.
        Publisher = "publisher",
        /// Receives and settles messages. The broker never blocks it.
        Consumer = "consumer",
    }

    /// Why a connection ended or could not be opened.
    pub enum ReconnectReason {
        /// The network or the broker's machine failed.
        Io = "io",
        /// The broker sent no heartbeat in time.
        Heartbeat = "heartbeat",
        /// The broker closed it, or one of its channels or consumers.
        ServerClosed = "server_closed",
        /// A person must change something: credentials, rights, certificate, topology.
        Auth = "auth",
        /// The broker did not answer in time.
        Timeout = "timeout",
    }

    /// The outcome of publishing one message.
    pub enum PublishResult {
        /// The broker has stored it on disk.
        Confirmed = "confirmed",
        /// The broker refused it: its queue is full.
        Nacked = "nacked",
        /// No confirm came in time. The broker may have stored the message.
        Timeout = "timeout",
        /// The link was down or blocked, or went down before the confirm.
        Unavailable = "away",
    }
}

/// Receives the events of the links between the relay and the broker. Calls must not block.
pub trait AmqpObserver: Send + Sync + 'static {
    /// A link is up (`true`) or down.
    fn connected(&self, role: Role, is_up: bool);

    /// A connection ended or could not be opened, and will be tried again.
    fn reconnects(&self, role: Role, reason: ReconnectReason);

    /// The broker accepts no messages for now (`true`), or accepts them again.
    fn blocked(&self, is_blocked: bool);

    /// The outcome of publishing one message is known.
    fn published(&self, result: PublishResult);

    /// A message was confirmed this long after it was given to the link.
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
