//! Tells systemd how the service is: datagrams to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// The service manager that started this process, if it wants to be told.
#[derive(Debug)]
pub struct ServiceManager {
    to: Option<(UnixDatagram, SocketAddr)>,
}

impl ServiceManager {
    /// The one behind the socket that `NOTIFY_SOCKET` named. A socket that cannot be used counts as none.
    pub fn at(socket: Option<&str>) -> Self {
        let address = socket.and_then(address);
        let to = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        Self { to }
    }

    /// The service is up.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The service drains.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!(%error, state, "the service manager was not told");
        }
    }
}

/// An absolute path, or behind `@` a name without a file.
fn address(name: &str) -> Option<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name.as_bytes()).ok(),
        None if name.starts_with('/') => SocketAddr::from_pathname(Path::new(name)).ok(),
        None => None,
    }
}
