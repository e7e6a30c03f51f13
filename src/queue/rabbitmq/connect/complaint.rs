//! The error texts for a broker that cannot be used: what is wrong, where, and what to change.

use std::fmt::Display;
use std::io;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::AMQPUri;

use super::{BrokerError, BrokerSettings};
use crate::tls;

/// Longest text of the broker that is repeated in an error, in characters.
const BROKER_TEXT_MAX: usize = 300;

/// Builds errors about the broker that these settings name.
pub(super) struct BrokerAddress<'a>(pub(super) &'a BrokerSettings);

/// A text of the broker on one line, without control characters, and cut to [`BROKER_TEXT_MAX`].
pub(crate) fn broker_text(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(BROKER_TEXT_MAX)
        .collect()
}

impl BrokerAddress<'_> {
    pub(super) fn unreadable(&self) -> BrokerError {
        self.refused(
            "cannot be parsed: write an address like amqp://user:password@host:5672/vhost, with special \
             characters percent-encoded and numbers in its query",
        )
    }

    pub(super) fn ca_file_hangs(&self) -> BrokerError {
        self.refused("queue.ca_file cannot be read in time: name a plain PEM file")
    }

    pub(super) fn name_hangs(&self, host: &str) -> BrokerError {
        let time = self.time();
        self.unavailable(format_args!(
            "the name {host} is not resolved within {time}"
        ))
    }

    pub(super) fn no_such_name(&self, host: &str, error: &io::Error) -> BrokerError {
        self.unavailable(format_args!("the name {host} is not resolved: {error}"))
    }

    pub(super) fn tcp_hangs(&self) -> BrokerError {
        let time = self.time();
        self.unavailable(format_args!(
            "no connection within {time}: is the broker up, and does a firewall block the port?"
        ))
    }

    pub(super) fn unreachable(&self, error: &io::Error) -> BrokerError {
        self.unavailable(format_args!("no connection: {error}: is the broker up?"))
    }

    pub(super) fn tls_hangs(&self) -> BrokerError {
        let time = self.time();
        self.unavailable(format_args!(
            "accepts a connection but does not answer the TLS handshake within {time}: is it the port of the broker's TLS listener?"
        ))
    }

    pub(super) fn amqp_hangs(&self) -> BrokerError {
        let time = self.time();
        self.unavailable(format_args!(
            "accepts a connection but does not answer the AMQP handshake within {time}: is it RabbitMQ's port, and \
             does it use TLS only if queue.url begins with amqps://?"
        ))
    }

    /// The TLS handshake failed.
    pub(super) fn tls(&self, host: &str, error: &io::Error) -> BrokerError {
        match tls::cause(error) {
            Some(error) => self.tls_refused(host, error),
            None if error.kind() == io::ErrorKind::InvalidData => self.refused(format_args!(
                "{host} is not a name that a certificate can be issued for ({error}): write another host"
            )),
            None => self.unavailable(format_args!(
                "the connection broke in the TLS handshake ({error}): is it the port of the broker's TLS listener?"
            )),
        }
    }

    /// The AMQP handshake failed.
    pub(super) fn amqp(&self, uri: &AMQPUri, error: &lapin::Error) -> BrokerError {
        match error.kind() {
            ErrorKind::ProtocolError(protocol_error) => {
                let text = broker_text(protocol_error.get_message().as_str());
                match protocol_error.kind() {
                    AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => self.refused(format_args!(
                        "the broker refuses the user name or password ({text}): correct them, or create the \
                         user with rabbitmqctl add_user"
                    )),
                    // A limit of connections allows further ones when others end.
                    AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if text.contains("limit") => {
                        self.unavailable(format_args!("the broker accepts no further connection ({text})"))
                    }
                    AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
                    | AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)
                    | AMQPErrorKind::Hard(AMQPHardError::INVALIDPATH) => self.vhost(uri, &text),
                    _ => self.unavailable(format_args!("the broker ended the connection: {text}")),
                }
            }
            ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => {
                self.refused(format_args!(
                    "the server there does not support AMQP 0-9-1: write the address of RabbitMQ's AMQP \
                     listener (port 5672), or amqps:// and the address of its TLS listener (port 5671)"
                ))
            }
            ErrorKind::AuthProviderError(why) => self.refused(format_args!(
                "no authentication mechanism that both sides support ({}): enable PLAIN in the broker",
                broker_text(why)
            )),
            ErrorKind::IOError(io) => match tls::cause(io.as_ref()) {
                Some(tls) => self.tls_refused(&uri.authority.host, tls),
                None => self.unavailable(format_args!(
                    "the connection broke in the AMQP handshake ({io}): is it RabbitMQ's port?"
                )),
            },
            _ => self.unavailable(format_args!("no AMQP connection: {error}")),
        }
    }

    fn vhost(&self, uri: &AMQPUri, text: &str) -> BrokerError {
        let hint = if uri.vhost.is_empty() {
            "queue.url ends with /, which means a virtual host with an empty name: remove the / for the \
             broker's default one"
        } else {
            "correct its name at the end of queue.url, or create it and give the user permissions \
             (rabbitmqctl add_vhost, set_permissions)"
        };
        self.refused(format_args!(
            "the broker refuses the virtual host ({text}): {hint}"
        ))
    }

    fn tls_refused(&self, host: &str, error: &rustls::Error) -> BrokerError {
        self.refused(tls::complaint(self.0.peer(), host, error))
    }

    fn time(&self) -> impl Display {
        humantime::format_duration(self.0.connect_timeout)
    }

    fn refused(&self, why: impl Display) -> BrokerError {
        BrokerError::Refused(format!("queue.url {}: {why}", self.0.shown))
    }

    fn unavailable(&self, why: impl Display) -> BrokerError {
        BrokerError::Unavailable(format!("queue.url {}: {why}", self.0.shown))
    }
}
