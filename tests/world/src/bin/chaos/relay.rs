//! One relay that is killed, stopped and started again.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use world::relay::{RelayCommand, RelayProcess};
use world::usage::Usage;

/// A process younger than this may not know SIGTERM yet: it ends by it, having accepted nothing.
const YOUNG: Duration = Duration::from_secs(5);
/// SIGTERM.
const TERM: i32 = 15;

/// A relay and what became of its processes.
pub struct Relay {
    pub number: usize,
    pub admin: u16,
    /// Its data directory.
    pub data: PathBuf,
    pub command: RelayCommand,
    process: Option<RelayProcess>,
    started: Instant,
    /// The most memory that one of its processes held, in KiB.
    pub memory_kib: u64,
    /// How often it was started.
    pub starts: u32,
    /// What went wrong with the process itself.
    pub wrong: Vec<String>,
}

/// The clock of a relay that was built for tests.
pub struct Clock(PathBuf);

impl Clock {
    /// Right, until it is set; `file` is where its processes read how far it is off.
    pub const fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// What tells a relay of it.
    pub fn variable(&self) -> (String, String) {
        let file = self.0.display().to_string();
        ("MEETRELAY_CLOCK_FILE".to_owned(), file)
    }

    /// Lets it be off by so many milliseconds.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set(&self, offset_ms: i64) -> anyhow::Result<()> {
        // Renamed into its place, so that no process reads half of it.
        let new = self.0.with_extension("new");
        std::fs::write(&new, offset_ms.to_string())?;
        Ok(std::fs::rename(new, &self.0)?)
    }
}

impl Relay {
    pub fn new(number: usize, admin: u16, data: PathBuf, command: RelayCommand) -> Self {
        Self {
            number,
            admin,
            data,
            command,
            process: None,
            started: Instant::now(),
            memory_kib: 0,
            starts: 0,
            wrong: Vec::new(),
        }
    }

    /// Starts it, if it does not run, and does not wait.
    pub fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.starts += 1;
        self.started = Instant::now();
        match RelayProcess::spawn(&self.command) {
            Ok(process) => self.process = Some(process),
            Err(error) => self.complain(&format!("cannot be started: {error:#}")),
        }
    }

    /// Waits until it is ready.
    pub async fn await_ready(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        if let Err(error) = process.await_ready(self.admin).await {
            self.complain(&format!("{error:#}"));
        }
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        let Some(process) = self.living() else { return };
        if let Err(error) = process.kill().await {
            self.complain(&format!("cannot be killed: {error:#}"));
        }
    }

    /// SIGTERM; it has to end with code 0.
    pub async fn stop(&mut self) {
        let is_young = self.started.elapsed() < YOUNG;
        let Some(process) = self.living() else { return };
        match process.stop().await {
            Ok(Some(status)) if status.success() => {}
            Ok(Some(status)) if is_young && status.signal() == Some(TERM) => {}
            Ok(Some(status)) => self.complain(&format!("stopped with {status}")),
            Ok(None) => self.complain("did not stop in time"),
            Err(error) => self.complain(&format!("cannot be stopped: {error:#}")),
        }
    }

    /// Sends a signal by name.
    pub async fn signal(&mut self, name: &str) {
        self.look();
        let Some(process) = &self.process else { return };
        if let Err(error) = process.signal(name).await {
            self.complain(&format!("no signal {name}: {error:#}"));
        }
    }

    /// Notes an end that nobody asked for, and starts it again.
    pub fn look(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        if let Some(status) = process.ended() {
            self.process = None;
            self.complain(&format!("ended by itself: {status}"));
            self.start();
            return;
        }
        let used = Usage::of(process.id()).map_or(0, |usage| usage.memory_kib);
        self.memory_kib = self.memory_kib.max(used);
    }

    fn living(&mut self) -> Option<RelayProcess> {
        self.look();
        self.process.take()
    }

    fn complain(&mut self, what: &str) {
        self.wrong.push(format!("relay {}: {what}", self.number));
    }
}
