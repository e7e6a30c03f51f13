//! The load balancer before the relays: passes each connection on to the next relay that takes it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How long a relay may take to take a connection.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);

/// The one address that the peers know.
pub struct Door {
    port: u16,
    task: JoinHandle<()>,
}

impl Door {
    /// Listens before the relays at these ports of loopback.
    ///
    /// # Errors
    /// There is no port.
    pub async fn open(relays: Vec<u16>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(serve(listener, relays.into()));
        Ok(Self { port, task })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, relays: Arc<[u16]>) {
    let mut turn = 0_usize;
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        turn = turn.wrapping_add(1);
        let relays = Arc::clone(&relays);
        tokio::spawn(async move { pass_on(client, &relays, turn).await });
    }
}

/// Never sends a request twice: it only looks for a relay that takes the connection.
async fn pass_on(mut client: TcpStream, relays: &[u16], turn: usize) {
    for place in 0..relays.len() {
        let port = relays[turn.wrapping_add(place) % relays.len()];
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connect = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
        if let Ok(Ok(mut relay)) = connect {
            drop(client.set_nodelay(true));
            drop(relay.set_nodelay(true));
            // An error is an end that one side brought about.
            drop(tokio::io::copy_bidirectional(&mut client, &mut relay).await);
            return;
        }
    }
}
