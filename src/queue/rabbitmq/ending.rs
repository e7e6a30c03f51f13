//! The reason why a connection ended.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

use super::connect::{BrokerError, broker_text};
use super::observer::ReconnectReason;

/// The end of a connection, or of an attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkEnd {
    /// The label of the metric.
    pub(super) reason: ReconnectReason,
    /// The text for logs, without any secret.
    pub(super) text: String,
}

impl LinkEnd {
    pub(super) fn timeout(call: &str) -> Self {
        Self::new(
            ReconnectReason::Timeout,
            format!("the broker did not answer in time: {call}"),
        )
    }

    pub(super) fn server_closed(text: String) -> Self {
        Self::new(ReconnectReason::ServerClosed, text)
    }

    pub(super) fn io(text: &str) -> Self {
        Self::new(ReconnectReason::Io, text.to_owned())
    }

    fn new(reason: ReconnectReason, text: String) -> Self {
        Self { reason, text }
    }
}

impl From<&lapin::Error> for LinkEnd {
    fn from(error: &lapin::Error) -> Self {
        let reason = match error.kind() {
            ErrorKind::MissingHeartbeatError => ReconnectReason::Heartbeat,
            ErrorKind::ProtocolError(protocol_error) => match protocol_error.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => ReconnectReason::Auth,
                _ => ReconnectReason::ServerClosed,
            },
            _ => ReconnectReason::Io,
        };
        Self::new(reason, broker_text(&error.to_string()))
    }
}

impl From<&BrokerError> for LinkEnd {
    fn from(error: &BrokerError) -> Self {
        let reason = match error {
            BrokerError::Refused(_) => ReconnectReason::Auth,
            BrokerError::Unavailable(_) => ReconnectReason::Io,
        };
        Self::new(reason, error.to_string())
    }
}
