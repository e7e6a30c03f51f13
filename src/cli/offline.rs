//! The option `--offline`: the command uses the files of a relay that does not run.

use clap::Args;

use super::outcome::Failure;
use crate::app::offline::OfflineError;

/// Whether a command asks the running relay or opens the files.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct OfflineArgs {
    /// Open the files of a relay that does not run, instead of asking one that does
    #[arg(long, global = true)]
    offline: bool,
}

impl OfflineArgs {
    /// Whether the files should be opened.
    pub(super) const fn is_wanted(self) -> bool {
        self.offline
    }
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Self {
        Self::failed(error)
    }
}
