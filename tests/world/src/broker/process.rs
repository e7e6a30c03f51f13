//! The processes of a broker: epmd, the Erlang virtual machine, and the keeper that outlives us to end both.

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::place::{Place, tool};

/// Writes its process id into a file and becomes the program. Without the directory it does nothing.
const ENTER: &str = r#"echo $$ >"$0" && exec "$@""#;
/// Waits until our end of the pipe is closed, then ends what has a file `*.pid` and removes the directory.
const KEEP: &str = r#"
read -r _
for file in "$0"/*.pid; do
  [ -s "$file" ] && kill -KILL "$(cat "$file")" 2>/dev/null
done
rm -rf "$0" 2>/dev/null && exit 0
sleep 1
rm -rf "$0"
"#;
/// How long epmd may take to listen.
const EPMD_LIMIT: Duration = Duration::from_secs(20);
/// How long the keeper may take to clean up.
const CLEAN_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Processes {
    place: Place,
    keeper: Child,
    epmd: Child,
    machine: Mutex<Option<Child>>,
    is_frozen: AtomicBool,
}

impl Processes {
    pub(super) fn start(place: &Place) -> Result<Self, String> {
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEP])
            .arg(&place.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not in our group: an interrupt from the terminal must not end it before its work.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("no keeper: {error}"))?;
        let epmd_port = place.epmd.to_string();
        let epmd = [
            "epmd".as_ref(),
            "-address".as_ref(),
            "127.0.0.1".as_ref(),
            "-port".as_ref(),
            Path::new(&epmd_port),
        ];
        let epmd = spawn(place, "epmd", &epmd)?;
        let processes = Self {
            place: place.clone(),
            keeper,
            epmd,
            machine: Mutex::new(None),
            is_frozen: AtomicBool::new(false),
        };
        // An Erlang that finds no epmd starts one of its own, which nobody would end.
        await_listener(place.epmd)?;
        processes.start_again()?;
        Ok(processes)
    }

    /// How the virtual machine ended, if it did.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.machine()
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten())
    }

    /// SIGKILL for the virtual machine; its helpers end with it.
    pub(super) fn kill(&self) {
        let Some(mut child) = self.machine().take() else {
            return;
        };
        // Both fail only for a process that has ended already.
        drop(child.kill());
        drop(child.wait());
        self.is_frozen.store(false, Ordering::Relaxed);
        drop(std::fs::remove_file(self.place.folder.join("machine.pid")));
    }

    /// Starts the virtual machine again.
    pub(super) fn start_again(&self) -> Result<(), String> {
        let mut machine = self.machine();
        if machine.is_none() {
            *machine = Some(spawn_machine(&self.place)?);
        }
        Ok(())
    }

    /// Whether the virtual machine was told to stand still.
    pub(super) fn is_frozen(&self) -> bool {
        self.is_frozen.load(Ordering::Relaxed)
    }

    /// SIGSTOP or SIGCONT for the virtual machine.
    pub(super) fn freeze(&self, is_frozen: bool) {
        let id = self.machine().as_ref().expect("the broker runs").id();
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill")
            .args([signal, &id.to_string()])
            .status();
        let is_sent = status.is_ok_and(|status| status.success());
        assert!(is_sent, "no signal to {id}");
        self.is_frozen.store(is_frozen, Ordering::Relaxed);
    }

    fn machine(&self) -> MutexGuard<'_, Option<Child>> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.kill();
        drop(self.epmd.kill());
        drop(self.epmd.wait());
        drop(self.keeper.stdin.take());
        let until = Instant::now() + CLEAN_LIMIT;
        while matches!(self.keeper.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
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

fn spawn_machine(place: &Place) -> Result<Child, String> {
    let server = tool("rabbitmq-server");
    spawn(place, "machine", &[&server, "-noinput".as_ref()])
}

fn spawn(place: &Place, name: &str, command: &[&Path]) -> Result<Child, String> {
    let failed = |error| format!("{name} cannot be started: {error}");
    let output = File::options()
        .create(true)
        .append(true)
        .open(place.folder.join("output"))
        .map_err(failed)?;
    Command::new("/bin/sh")
        .args(["-c", ENTER])
        .arg(place.folder.join(format!("{name}.pid")))
        .args(command)
        .envs(place.environment())
        .current_dir(&place.folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .map_err(failed)
}
