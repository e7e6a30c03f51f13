//! The real relay as a child process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};

use super::Arguments;
use super::body::{API_KEY, API_SECRET, BOT_TOKEN, COMMAND_TOKEN, HOOK_TOKEN};

/// How long it may take to be ready, and to stop (server.drain_timeout is 25 s).
const PATIENCE: Duration = Duration::from_secs(60);

/// A running relay with its folder.
pub struct Relay {
    child: Child,
    id: u32,
    public: u16,
    folder: PathBuf,
}

impl Relay {
    /// Starts it with both peers at `sink`, and waits until it is ready.
    pub async fn start(arguments: &Arguments, sink: &str) -> anyhow::Result<Self> {
        let program = match &arguments.relay {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("meetrelay"),
        };
        let parent = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = parent.join(format!("meetrelay-load-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let (public, admin) = free_ports()?;
        let file = folder.join("meetrelay.toml");
        std::fs::write(&file, config(public, admin, &folder, sink))?;
        let log = std::fs::File::create(folder.join("log"))?;
        let mut child = Command::new(&program)
            .arg("--config")
            .arg(&file)
            .arg("serve")
            // Not in the file: it may hold a password.
            .env("MEETRELAY__QUEUE__URL", &arguments.queue)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!(
                    "{}: build it first, or name it by --relay",
                    program.display()
                )
            })?;
        let id = child.id().context("the relay ended at once")?;
        await_ready(&mut child, admin)
            .await
            .with_context(|| format!("its log is {}", folder.join("log").display()))?;
        Ok(Self {
            child,
            id,
            public,
            folder,
        })
    }

    /// Where its door is.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.public))
    }

    /// Its process id.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// SIGTERM; gives whether it ended by itself with code 0. Then its folder is removed, otherwise it is kept.
    pub async fn stop(mut self) -> anyhow::Result<bool> {
        let id = self.id.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let is_clean = matches!(ended, Ok(Ok(status)) if status.success());
        if is_clean {
            std::fs::remove_dir_all(&self.folder)
                .with_context(|| self.folder.display().to_string())?;
        } else {
            eprintln!(
                "load: the relay did not stop cleanly: {}",
                self.folder.display()
            );
        }
        Ok(is_clean)
    }
}

fn config(public: u16, admin: u16, folder: &Path, sink: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:{public}\"\nadmin_listen = \"127.0.0.1:{admin}\"\n\
         public_url = \"http://127.0.0.1:{public}\"\ndata_dir = {data:?}\n\
         [mattermost]\nurl = \"{sink}\"\noutgoing_tokens = [\"{HOOK_TOKEN}\"]\n\
         command_tokens = [\"{COMMAND_TOKEN}\"]\nbot_token = \"{BOT_TOKEN}\"\n\
         [plugnmeet]\nurl = \"{sink}\"\napi_key = \"{API_KEY}\"\napi_secret = \"{API_SECRET}\"\n\
         [log]\nformat = \"json\"\n",
        data = folder.join("data"),
    )
}

async fn await_ready(child: &mut Child, admin: u16) -> anyhow::Result<()> {
    // Another part of the process may have installed it before: the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("http://127.0.0.1:{admin}/readyz");
    let ready = async {
        loop {
            if let Some(status) = child.try_wait()? {
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

fn free_ports() -> anyhow::Result<(u16, u16)> {
    // Both are held while both are found, so that they differ.
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}
