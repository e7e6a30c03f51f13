//! Certificates of the servers' TLS listeners, made anew for each server.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// The file of the authority that signed the server's certificate.
pub(crate) const CA: &str = "ca.pem";
/// The file of another authority of the same name.
pub(crate) const WRONG_CA: &str = "wrong-ca.pem";
/// The file of the server's certificate for `localhost` and 127.0.0.1.
pub(crate) const CERTIFICATE: &str = "certificate.pem";
/// The file of its private key.
pub(crate) const KEY: &str = "key.pem";

/// The files, as (name, text).
///
/// # Errors
/// The machine has no randomness.
pub(crate) fn files() -> std::io::Result<Vec<(&'static str, String)>> {
    make().map_err(std::io::Error::other)
}

fn make() -> Result<Vec<(&'static str, String)>, rcgen::Error> {
    let (right, wrong) = (authority()?, authority()?);
    let key = KeyPair::generate()?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &right.issuer)?;
    Ok(vec![
        (CA, right.pem),
        (WRONG_CA, wrong.pem),
        (CERTIFICATE, certificate.pem()),
        (KEY, key.serialize_pem()),
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
        .push(DnType::CommonName, "test server authority");
    let pem = parameters.self_signed(&key)?.pem();
    Ok(Authority {
        pem,
        issuer: Issuer::new(parameters, key),
    })
}
