//! What is counted about the broker's links; the metrics stand elsewhere.

use std::time::Duration;

/// Which of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one that messages go out by. The broker may block it.
    Publisher,
    /// The one that messages come in and are settled by. The broker never blocks it.
    Consumer,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Publisher, Self::Consumer];

    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Consumer => "consumer",
        }
    }
}

/// Why a connection ended, or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReconnectReason {
    /// The network or the broker's machine.
    Io,
    /// The broker was silent for too long.
    Heartbeat,
    /// The broker closed it, or one of its channels or consumers.
    ServerClosed,
    /// A person must change something: credentials, rights, certificate, topology.
    Auth,
    /// The broker did not answer in time.
    Timeout,
}

impl ReconnectReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Io,
        Self::Heartbeat,
        Self::ServerClosed,
        Self::Auth,
        Self::Timeout,
    ];

    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Heartbeat => "heartbeat",
            Self::ServerClosed => "server_closed",
            Self::Auth => "auth",
            Self::Timeout => "timeout",
        }
    }
}

/// What became of one message that was to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublishResult {
    /// The broker has it on disk.
    Confirmed,
    /// The broker refused it: its queue is full.
    Nacked,
    /// No confirm came in time; the broker may have it.
    Timeout,
    /// The link was down or blocked, or went down before the confirm.
    Away,
}

impl PublishResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Confirmed, Self::Nacked, Self::Timeout, Self::Away];

    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Nacked => "nacked",
            Self::Timeout => "timeout",
            Self::Away => "away",
        }
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
pub struct Unobserved;

impl AmqpObserver for Unobserved {
    fn connected(&self, _: Role, _: bool) {}
    fn reconnects(&self, _: Role, _: ReconnectReason) {}
    fn blocked(&self, _: bool) {}
    fn published(&self, _: PublishResult) {}
    fn confirm_took(&self, _: Duration) {}
}
