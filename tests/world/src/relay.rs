//! The real relay as a child process of the programs of this package.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};

/// How long it may take to be ready, and to stop (server.drain_timeout is 25 s).
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a relay is started.
#[derive(Clone, Debug)]
pub struct RelayCommand {
    /// The program; see [`program_beside_us`].
    pub program: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// What it writes is added to this file.
    pub log: PathBuf,
    /// What the file should not hold, such as addresses with passwords.
    pub environment: Vec<(String, String)>,
}

/// A running relay.
#[derive(Debug)]
pub struct RelayProcess {
    child: Child,
    id: u32,
}

/// `meetrelay` beside the running program.
///
/// # Errors
/// The system does not tell where that is.
pub fn program_beside_us() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("meetrelay"))
}

impl RelayProcess {
    /// Starts it, and does not wait.
    ///
    /// # Errors
    /// The program cannot be run.
    pub fn spawn(command: &RelayCommand) -> anyhow::Result<Self> {
        let name = |path: &Path| path.display().to_string();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&command.log)
            .with_context(|| name(&command.log))?;
        let child = Command::new(&command.program)
            .arg("--config")
            .arg(&command.config)
            .arg("serve")
            .envs(command.environment.iter().map(|(key, value)| (key, value)))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                let program = name(&command.program);
                format!("{program}: build it first, or name it by --relay")
            })?;
        let id = child.id().context("the relay ended at once")?;
        Ok(Self { child, id })
    }

    /// Its process id.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// It ended, or was not ready within [`PATIENCE`].
    pub async fn await_ready(&mut self, admin: u16) -> anyhow::Result<()> {
        // Another part of the process may have installed it before: the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://127.0.0.1:{admin}/readyz");
        let ready = async {
            loop {
                if let Some(status) = self.ended() {
                    anyhow::bail!("the relay ended at once: {status}");
                }
                let answer = http.get(&url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready)
            .await
            .context("the relay is not ready")?
    }

    /// Sends a signal by name, such as `TERM`.
    ///
    /// # Errors
    /// There is no shell.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self.id.to_string();
        Command::new("/bin/sh")
            .args(["-c", r#"kill "$@""#, "kill", &format!("-{name}"), &id])
            .status()
            .await?;
        Ok(())
    }

    /// SIGKILL: no instruction more.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// SIGTERM; gives how it ended, `None` when it did not within [`PATIENCE`] and was killed.
    ///
    /// # Errors
    /// There is no shell.
    pub async fn stop(mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.signal("TERM").await?;
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => {
                self.child.kill().await?;
                Ok(None)
            }
        }
    }
}
