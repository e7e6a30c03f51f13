//! The processes of a broker: epmd, the Erlang virtual machine, and the keeper that outlives us to end both.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::place::{Conversation, tool};
use crate::daemon::{Daemon, Keeper};

/// How long epmd may take to listen.
const EPMD_LIMIT: Duration = Duration::from_secs(20);

/// Dropped in this order: the keeper comes last.
pub(super) struct Processes {
    place: Conversation,
    machine: Daemon,
    _epmd: Daemon,
    _keeper: Keeper,
}

impl Processes {
    pub(super) fn start(place: &Conversation) -> Result<Self, String> {
        let keeper = Keeper::start(&place.folder)?;
        let epmd = Daemon::new(&place.folder, "epmd");
        let epmd_port = place.epmd.to_string();
        let command = ["epmd", "-address", "127.0.0.1", "-port", &epmd_port];
        epmd.start(place.environment(), &command.map(Path::new))?;
        let processes = Self {
            place: place.clone(),
            machine: Daemon::new(&place.folder, "machine"),
            _epmd: epmd,
            _keeper: keeper,
        };
        // An Erlang that finds no epmd starts one of its own, which nobody would end.
        await_listener(place.epmd)?;
        processes.start_again()?;
        Ok(processes)
    }

    /// How the virtual machine ended, if it did.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.machine.ended()
    }

    /// SIGKILL for the virtual machine and its helpers.
    pub(super) fn kill(&self) {
        self.machine.kill();
    }

    /// Starts the virtual machine again.
    pub(super) fn start_again(&self) -> Result<(), String> {
        let server = tool("rabbitmq-server");
        let command = [server.as_path(), Path::new("-noinput")];
        self.machine.start(self.place.environment(), &command)
    }

    /// Whether the virtual machine was told to stand still.
    pub(super) fn is_frozen(&self) -> bool {
        self.machine.is_frozen()
    }

    /// SIGSTOP or SIGCONT for the virtual machine.
    pub(super) fn freeze(&self, is_frozen: bool) {
        self.machine.freeze(is_frozen);
    }
}

fn await_listener(port: u16) -> Result<(), String> {
    let until = Instant::now() + EPMD_LIMIT;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > until {
            return Err(format!("epmd does not listen within {EPMD_LIMIT:?}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
