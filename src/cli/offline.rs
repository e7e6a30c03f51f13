//! `--offline`: on the files of a relay that does not run.

use clap::Args;

use super::outcome::Failure;
use crate::app::offline::{self, OfflineError};
use crate::config::{Sources, load};

/// Where a command finds what it works on.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Offline {
    /// Open the files of a relay that does not run, instead of asking one that does
    #[arg(long, global = true)]
    offline: bool,
}

/// The files, if they are open.
pub(super) struct Opened(Option<offline::Offline>);

impl Offline {
    /// Opens the files if that was asked for.
    pub(super) async fn open(self, sources: &Sources) -> Result<Opened, Failure> {
        if !self.offline {
            return Ok(Opened(None));
        }
        let config = load(sources)?.config;
        let files = offline::Offline::open(&config).await?;
        Ok(Opened(Some(files)))
    }
}

impl Opened {
    /// Gives the files free.
    pub(super) async fn close(self) {
        if let Some(files) = self.0 {
            files.close().await;
        }
    }
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Self {
        Self::failed(error)
    }
}
