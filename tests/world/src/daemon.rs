//! Real servers as child processes, and the keeper that outlives us to end them.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Writes its process id into a file and becomes the program. Without the directory it does nothing.
const ENTER: &str = r#"echo $$ >"$0" && exec "$@""#;
/// Waits until our end of the pipe is closed, then ends what has a file `*.pid`, with its children, and removes
/// the directory.
const KEEP: &str = r#"
read -r _
for file in "$0"/*.pid; do
  [ -s "$file" ] || continue
  id="$(cat "$file")"
  # One that stands still makes no more children.
  kill -STOP "$id" 2>/dev/null || continue
  kill -KILL "$id" $(cat "/proc/$id/task/$id/children" 2>/dev/null) 2>/dev/null
done
rm -rf "$0" 2>/dev/null && exit 0
sleep 1
rm -rf "$0"
"#;
/// How long the keeper may take to clean up.
const CLEAN_LIMIT: Duration = Duration::from_secs(10);
/// How long killed processes may take to vanish.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// A process that ends every daemon of a directory and removes the directory, as soon as we drop it or die.
pub(crate) struct Keeper(Child);

impl Keeper {
    /// # Errors
    /// There is no shell.
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEP])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not in our group: an interrupt from the terminal must not end it before its work.
            .process_group(0)
            .spawn();
        keeper
            .map(Self)
            .map_err(|error| format!("no keeper: {error}"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let until = Instant::now() + CLEAN_LIMIT;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A server of ours that can be killed, frozen and started again. Its process id lies in `<name>.pid`, what it says
/// in `output`.
pub(crate) struct Daemon {
    folder: PathBuf,
    name: &'static str,
    child: Mutex<Option<Child>>,
    is_frozen: AtomicBool,
}

impl Daemon {
    /// One that does not run yet.
    pub(crate) fn new(folder: &Path, name: &'static str) -> Self {
        Self {
            folder: folder.to_owned(),
            name,
            child: Mutex::new(None),
            is_frozen: AtomicBool::new(false),
        }
    }

    /// Starts it, unless it runs.
    ///
    /// # Errors
    /// The program cannot be run.
    pub(crate) fn start(
        &self,
        environment: Vec<(String, String)>,
        command: &[&Path],
    ) -> Result<(), String> {
        let mut child = self.child();
        if child.is_none() {
            *child = Some(self.spawn(environment, command)?);
        }
        Ok(())
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child()
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten())
    }

    /// SIGKILL for it and its children. Waits until they are gone.
    pub(crate) fn kill(&self) {
        let Some(mut child) = self.child().take() else {
            return;
        };
        // A process that stands still makes no more children.
        signal("STOP", &[child.id()]);
        let children = children(child.id());
        // Both fail only for a process that has ended already.
        drop(child.kill());
        signal("KILL", &children);
        drop(child.wait());
        let until = Instant::now() + KILL_LIMIT;
        while children.iter().any(|id| is_alive(*id)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.forget();
    }

    /// Asks it to end with a signal, and kills it if it has not after `limit`.
    pub(crate) fn stop(&self, name: &str, limit: Duration) {
        let Some(id) = self.child().as_ref().map(Child::id) else {
            return;
        };
        signal(name, &[id]);
        let until = Instant::now() + limit;
        while self.ended().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }

    /// Whether it was told to stand still.
    pub(crate) fn is_frozen(&self) -> bool {
        self.is_frozen.load(Ordering::Relaxed)
    }

    /// SIGSTOP or SIGCONT for it and its children.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        let id = self.child().as_ref().expect("it runs").id();
        let name = if is_frozen { "STOP" } else { "CONT" };
        assert!(signal(name, &[id]), "no signal to {id}");
        // One may have ended meanwhile.
        signal(name, &children(id));
        self.is_frozen.store(is_frozen, Ordering::Relaxed);
    }

    fn forget(&self) {
        self.is_frozen.store(false, Ordering::Relaxed);
        drop(std::fs::remove_file(self.pid_file()));
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join(format!("{}.pid", self.name))
    }

    fn spawn(
        &self,
        environment: Vec<(String, String)>,
        command: &[&Path],
    ) -> Result<Child, String> {
        let failed = |error| format!("{} cannot be started: {error}", self.name);
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("output"))
            .map_err(failed)?;
        Command::new("/bin/sh")
            .args(["-c", ENTER])
            .arg(self.pid_file())
            .args(command)
            .envs(environment)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .map_err(failed)
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The end of a file, for a failure's text.
pub(crate) fn last_lines(path: &Path) -> String {
    let all = std::fs::read(path).unwrap_or_default();
    let all = String::from_utf8_lossy(&all);
    let lines: Vec<&str> = all.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n") + "\n"
}

/// Sends a signal by name, and says whether everyone got it. The shell's own `kill` needs no package.
fn signal(name: &str, ids: &[u32]) -> bool {
    if ids.is_empty() {
        return true;
    }
    let status = Command::new("/bin/sh")
        .args(["-c", r#"kill "$@" 2>/dev/null"#, "kill"])
        .arg(format!("-{name}"))
        .args(ids.iter().map(u32::to_string))
        .status();
    status.is_ok_and(|status| status.success())
}

fn children(id: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let listed = listed.unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

/// Whether a process runs; one that only waits to be collected does not.
fn is_alive(id: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    state
        .rsplit_once(')')
        .is_some_and(|(_, after)| !after.trim_start().starts_with(['Z', 'X']))
}
