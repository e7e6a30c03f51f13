//! TLS with the certificates that this machine trusts. The variables `SSL_CERT_FILE` and `SSL_CERT_DIR` are used too.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// A TLS configuration that uses ring's cryptography, whatever provider the process has installed. It can be made even
/// without a trusted certificate, because peers on plain http need none.
pub(super) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (trusted, unreadable) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        tracing::warn!(
            unreadable,
            "no trusted certificates were found, so that no https address can be called: \
             install ca-certificates or set SSL_CERT_FILE"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
