//! Where a cluster lives: its directory, its port and its files.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Kind;
use super::account::Account;
use crate::certificates::{CERTIFICATE, KEY};
use crate::daemon::last_lines;
use crate::ports::free_ports;

/// The user that may do everything.
pub(super) const ADMIN: &str = "admin";
/// The owner of the tests' databases.
pub(super) const USER: &str = "meetrelay_user";
/// The administrator's database.
pub(super) const HOME: &str = "postgres";
/// Where the distributions keep the server, below its major version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The file that tells another process about this cluster.
const PASSPORT: &str = "cluster.json";

/// The address of a cluster in files and port.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Conversation {
    pub folder: PathBuf,
    /// Where the server's programs are.
    pub tools: PathBuf,
    pub password: String,
    pub port: u16,
}

impl Conversation {
    /// Makes the directory and the cluster in it.
    pub(super) fn make(kind: Kind) -> Result<Self, String> {
        let account = Account::to_become()?;
        let tools = tools()?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let folder = std::env::temp_dir().join(format!("meetrelay-postgres-{id}"));
        let [port] = free_ports();
        let place = Self {
            folder,
            tools,
            password: uuid::Uuid::new_v4().simple().to_string(),
            port,
        };
        let made = place.fill(kind, account.as_ref());
        if made.is_err() {
            // Nothing of it runs.
            drop(std::fs::remove_dir_all(&place.folder));
        }
        made.map(|()| place)
    }

    /// The place of a cluster that another process started.
    pub(super) fn of(folder: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(
            folder.join(PASSPORT),
        )?)?)
    }

    /// The command that becomes the server.
    ///
    /// # Errors
    /// The package's user is missing.
    pub(super) fn server(&self) -> Result<Vec<PathBuf>, String> {
        let mut command: Vec<PathBuf> = Vec::new();
        if let Some(account) = Account::to_become()? {
            command.extend(account.prefix().map(PathBuf::from));
        }
        command.extend([
            self.tools.join("postgres"),
            "-D".into(),
            self.folder.join("cluster"),
        ]);
        Ok(command)
    }

    /// The end of what the server said.
    pub(super) fn last_words(&self) -> String {
        last_lines(&self.folder.join("output"))
    }

    fn fill(&self, kind: Kind, account: Option<&Account>) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.folder.display());
        let mut private = std::fs::DirBuilder::new();
        private.mode(0o700);
        private.create(&self.folder).map_err(failed)?;
        let passport = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let mut files = vec![("password", self.password.clone()), (PASSPORT, passport)];
        if kind.has_tls {
            files.extend(crate::certificates::files().map_err(failed)?);
        }
        for (name, text) in &files {
            self.write(name, text).map_err(failed)?;
        }
        if let Some(account) = account {
            account.take(&self.folder)?;
            for (name, _) in &files {
                account.take(&self.folder.join(name))?;
            }
        }
        self.make_cluster(account)?;
        let cluster = self.folder.join("cluster");
        let append = |name: &str, text: &str| {
            let mut file = std::fs::File::options()
                .append(true)
                .open(cluster.join(name))?;
            std::io::Write::write_all(&mut file, text.as_bytes())
        };
        append("postgresql.conf", &self.configuration(kind)).map_err(failed)?;
        std::fs::write(cluster.join("pg_hba.conf"), doors(kind)).map_err(failed)
    }

    fn make_cluster(&self, account: Option<&Account>) -> Result<(), String> {
        let mut command: Vec<String> = Vec::new();
        command.extend(account.map(Account::prefix).into_iter().flatten());
        command.push(self.tools.join("initdb").display().to_string());
        let output = Command::new(&command[0])
            .args(&command[1..])
            .args(["--username", ADMIN, "--pwfile", "password"])
            .args(["--auth", "scram-sha-256", "--encoding", "UTF8"])
            .args(["--locale", "C.UTF-8", "--no-sync", "cluster"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("initdb cannot be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("initdb: {}\n{said}", output.status))
    }

    fn configuration(&self, kind: Kind) -> String {
        let Kind { has_tls, is_synced } = kind;
        let on = |is_on| if is_on { "on" } else { "off" };
        let folder = self.folder.display();
        format!(
            "listen_addresses = '127.0.0.1'\n\
             port = {port}\n\
             unix_socket_directories = ''\n\
             password_encryption = 'scram-sha-256'\n\
             max_connections = 400\n\
             shared_buffers = 32MB\n\
             autovacuum_naptime = 10s\n\
             fsync = {sync}\n\
             synchronous_commit = {sync}\n\
             full_page_writes = {sync}\n\
             ssl = {tls}\n\
             ssl_cert_file = '{folder}/{CERTIFICATE}'\n\
             ssl_key_file = '{folder}/{KEY}'\n",
            port = self.port,
            sync = on(is_synced),
            tls = on(has_tls),
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

/// Who may come in and how (pg_hba.conf).
fn doors(kind: Kind) -> String {
    let host = if kind.has_tls { "hostssl" } else { "host" };
    format!(
        "host all {ADMIN} 127.0.0.1/32 scram-sha-256\n\
         {host} all {USER} 127.0.0.1/32 scram-sha-256\n"
    )
}

/// The newest server that the distribution has, else the one on PATH.
fn tools() -> Result<PathBuf, String> {
    let installed = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest
        .map(|version| Path::new(VERSIONS).join(version.to_string()).join("bin"))
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .ok_or_else(|| {
            "no PostgreSQL server: run tests/run, which installs the package postgresql".to_owned()
        })
}
