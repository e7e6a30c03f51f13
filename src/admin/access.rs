//! From where a request comes, and what it needs there.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, header};
use warp::{Filter, Rejection};

use super::AdminToken;

/// How the listener is reached that a request came through.
#[derive(Debug, Clone)]
pub enum Access {
    /// Through the socket in the data directory. The permissions of its file say who may.
    Socket,
    /// Over TCP: the API asks for the token.
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

    /// Whether a request is for this machine by name. A page of a browser here may have a name of its own resolved to
    /// the loopback address (DNS rebinding): the browser then takes the relay's answers for the page's own, but still
    /// sends the page's name. A request without a name is no browser's.
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

/// The request is for a name that no page of a browser has.
#[derive(Debug)]
pub(super) struct WrongHost;

impl warp::reject::Reject for WrongHost {}

/// Lets requests by that are for this listener; others are rejected with [`WrongHost`].
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
    fn only_names_that_no_page_can_have_are_of_this_machine() {
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
