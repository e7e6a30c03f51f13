//! TLS towards the broker: with the authorities of one file, or with those of the system.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;

/// Most bytes of a CA file: all public authorities together have some 200 KiB.
const CA_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A configuration with ring's cryptography, whatever provider the process has installed.
///
/// # Errors
/// What is wrong with the file, in one line.
pub(super) async fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let roots = match ca_file {
        Some(path) => roots_of(path)
            .await
            .map_err(|why| format!("queue.ca_file {}: {why}", path.display()))?,
        None => system_roots(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("queue.url: no TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

async fn roots_of(path: &Path) -> Result<RootCertStore, String> {
    let cannot_be_read = |error| format!("{error}; name a PEM file that the relay's user can read");
    let file = tokio::fs::File::open(path).await.map_err(cannot_be_read)?;
    let mut pem = Vec::new();
    file.take(CA_FILE_BYTES_MAX + 1)
        .read_to_end(&mut pem)
        .await
        .map_err(cannot_be_read)?;
    if pem.len() as u64 > CA_FILE_BYTES_MAX {
        return Err(format!(
            "has more than {CA_FILE_BYTES_MAX} bytes; write only the authorities of the broker into it"
        ));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| {
            format!("is no PEM file ({error}); write certificates as PEM text into it")
        })?;
        roots.add(certificate).map_err(|error| {
            format!("holds a certificate that cannot be used ({error}); replace it")
        })?;
    }
    if roots.is_empty() {
        return Err(
            "holds no certificate; write those of the broker's authorities into it, as PEM text"
                .to_owned(),
        );
    }
    Ok(roots)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let _ = roots.add_parsable_certificates(found.certs);
    roots
}
