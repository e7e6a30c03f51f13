//! One connection to the broker: name, TCP, TLS, AMQP, each under the same deadline and each with its own complaint.
//!
//! TCP and TLS are done here and not by lapin: its connection lives in a thread that a dropped future does not end
//! (lapin 4.12.3, io_loop.rs), so that a server which takes connections and says nothing would collect threads. The
//! `Cut` ends it.

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

/// Whether exchanges and queues are made or only looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declare {
    /// Made, or found equal.
    Create,
    /// Only looked for: no right to configure is needed.
    Verify,
}

/// Where the broker is and how long it may take.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The address with its password.
    pub url: SecretString,
    /// The address without its password, for people.
    pub shown: String,
    /// A PEM file with the authorities that may vouch for the broker; absent: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether exchanges and queues are made or only looked for.
    pub declare: Declare,
    /// Name, TCP, TLS and AMQP handshake together must be done within this time.
    pub connect_timeout: Duration,
    /// A sign of life is due every so often, in whole seconds.
    pub heartbeat: Duration,
    /// Any other call must be answered within this time.
    pub call_timeout: Duration,
    /// A message must be confirmed within this time.
    pub confirm_timeout: Duration,
    /// Most messages that wait for their confirm at one time.
    pub publish_window: usize,
    /// Most messages of one queue that are handed out ahead of their settlement.
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

/// Why the broker cannot be used. The text is one line that says what, where and what to change, never the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// A person must change something: credentials, virtual host, certificate, address, rights or topology.
    #[error("{0}")]
    Refused(String),
    /// It may be back later.
    #[error("{0}")]
    Unavailable(String),
}

/// Ends a connection at the socket, whatever lapin is doing: the way out when a close is not answered.
pub(crate) struct Cut(TcpStream);

impl Cut {
    /// Both directions end at once; lapin sees the connection break.
    pub(crate) fn now(&self) {
        // An error means that it has ended already.
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

/// Like [`connect`], with the means to end the connection by force.
///
/// # Errors
/// See [`BrokerError`].
pub(crate) async fn dial(
    settings: &BrokerSettings,
    name: &str,
) -> Result<(Connection, Cut), BrokerError> {
    let deadline = Instant::now() + settings.connect_timeout;
    let tell = complaint::BrokerAddress(settings);
    let uri = uri(settings).ok_or_else(|| tell.unreadable())?;
    let host = uri.authority.host.clone();
    let tls = match uri.scheme {
        AMQPScheme::AMQP => None,
        AMQPScheme::AMQPS => Some(
            timeout_at(deadline, tls::client_config(settings.peer()))
                .await
                .map_err(|_| tell.ca_file_hangs())?
                .map_err(BrokerError::Refused)?,
        ),
    };
    let found = tokio::net::lookup_host((host.as_str(), uri.authority.port));
    let addresses: Vec<_> = timeout_at(deadline, found)
        .await
        .map_err(|_| tell.name_hangs(&host))?
        .map_err(|error| tell.no_such_name(&host, &error))?
        .collect();
    let runtime = lapin::runtime::default_runtime().map_err(|error| tell.amqp(&uri, &error))?;
    let mut stream = timeout_at(deadline, AsyncTcpStream::connect(&runtime, addresses))
        .await
        .map_err(|_| tell.tcp_hangs())?
        .map_err(|error| tell.unreachable(&error))?;
    let socket = match &stream {
        AsyncTcpStream::Plain(plain) => plain.get_ref().as_fd().try_clone_to_owned(),
        _ => Err(io::Error::other("a stream is not plain before TLS")),
    };
    let cut = Cut(socket.map_err(|error| tell.unreachable(&error))?.into());
    if let Some(config) = tls {
        let connector = RustlsConnector::from(config);
        stream = timeout_at(deadline, stream.into_rustls(&connector, &host))
            .await
            .map_err(|_| tell.tls_hangs())?
            .map_err(|error| tell.tls(&host, &error))?;
    }
    // lapin asks for the stream once: it neither recovers nor repeats.
    let stream = Mutex::new(Some(stream));
    let give = async move |_, _| {
        let mut given = stream.lock().unwrap_or_else(PoisonError::into_inner);
        given
            .take()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
    };
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connected = Connection::connector(uri.clone(), runtime, give, properties);
    match timeout_at(deadline, connected).await {
        Ok(Ok(connection)) => Ok((connection, cut)),
        Ok(Err(error)) => {
            cut.now();
            Err(tell.amqp(&uri, &error))
        }
        Err(_) => {
            cut.now();
            Err(tell.amqp_hangs())
        }
    }
}

/// The address as lapin wants it, or `None` when it cannot be read; why is not told, since the text may repeat it.
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
