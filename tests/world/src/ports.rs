//! Ports that stay free over a restart.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Ports below those that the system gives to clients: a restart finds them free.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// What this process has handed out: a server that is stopped for a while finds its port free, and nobody else there.
static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
/// How often a port is looked for that is free when it is used.
const TRIES: usize = 50;

/// Listens at this address; port 0 means one of [`free_ports`].
///
/// # Errors
/// The address is taken, or no port was free.
pub async fn listen(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    let mut met = Ok(());
    for _ in 0..TRIES {
        let mut free = address;
        if address.port() == 0 {
            let [port] = free_ports();
            free.set_port(port);
        }
        match tokio::net::TcpListener::bind(free).await {
            Err(error) if address.port() == 0 => met = Err(error),
            bound => return bound,
        }
    }
    Err(met.err().unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// Free ports of loopback, looked for from a place that another search begins at rarely, and each handed out once. They
/// may be taken by another process before they are used: whoever starts a server tries again with others.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let seed = uuid::Uuid::new_v4().as_u128();
    let span = PORTS.end - PORTS.start;
    let mut next = (seed % u128::from(span)) as u16;
    std::array::from_fn(|_| {
        loop {
            next = (next + 1) % span;
            let port = PORTS.start + next;
            let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            let mut given = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
            if is_free && given.insert(port) {
                return port;
            }
        }
    })
}
