//! Access control: what a request needs, by the listener that it came through.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, header};
use warp::{Filter, Rejection};

use super::AdminToken;

/// The kind of listener that a request came through.
#[derive(Debug, Clone)]
pub enum Access {
    /// The socket in the data directory. The permissions of its file decide who may connect.
    Socket,
    /// TCP: the API needs the token.
    Tcp {
        /// The API's token.
        token: AdminToken,
        /// Whether only this machine reaches the listener.
        is_loopback: bool,
    },
}

impl Access {
    /// Whether the API is open to a request with this `Authorization` header.
    pub(super) fn allows(&self, authorization: &str) -> bool {
        match self {
            Self::Socket => true,
            Self::Tcp { token, .. } => token.is_in(authorization),
        }
    }

    /// Whether the Host header of a request names this machine. A web page can make its own name resolve to the
    /// loopback address (DNS rebinding). A browser on this machine then treats the relay's answers as answers of the
    /// page, but still sends the page's name. A request without a Host header does not come from a browser.
    fn is_for_us(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Tcp {
                is_loopback: true, ..
            } => headers
                .get_all(header::HOST)
                .iter()
                .all(|host| host.to_str().is_ok_and(is_loopback_name)),
            Self::Tcp { .. } | Self::Socket => true,
        }
    }
}

/// The request is for another host than this machine.
#[derive(Debug)]
pub(super) struct WrongHost;

impl warp::reject::Reject for WrongHost {}

/// Passes requests that are for this host. Others are rejected with [`WrongHost`].
pub(super) fn for_us(
    access: Access,
) -> impl Filter<Extract = (), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::header::headers_cloned()
        .and_then(move |headers: HeaderMap| {
            let is_for_us = access.is_for_us(&headers);
            async move {
                match is_for_us {
                    true => Ok(()),
                    false => Err(warp::reject::custom(WrongHost)),
                }
            }
        })
        .untuple_one()
}

/// `localhost` or a loopback address, with any port.
fn is_loopback_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_of_this_machine() {
        for ours in [
            "localhost",
            "LocalHost:9090",
            "127.0.0.1",
            "127.0.0.1:9090",
            "127.8.8.8:1",
            "[::1]",
            "[::1]:9090",
            "[::ffff:127.0.0.1]:9090",
        ] {
            assert!(is_loopback_name(ours), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:9090",
            "localhost.evil.example:9090",
            "127.0.0.1.evil.example",
            "192.0.2.1:9090",
            "0.0.0.0:9090",
            "[2001:db8::1]:9090",
            "evil.example@localhost",
            "localhost/evil",
            "local host",
        ] {
            assert!(!is_loopback_name(other), "{other}");
        }
    }
}
