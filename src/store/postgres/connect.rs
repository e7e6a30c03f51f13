//! The connections to PostgreSQL: where, how they are secured, what is set on each.

mod complaint;

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client as PostgresClient, Config, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

pub(super) use complaint::DatabaseAddress;

/// How the relay is called in `pg_stat_activity`.
const APPLICATION_NAME: &str = "meetrelay";
/// An idle connection is asked for a sign of life after this time.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// Whether the connection is encrypted. Where it is, the certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    Disable,
    /// If the server can.
    Prefer,
    /// Always.
    Require,
}

/// Where PostgreSQL is and how long it may take.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// A name or an address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who the relay is there.
    pub user: String,
    /// Its password; none where the server asks for none.
    pub password: Option<SecretString>,
    /// The database.
    pub database: String,
    /// Whether the connection is encrypted.
    pub encryption: Encryption,
    /// The address without its password, for people.
    pub shown: String,
    /// A PEM file with the authorities that may vouch for the server; absent: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Most connections at one time.
    pub connections: usize,
    /// A connection must be there within this time.
    pub connect_timeout: Duration,
    /// A call must be answered within this time, waiting for locks included.
    pub call_timeout: Duration,
}

impl PostgresSettings {
    fn peer(&self) -> tls::TlsPeer<'_> {
        tls::TlsPeer {
            name: "PostgreSQL",
            url_key: "store.url",
            ca_key: "store.ca_file",
            ca_file: self.ca_file.as_deref(),
            without_tls: "write the port of PostgreSQL, or sslmode=disable",
        }
    }
}

/// Makes the pool; nothing is connected yet.
///
/// # Errors
/// What is wrong with the file of authorities, in one line.
pub(super) async fn pool(settings: &PostgresSettings) -> Result<Pool, String> {
    let config = config(settings);
    let keep = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match settings.encryption {
        Encryption::Disable => Manager::from_connect(config, Dial { tls: NoTls }, keep),
        Encryption::Prefer | Encryption::Require => {
            let tls = dialled_with(tls::client_config(settings.peer()).await?);
            Manager::from_connect(config, Dial { tls }, keep)
        }
    };
    let setup = setup(settings.call_timeout);
    let hook = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
        let setup = setup.clone();
        async move {
            client
                .batch_execute(&setup)
                .await
                .map_err(HookError::Backend)
        }
        .boxed()
    });
    Pool::builder(manager)
        .max_size(settings.connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(settings.call_timeout))
        .create_timeout(Some(settings.connect_timeout))
        .post_create(hook)
        .build()
        .map_err(|error| format!("store.url {}: {error}", settings.shown))
}

fn config(settings: &PostgresSettings) -> Config {
    let mut config = Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .user(&settings.user)
        .dbname(&settings.database)
        .application_name(APPLICATION_NAME)
        .connect_timeout(settings.connect_timeout)
        .tcp_user_timeout(settings.call_timeout)
        .keepalives_idle(KEEPALIVE_AFTER)
        // A standby takes nothing.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .ssl_mode(match settings.encryption {
            Encryption::Disable => SslMode::Disable,
            Encryption::Prefer => SslMode::Prefer,
            Encryption::Require => SslMode::Require,
        });
    if let Some(password) = &settings.password {
        config.password(password.expose_secret());
    }
    config
}

fn dialled_with(config: Arc<ClientConfig>) -> MakeRustlsConnect {
    MakeRustlsConnect::new(Arc::unwrap_or_clone(config))
}

/// What is set on each connection, whatever the server, the database or the user has as default: nothing waits for
/// ever, even when this process no longer looks; each statement sees what is committed before it; and a commit is on
/// stable storage when it is answered.
fn setup(call_timeout: Duration) -> String {
    let millis = |time: Duration| time.as_millis().min(i32::MAX as u128).max(1);
    let mut setup = String::new();
    for (name, value) in [
        ("statement_timeout", millis(call_timeout)),
        ("lock_timeout", millis(call_timeout / 2)),
        (
            "idle_in_transaction_session_timeout",
            millis(call_timeout * 2),
        ),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(setup, "SET {name} = {value}; ");
    }
    setup.push_str(
        "SET default_transaction_isolation = 'read committed';
         SET client_min_messages = warning;
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'",
    );
    setup
}

/// Opens connections; what ends one is told to whoever uses it, so that it is not told twice.
struct Dial<T> {
    tls: T,
}

impl<T> Connect for Dial<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as tokio_postgres::tls::TlsConnect<Socket>>::Future: Send,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "tracked: the pool ends it with its client"
    )]
    fn connect(
        &self,
        config: &Config,
    ) -> BoxFuture<'_, Result<(PostgresClient, JoinHandle<()>), tokio_postgres::Error>> {
        let (tls, config) = (self.tls.clone(), config.clone());
        async move {
            let (client, connection) = config.connect(tls).await?;
            let driving = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to PostgreSQL ended");
                }
            });
            Ok((client, driving))
        }
        .boxed()
    }
}
