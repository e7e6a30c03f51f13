//! The broker's TLS listener.

use std::path::{Path, PathBuf};

use super::Broker;
use crate::certificates::{CA, CERTIFICATE, KEY, WRONG_CA};

impl Broker {
    /// The address of a virtual host over TLS, for the same user as [`url`](Self::url).
    pub fn tls_url(&self, vhost: &str) -> String {
        let (user, password) = (super::place::USER, &self.place.password);
        self.address("amqps", self.place.amqps, user, password, vhost)
    }

    /// The private authority (PEM) that signed the broker's certificate for `localhost` and 127.0.0.1.
    pub fn ca_file(&self) -> PathBuf {
        self.place.folder.join(CA)
    }

    /// An authority that did not.
    pub fn wrong_ca_file(&self) -> PathBuf {
        self.place.folder.join(WRONG_CA)
    }
}

/// The part of rabbitmq.conf for a listener on this port.
pub(super) fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\n\
         ssl_options.cacertfile = {folder}/{CA}\n\
         ssl_options.certfile = {folder}/{CERTIFICATE}\n\
         ssl_options.keyfile = {folder}/{KEY}\n\
         ssl_options.verify = verify_none\n\
         ssl_options.fail_if_no_peer_cert = false\n"
    )
}
