//! The processes of a cluster: the server with its children, and the keeper that outlives us to end them.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use super::place::Conversation;
use crate::daemon::{Daemon, Keeper};

/// How long a server that was asked to stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Dropped in this order: the keeper comes last.
pub(super) struct Processes {
    place: Conversation,
    server: Daemon,
    _keeper: Keeper,
}

impl Processes {
    pub(super) fn start(place: &Conversation) -> Result<Self, String> {
        let keeper = Keeper::start(&place.folder)?;
        let processes = Self {
            place: place.clone(),
            server: Daemon::new(&place.folder, "server"),
            _keeper: keeper,
        };
        processes.start_again()?;
        Ok(processes)
    }

    /// How the server ended, if it did.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.server.ended()
    }

    /// SIGKILL for all of the cluster.
    pub(super) fn kill(&self) {
        self.server.kill();
    }

    /// A fast shutdown: connections are closed, nothing has to be repaired.
    pub(super) fn stop(&self) {
        self.server.stop("INT", STOP_LIMIT);
    }

    /// Starts the server again.
    pub(super) fn start_again(&self) -> Result<(), String> {
        let command = self.place.server()?;
        let command: Vec<&Path> = command.iter().map(AsRef::as_ref).collect();
        self.server.start(Vec::new(), &command)
    }

    /// SIGSTOP or SIGCONT for all of the cluster.
    pub(super) fn freeze(&self, is_frozen: bool) {
        self.server.freeze(is_frozen);
    }
}
