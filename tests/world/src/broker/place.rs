//! Where a broker lives: its directory, its ports and its files.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::daemon::last_lines;
use crate::ports::free_ports;

/// The user that may do everything.
pub(super) const USER: &str = "broker-admin";
/// Where the distribution's package keeps the tools that run as any user.
const TOOLS: &str = "/usr/lib/rabbitmq/bin";
/// The file that tells another process about this broker.
const PASSPORT: &str = "broker.json";

/// The address of a broker in files and ports.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Conversation {
    pub folder: PathBuf,
    pub node: String,
    pub password: String,
    pub amqp: u16,
    pub amqps: u16,
    pub distribution: u16,
    pub epmd: u16,
}

/// One of the package's tools.
pub(super) fn tool(name: &str) -> PathBuf {
    Path::new(TOOLS).join(name)
}

/// # Errors
/// The package is not installed.
pub(super) fn look_for_package() -> Result<(), String> {
    let server = tool("rabbitmq-server");
    if server.exists() {
        return Ok(());
    }
    Err(format!(
        "{} is missing: run tests/run, which installs the package rabbitmq-server",
        server.display()
    ))
}

impl Conversation {
    /// Makes the directory and its files.
    pub(super) fn make() -> std::io::Result<Self> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let folder = std::env::temp_dir().join(format!("meetrelay-broker-{id}"));
        let mut private = std::fs::DirBuilder::new();
        private.mode(0o700);
        private.create(&folder)?;
        for part in ["home", "mnesia", "log"] {
            private.create(folder.join(part))?;
        }
        let [amqp, amqps, distribution, epmd] = free_ports();
        let place = Self {
            node: format!("meetrelay-{amqp}@localhost"),
            password: uuid::Uuid::new_v4().simple().to_string(),
            amqp,
            amqps,
            distribution,
            epmd,
            folder,
        };
        let cookie = uuid::Uuid::new_v4().simple().to_string();
        place.write("home/.erlang.cookie", &cookie)?;
        place.write("rabbitmq.conf", &place.configuration())?;
        for (name, text) in crate::certificates::files()? {
            place.write(name, &text)?;
        }
        place.write("enabled_plugins", "[].\n")?;
        place.write("rabbitmq-env.conf", "")?;
        place.write(PASSPORT, &serde_json::to_string(&place)?)?;
        Ok(place)
    }

    /// The place of a broker that another process started.
    pub(super) fn of(folder: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(
            folder.join(PASSPORT),
        )?)?)
    }

    /// What every tool of this broker finds in its environment.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let pairs = [
            ("HOME", path("home")),
            ("ERL_EPMD_PORT", self.epmd.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODENAME", self.node.clone()),
            ("RABBITMQ_DIST_PORT", self.distribution.to_string()),
            ("RABBITMQ_CTL_DIST_PORT_MIN", "35672".to_owned()),
            ("RABBITMQ_CTL_DIST_PORT_MAX", "35772".to_owned()),
            ("RABBITMQ_CTL_ERL_ARGS", ON_LOOPBACK.to_owned()),
            ("RABBITMQ_CONF_ENV_FILE", path("rabbitmq-env.conf")),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", path("generated")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", path("mnesia")),
            ("RABBITMQ_LOG_BASE", path("log")),
            ("RABBITMQ_PID_FILE", path("server.pid")),
            ("RABBITMQ_IO_THREAD_POOL_SIZE", "8".to_owned()),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!("+S 1:1 {ON_LOOPBACK}"),
            ),
            // The script then becomes the broker instead of waiting beside it.
            ("RABBITMQ_ALLOW_INPUT", "true".to_owned()),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// The end of what the broker said.
    pub(super) fn last_words(&self) -> String {
        let logs = ["log/broker.log", "output"];
        logs.map(|name| last_lines(&self.folder.join(name)))
            .concat()
    }

    fn configuration(&self) -> String {
        format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
             default_user = {USER}\n\
             default_pass = {password}\n\
             log.console = false\n\
             log.file = broker.log\n\
             log.file.level = info\n\
             disk_free_limit.absolute = 50MB\n\
             raft.wal_max_size_bytes = 67108864\n\
             {tls}",
            amqp = self.amqp,
            password = self.password,
            tls = super::tls::configuration(&self.folder, self.amqps),
        )
    }

    fn write(&self, name: &str, text: &str) -> std::io::Result<()> {
        let mut file = std::fs::File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(self.folder.join(name))?;
        std::io::Write::write_all(&mut file, text.as_bytes())
    }
}

/// Erlang's distribution listens on loopback only.
pub(super) const ON_LOOPBACK: &str = "-kernel inet_dist_use_interface {127,0,0,1}";
