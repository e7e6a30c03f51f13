//! Notifies systemd of the service's state, by datagrams to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// The service manager that started this process, if it wants notifications.
#[derive(Debug)]
pub struct ServiceManager {
    to: Option<(UnixDatagram, SocketAddr)>,
}

impl ServiceManager {
    /// The service manager at the socket that `NOTIFY_SOCKET` names. A socket that cannot be used counts as none.
    pub fn at(socket: Option<&str>) -> Self {
        let address = socket.and_then(address);
        let to = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        Self { to }
    }

    /// Notifies that the service is ready.
    pub fn ready(&self) {
        self.notify("READY=1");
    }

    /// Notifies that the service drains.
    pub fn stopping(&self) {
        self.notify("STOPPING=1");
    }

    fn notify(&self, state: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!(%error, state, "the service manager could not be notified");
        }
    }
}

/// An absolute path, or after `@` the name of an abstract socket.
fn address(name: &str) -> Option<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name.as_bytes()).ok(),
        None if name.starts_with('/') => SocketAddr::from_pathname(Path::new(name)).ok(),
        None => None,
    }
}
