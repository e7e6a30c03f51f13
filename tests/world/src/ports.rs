//! Ports that stay free over a restart.

use std::net::{Ipv4Addr, TcpListener};

/// Ports below those that the system gives to clients: a restart finds them free.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// Free ports of loopback, looked for from a place that another search begins at rarely. They may be taken before
/// they are used: whoever starts a server tries again with others.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let seed = uuid::Uuid::new_v4().as_u128();
    let span = PORTS.end - PORTS.start;
    let mut next = (seed % u128::from(span)) as u16;
    std::array::from_fn(|_| {
        loop {
            next = (next + 1) % span;
            let port = PORTS.start + next;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return port;
            }
        }
    })
}
