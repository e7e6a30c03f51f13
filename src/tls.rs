//! TLS to a configured server, with the certificate authorities of one file or those of the system. Error texts name
//! the setting to change.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, InvalidMessage, RootCertStore};
use tokio::io::AsyncReadExt;

/// Largest CA file that is read: all public authorities together take about 200 KiB.
const CA_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The server and its settings, as error texts name them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TlsPeer<'a> {
    /// "the broker"
    pub(crate) name: &'a str,
    /// The configuration key of its address, like `queue.url`.
    pub(crate) url_key: &'a str,
    /// The configuration key of the file with its certificate authorities, like `queue.ca_file`.
    pub(crate) ca_key: &'a str,
    /// That file, if one is configured. Otherwise the authorities of the system count.
    pub(crate) ca_file: Option<&'a Path>,
    /// What to change when the server does not use TLS.
    pub(crate) without_tls: &'a str,
}

/// A TLS configuration that uses ring's cryptography, whatever provider the process has installed.
///
/// # Errors
/// One line that says what is wrong with the CA file.
pub(crate) async fn client_config(peer: TlsPeer<'_>) -> Result<Arc<ClientConfig>, String> {
    let roots = match peer.ca_file {
        Some(path) => roots_of(path, peer.name)
            .await
            .map_err(|why| format!("{} {}: {why}", peer.ca_key, path.display()))?,
        None => system_roots(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("{}: TLS cannot be used: {error}", peer.url_key))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The TLS error among the causes of `error`, at any depth.
pub(crate) fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // `source` of an I/O error returns the source of the error inside it, and skips that error itself.
    let inner = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    match inner {
        Some(inner) => cause(inner),
        None => error.source().and_then(cause),
    }
}

/// Why TLS with `host` failed, and what to change.
pub(crate) fn complaint(peer: TlsPeer<'_>, host: &str, error: &rustls::Error) -> String {
    use rustls::Error;
    let name = peer.name;
    match error {
        // A bad signature means an authority of the same name with another key.
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            let key = peer.ca_key;
            let who = match peer.ca_file {
                Some(path) => format!("of {key} {}", path.display()),
                None => "of this system".to_owned(),
            };
            format!(
                "{name}'s certificate is not issued by any of the authorities {who}: write the PEM file with the right \
                 one into {key}"
            )
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!(
            "{name}'s certificate is not valid for {host}: write a host that it names, or give {name} another \
             certificate"
        ),
        Error::InvalidCertificate(why) => {
            format!("{name}'s certificate is not valid ({why:?}): give {name} another one")
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!(
                "the server at this address does not use TLS: {}",
                peer.without_tls
            )
        }
        other => format!("TLS with {name} failed: {other}"),
    }
}

async fn roots_of(path: &Path, name: &str) -> Result<RootCertStore, String> {
    let cannot_be_read = |error| format!("{error}; name a PEM file that the relay's user can read");
    let file = tokio::fs::File::open(path).await.map_err(cannot_be_read)?;
    let mut pem = Vec::new();
    file.take(CA_FILE_BYTES_MAX + 1)
        .read_to_end(&mut pem)
        .await
        .map_err(cannot_be_read)?;
    if pem.len() as u64 > CA_FILE_BYTES_MAX {
        return Err(format!(
            "has more than {CA_FILE_BYTES_MAX} bytes; write only the authorities of {name} into it"
        ));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| {
            format!("is not a PEM file ({error}); write certificates as PEM text into it")
        })?;
        roots.add(certificate).map_err(|error| {
            format!("holds a certificate that cannot be used ({error}); replace it")
        })?;
    }
    if roots.is_empty() {
        return Err(format!(
            "holds no certificate; write those of the authorities of {name} into it, as PEM text"
        ));
    }
    Ok(roots)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let _ = roots.add_parsable_certificates(found.certs);
    roots
}
