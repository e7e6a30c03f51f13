//! The two listeners of the admin API. The socket in the data directory serves the commands of this program. TCP serves
//! health and metrics to everybody, and the API to callers with the token.

use std::convert::Infallible;

use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::reply::Response;

use crate::admin::{Access, AdminToken};
use crate::config::Config;
use crate::listen::{self, ListenLimits};

use super::StartError;
use super::data_dir::AdminSocket;

/// Most connections at a time through the socket.
const SOCKET_CONNECTIONS_MAX: usize = 32;

/// Both listeners, bound.
pub(super) struct AdminListeners {
    tcp: TcpListener,
    /// `None` if it could not be made, which was logged.
    socket: Option<UnixListener>,
}

impl AdminListeners {
    pub(super) fn bind(config: &Config, socket: Option<&AdminSocket>) -> Result<Self, StartError> {
        Ok(Self {
            tcp: super::bind("admin_listen", config.server.admin_listen)?,
            socket: socket.and_then(AdminSocket::listen),
        })
    }

    /// Serves on each listener the routes that `routes` makes for it, until `stop`. Returns how many connections were
    /// cut.
    pub(super) async fn serve<F>(
        self,
        routes: impl Fn(Access) -> F,
        token: AdminToken,
        limits: ListenLimits,
        stop: CancellationToken,
    ) -> usize
    where
        F: Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static,
    {
        let address = self.tcp.local_addr();
        let is_loopback = address.is_ok_and(|address| address.ip().to_canonical().is_loopback());
        let over_tcp = routes(Access::Tcp { token, is_loopback });
        let through_socket = routes(Access::Socket);
        let stopped = || stop.clone().cancelled_owned();
        let tcp = Box::pin(listen::serve(self.tcp, over_tcp, limits.clone(), stopped()));
        let Some(socket) = self.socket else {
            return tcp.await;
        };
        let limits = ListenLimits {
            connections: SOCKET_CONNECTIONS_MAX,
            ..limits
        };
        let socket = Box::pin(listen::serve(socket, through_socket, limits, stopped()));
        let (tcp, socket) = tokio::join!(tcp, socket);
        tcp + socket
    }
}

/// Uses the configured token, or makes one. If the token cannot be written, nobody knows it. The relay runs all the
/// same, because the commands of this program need no token.
pub(super) fn renew_token(token: &AdminToken, config: &Config) {
    let configured = config.server.admin_token.as_ref();
    if let Err(error) = token.renew(configured, &config.admin_token_path()) {
        tracing::warn!(%error, "the admin API cannot be used over TCP");
    }
}
