//! What a person is told when the broker cannot be used: what, where, what to change.

use std::fmt::Display;
use std::io;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::AMQPUri;

use super::{BrokerError, BrokerSettings};
use crate::tls;

/// Longest text of the broker that is repeated, in characters.
const BROKER_TEXT_MAX: usize = 300;

/// Complaints about the broker that these settings name.
pub(super) struct BrokerAddress<'a>(pub(super) &'a BrokerSettings);

/// The broker's own words, on one line and not without end.
pub(crate) fn broker_text(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(BROKER_TEXT_MAX)
        .collect()
}

impl BrokerAddress<'_> {
    pub(super) fn unreadable(&self) -> BrokerError {
        self.refused(
            "cannot be read: write one like amqp://user:password@host:5672/vhost, special \
             characters percent-encoded, numbers in its query",
        )
    }

    pub(super) fn ca_file_hangs(&self) -> BrokerError {
        self.refused("queue.ca_file cannot be read in time: name a plain PEM file")
    }

    pub(super) fn name_hangs(&self, host: &str) -> BrokerError {
        let time = self.time();
        self.away(format_args!(
            "the name {host} is not resolved within {time}"
        ))
    }

    pub(super) fn no_such_name(&self, host: &str, error: &io::Error) -> BrokerError {
        self.away(format_args!("the name {host} is not resolved: {error}"))
    }

    pub(super) fn tcp_hangs(&self) -> BrokerError {
        let time = self.time();
        self.away(format_args!(
            "no connection within {time}: is the broker up, and no firewall between?"
        ))
    }

    pub(super) fn unreachable(&self, error: &io::Error) -> BrokerError {
        self.away(format_args!("no connection: {error}: is the broker up?"))
    }

    pub(super) fn tls_hangs(&self) -> BrokerError {
        let time = self.time();
        self.away(format_args!(
            "takes a connection but does not answer TLS within {time}: is it the port of the broker's TLS listener?"
        ))
    }

    pub(super) fn amqp_hangs(&self) -> BrokerError {
        let time = self.time();
        self.away(format_args!(
            "takes a connection but says nothing in AMQP within {time}: is it a RabbitMQ's port, and \
             with TLS only if queue.url is amqps://?"
        ))
    }

    /// The TLS handshake failed.
    pub(super) fn tls(&self, host: &str, error: &io::Error) -> BrokerError {
        match tls::cause(error) {
            Some(error) => self.tls_refused(host, error),
            None if error.kind() == io::ErrorKind::InvalidData => self.refused(format_args!(
                "{host} is no name that a certificate can be made out to ({error}): write another host"
            )),
            None => self.away(format_args!(
                "the connection broke in the TLS handshake ({error}): is it the port of the broker's TLS listener?"
            )),
        }
    }

    /// The AMQP handshake failed.
    pub(super) fn amqp(&self, uri: &AMQPUri, error: &lapin::Error) -> BrokerError {
        match error.kind() {
            ErrorKind::ProtocolError(said) => {
                let text = broker_text(said.get_message().as_str());
                match said.kind() {
                    AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => self.refused(format_args!(
                        "the broker refuses user name or password ({text}): correct them, or make the \
                         user with rabbitmqctl add_user"
                    )),
                    // A limit of connections is free again when others end.
                    AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if text.contains("limit") => {
                        self.away(format_args!("the broker takes no further connection ({text})"))
                    }
                    AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
                    | AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)
                    | AMQPErrorKind::Hard(AMQPHardError::INVALIDPATH) => self.vhost(uri, &text),
                    _ => self.away(format_args!("the broker ended the connection: {text}")),
                }
            }
            ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => {
                self.refused(format_args!(
                    "what answers there does not speak AMQP 0-9-1: write the address of RabbitMQ's AMQP \
                     listener (port 5672), with amqps:// for that of its TLS listener (port 5671)"
                ))
            }
            ErrorKind::AuthProviderError(why) => self.refused(format_args!(
                "no way to log in that both sides know ({}): let the broker offer PLAIN",
                broker_text(why)
            )),
            ErrorKind::IOError(io) => match tls::cause(io.as_ref()) {
                Some(tls) => self.tls_refused(&uri.authority.host, tls),
                None => self.away(format_args!(
                    "the connection broke in the AMQP handshake ({io}): is it a RabbitMQ's port?"
                )),
            },
            _ => self.away(format_args!("no AMQP connection: {error}")),
        }
    }

    fn vhost(&self, uri: &AMQPUri, text: &str) -> BrokerError {
        let hint = if uri.vhost.is_empty() {
            "queue.url ends in /, which names a virtual host without a name: leave the / out for the \
             broker's default one"
        } else {
            "correct its name at the end of queue.url, or make it and give the user its rights \
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

    fn away(&self, why: impl Display) -> BrokerError {
        BrokerError::Unavailable(format!("queue.url {}: {why}", self.0.shown))
    }
}
