//! TLS to a broker: a TLS listener in front of the real one, with certificates made for the test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use world::broker::Broker;

use super::{complaint, dial, settings};
use crate::queue::rabbitmq::connect::BrokerSettings;

/// A certificate authority with its PEM file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Starts a TLS listener in front of the broker, with a certificate for `name`. Returns its address with a new
    /// virtual host.
    async fn listener(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> String {
        let broker = Broker::shared().await;
        let inside = url::Url::parse(&broker.url(&broker.new_vhost().await)).unwrap();
        let port = inside.port().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut onwards = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut onwards).await;
                });
            }
        });
        inside
            .as_str()
            .replacen("amqp:", "amqps:", 1)
            .replace(&port.to_string(), &outside.to_string())
    }
}

fn trusting(url: &str, file: &Path) -> BrokerSettings {
    BrokerSettings {
        ca_file: Some(file.to_owned()),
        ..settings(url)
    }
}

/// The error text, without the path of the test's own directory.
async fn error_text(settings: &BrokerSettings) -> String {
    let text = complaint(settings).await;
    match settings.ca_file.as_ref().and_then(|file| file.parent()) {
        Some(folder) => text.replace(folder.to_str().unwrap(), "FOLDER"),
        None => text,
    }
}

#[tokio::test]
async fn certificate_of_a_private_authority_is_accepted() {
    let authority = Authority::new();
    let url = authority.listener("127.0.0.1", |_| {}).await;
    let (connection, _cut) = dial(&trusting(&url, &authority.file()), "test")
        .await
        .unwrap();
    connection.create_channel().await.unwrap();
}

#[tokio::test]
async fn certificate_of_another_authority_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let url = authority.listener("127.0.0.1", |_| {}).await;
    insta::assert_snapshot!(error_text(&trusting(&url, &other.file())).await, @"refused: queue.url SHOWN: the broker's certificate is not issued by any of the authorities of queue.ca_file FOLDER/ca.pem: write the PEM file with the right one into queue.ca_file");
    insta::assert_snapshot!(error_text(&settings(&url)).await, @"refused: queue.url SHOWN: the broker's certificate is not issued by any of the authorities of this system: write the PEM file with the right one into queue.ca_file");
}

#[tokio::test]
async fn certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let url = authority.listener("broker.example.org", |_| {}).await;
    insta::assert_snapshot!(error_text(&trusting(&url, &authority.file())).await, @"refused: queue.url SHOWN: the broker's certificate is not valid for 127.0.0.1: write a host that it names, or give the broker another certificate");
}

#[tokio::test]
async fn expired_certificate_is_refused() {
    let authority = Authority::new();
    let old = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    };
    let url = authority.listener("127.0.0.1", old).await;
    let text = error_text(&trusting(&url, &authority.file())).await;
    assert!(
        text.starts_with("refused: ") && text.contains("xpired"),
        "{text}"
    );
}

#[tokio::test]
async fn tls_and_plain_ports_are_distinguished() {
    let authority = Authority::new();
    let tls = authority.listener("127.0.0.1", |_| {}).await;
    let plain_to_tls = tls.replacen("amqps:", "amqp:", 1);
    insta::assert_snapshot!(error_text(&settings(&plain_to_tls)).await, @"refused: queue.url SHOWN: the server there does not support AMQP 0-9-1: write the address of RabbitMQ's AMQP listener (port 5672), or amqps:// and the address of its TLS listener (port 5671)");
    let broker = Broker::shared().await;
    let tls_to_plain = broker.url("v").replacen("amqp:", "amqps:", 1);
    insta::assert_snapshot!(error_text(&trusting(&tls_to_plain, &authority.file())).await, @"refused: queue.url SHOWN: the server at this address does not use TLS: write the port of the broker's TLS listener (5671), or amqp://");
}

#[tokio::test]
async fn unusable_ca_file_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let url = "amqps://relay:secret@127.0.0.1:5671/v";
    let mut texts = Vec::new();
    for path in [
        folder.path().join("missing.pem"),
        file("empty.pem", ""),
        file(
            "broken.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        file("long.pem", &"x".repeat(2 * 1024 * 1024)),
    ] {
        texts.push(error_text(&trusting(url, &path)).await);
    }
    insta::assert_snapshot!(texts.join("\n"), @r#"
    refused: queue.ca_file FOLDER/missing.pem: No such file or directory (os error 2); name a PEM file that the relay's user can read
    refused: queue.ca_file FOLDER/empty.pem: holds no certificate; write those of the authorities of the broker into it, as PEM text
    refused: queue.ca_file FOLDER/broken.pem: holds a certificate that cannot be used (invalid peer certificate: BadEncoding); replace it
    refused: queue.ca_file FOLDER/long.pem: has more than 1048576 bytes; write only the authorities of the broker into it
    "#);
}
