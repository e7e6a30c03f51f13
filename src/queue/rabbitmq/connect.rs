//! Opens one connection to the broker: name resolution, TCP, TLS and AMQP, all under the same deadline, each with its
//! own error text.
//!
//! TCP and TLS are opened here and not by lapin. lapin's connection lives in a thread that a dropped future does not
//! end (lapin 4.12.3, io_loop.rs). So a server that accepts connections and sends nothing would accumulate threads. The
//! `Cut` ends the thread.

mod complaint;

#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(crate) use complaint::broker_text;
use lapin::tcp::RustlsConnector;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use crate::tls;

/// Whether exchanges and queues are created or only checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declare {
    /// They are created, or compared with existing ones.
    Create,
    /// They are only checked for existence, which needs no right to configure.
    Verify,
}

/// The address of the broker and the limits of its connections.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The address with its password.
    pub url: SecretString,
    /// The address without its password, for logs and error texts.
    pub shown: String,
    /// A PEM file with the certificate authorities that the broker's certificate may come from. `None`: those of the
    /// system.
    pub ca_file: Option<PathBuf>,
    /// Whether exchanges and queues are created or only checked.
    pub declare: Declare,
    /// Name resolution, TCP, TLS and the AMQP handshake together must be complete within this time.
    pub connect_timeout: Duration,
    /// The heartbeat interval, in whole seconds.
    pub heartbeat: Duration,
    /// Any other call must be answered within this time.
    pub call_timeout: Duration,
    /// A message must be confirmed within this time.
    pub confirm_timeout: Duration,
    /// Most messages that wait for their confirm at one time.
    pub publish_window: usize,
    /// Most messages of one queue that are delivered and not settled.
    pub prefetch: u16,
    /// The longest pause between two attempts to connect.
    pub reconnect_max: Duration,
}

impl BrokerSettings {
    fn peer(&self) -> tls::TlsPeer<'_> {
        tls::TlsPeer {
            name: "the broker",
            url_key: "queue.url",
            ca_key: "queue.ca_file",
            ca_file: self.ca_file.as_deref(),
            without_tls: "write the port of the broker's TLS listener (5671), or amqp://",
        }
    }
}

/// Why the broker cannot be used. The text is one line that says what is wrong, where, and what to change. It never
/// contains the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// A person must change something: credentials, virtual host, certificate, address, rights or topology.
    #[error("{0}")]
    Refused(String),
    /// The broker may be available later.
    #[error("{0}")]
    Unavailable(String),
}

/// Ends a connection at the socket, whatever lapin is doing. It is used when the broker does not answer a close.
pub(crate) struct Cut(TcpStream);

impl Cut {
    /// Shuts down both directions at once; lapin sees the connection break.
    pub(crate) fn now(&self) {
        // An error means that the connection has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cut")
    }
}

/// Connects; `name` is shown in the broker's list of connections.
///
/// # Errors
/// See [`BrokerError`].
pub(crate) async fn connect(
    settings: &BrokerSettings,
    name: &str,
) -> Result<Connection, BrokerError> {
    let (connection, _) = dial(settings, name).await?;
    Ok(connection)
}

/// Like [`connect`], but also returns the handle that ends the connection by force.
///
/// # Errors
/// See [`BrokerError`].
pub(crate) async fn dial(
    settings: &BrokerSettings,
    name: &str,
) -> Result<(Connection, Cut), BrokerError> {
    let deadline = Instant::now() + settings.connect_timeout;
    let address = complaint::BrokerAddress(settings);
    let uri = uri(settings).ok_or_else(|| address.unreadable())?;
    let host = uri.authority.host.clone();
    let tls = match uri.scheme {
        AMQPScheme::AMQP => None,
        AMQPScheme::AMQPS => Some(
            timeout_at(deadline, tls::client_config(settings.peer()))
                .await
                .map_err(|_| address.ca_file_hangs())?
                .map_err(BrokerError::Refused)?,
        ),
    };
    let found = tokio::net::lookup_host((host.as_str(), uri.authority.port));
    let addresses: Vec<_> = timeout_at(deadline, found)
        .await
        .map_err(|_| address.name_hangs(&host))?
        .map_err(|error| address.no_such_name(&host, &error))?
        .collect();
    let runtime = lapin::runtime::default_runtime().map_err(|error| address.amqp(&uri, &error))?;
    let mut stream = timeout_at(deadline, AsyncTcpStream::connect(&runtime, addresses))
        .await
        .map_err(|_| address.tcp_hangs())?
        .map_err(|error| address.unreachable(&error))?;
    let socket = match &stream {
        AsyncTcpStream::Plain(plain) => plain.get_ref().as_fd().try_clone_to_owned(),
        _ => Err(io::Error::other("a stream is not plain before TLS")),
    };
    let cut = Cut(socket.map_err(|error| address.unreachable(&error))?.into());
    if let Some(config) = tls {
        let connector = RustlsConnector::from(config);
        stream = timeout_at(deadline, stream.into_rustls(&connector, &host))
            .await
            .map_err(|_| address.tls_hangs())?
            .map_err(|error| address.tls(&host, &error))?;
    }
    // lapin requests the stream once, because it neither recovers nor retries.
    let stream = Mutex::new(Some(stream));
    let provide = async move |_, _| {
        let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream
            .take()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
    };
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connected = Connection::connector(uri.clone(), runtime, provide, properties);
    match timeout_at(deadline, connected).await {
        Ok(Ok(connection)) => Ok((connection, cut)),
        Ok(Err(error)) => {
            cut.now();
            Err(address.amqp(&uri, &error))
        }
        Err(_) => {
            cut.now();
            Err(address.amqp_hangs())
        }
    }
}

/// The address in lapin's format, or `None` if it cannot be parsed. The parse error is not returned, because its text
/// may contain the address.
fn uri(settings: &BrokerSettings) -> Option<AMQPUri> {
    let text = settings.url.expose_secret();
    let mut uri: AMQPUri = text.parse().ok()?;
    let url = url::Url::parse(text).ok()?;
    // lapin reads a host that is an IPv6 address as "localhost" (amq-protocol-uri 10.6.3).
    let host = url.host_str()?;
    if let Some(address) = host.strip_prefix('[') {
        uri.authority.host = address.trim_end_matches(']').to_owned();
    }
    let heartbeat = u16::try_from(settings.heartbeat.as_secs()).unwrap_or(u16::MAX);
    uri.query.heartbeat = Some(heartbeat.max(1));
    Some(uri)
}
