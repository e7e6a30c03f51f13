//! Certificates of the broker's TLS listener, made for each broker.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::Broker;

/// The authority that signed the broker's certificate.
const CA: &str = "ca.pem";
/// Another authority of the same name.
const WRONG_CA: &str = "wrong-ca.pem";

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
         ssl_options.certfile = {folder}/certificate.pem\n\
         ssl_options.keyfile = {folder}/key.pem\n\
         ssl_options.verify = verify_none\n\
         ssl_options.fail_if_no_peer_cert = false\n"
    )
}

/// The files that [`configuration`] names, as (name, text).
pub(super) fn files() -> Result<Vec<(&'static str, String)>, rcgen::Error> {
    let (right, wrong) = (authority()?, authority()?);
    let key = KeyPair::generate()?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &right.issuer)?;
    Ok(vec![
        (CA, right.pem),
        (WRONG_CA, wrong.pem),
        ("certificate.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ])
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Result<Authority, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(DnType::CommonName, "test broker authority");
    let pem = parameters.self_signed(&key)?.pem();
    Ok(Authority {
        pem,
        issuer: Issuer::new(parameters, key),
    })
}
