//! The real relay with both peers at the sink.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use world::ports::free_ports;
use world::relay::{RelayCommand, RelayProcess, program_beside_us};

use super::Arguments;
use super::body::{API_KEY, API_SECRET, BOT_TOKEN, COMMAND_TOKEN, HOOK_TOKEN};

/// A running relay with its folder.
pub struct Relay {
    process: RelayProcess,
    public: u16,
    folder: PathBuf,
}

impl Relay {
    /// Starts it with both peers at `sink`, and waits until it is ready.
    pub async fn start(arguments: &Arguments, sink: &str) -> anyhow::Result<Self> {
        let program = match &arguments.relay {
            Some(program) => program.clone(),
            None => program_beside_us()?,
        };
        let parent = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = parent.join(format!("meetrelay-load-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let [public, admin] = free_ports();
        let file = folder.join("meetrelay.toml");
        std::fs::write(&file, config(public, admin, &folder, sink))?;
        let mut process = RelayProcess::spawn(&RelayCommand {
            program,
            config: file,
            log: folder.join("log"),
            // Not in the file: it may hold a password.
            environment: vec![("MEETRELAY__QUEUE__URL".to_owned(), arguments.queue.clone())],
        })?;
        process
            .await_ready(admin)
            .await
            .with_context(|| format!("its log is {}", folder.join("log").display()))?;
        Ok(Self {
            process,
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
        self.process.id()
    }

    /// SIGTERM; gives whether it ended by itself with code 0. Then its folder is removed, otherwise it is kept.
    pub async fn stop(self) -> anyhow::Result<bool> {
        let ended = self.process.stop().await?;
        let is_clean = ended.is_some_and(|status| status.success());
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
         starts_per_minute = 1000\n\
         [plugnmeet]\nurl = \"{sink}\"\napi_key = \"{API_KEY}\"\napi_secret = \"{API_SECRET}\"\n\
         [log]\nformat = \"json\"\n",
        data = folder.join("data"),
    )
}
