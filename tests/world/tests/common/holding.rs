//! Whether servers end with the process that started them, even a killed one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a state may take to come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the test that only holds a server tells its folder; `None` when it is run as one of the tests.
pub fn told_at(hold: &str) -> Option<PathBuf> {
    std::env::var_os(hold).map(PathBuf::from)
}

/// Runs the test `name` of this binary, which holds a server of its own and not the one that `shared` names, kills it
/// and gives the server's folder and how many processes lived there.
pub async fn kill_a_holder(name: &str, hold: &str, shared: impl AsRef<OsStr>) -> (PathBuf, usize) {
    let tell = std::env::temp_dir().join(format!("meetrelay-hold-{}", uuid::Uuid::new_v4()));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(hold, &tell)
        .env_remove(shared)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let folder = loop {
        let told = std::fs::read_to_string(&tell).unwrap_or_default();
        if !told.is_empty() {
            break PathBuf::from(told);
        }
        assert!(began.elapsed() < PATIENCE, "no server was started");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let running = processes(&folder).len();
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&tell).unwrap();
    (folder, running)
}

/// The processes that live in a server's directory: they name it, or stand there.
pub fn processes(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let is_named = ["environ", "cmdline"].into_iter().any(|part| {
            let bytes = std::fs::read(entry.path().join(part)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(name)
        });
        let at = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if is_named || at.starts_with(folder) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// Waits until neither a process nor the directory is there.
pub async fn await_nothing_left(folder: &Path) {
    let began = Instant::now();
    while !processes(folder).is_empty() || folder.exists() {
        let left = processes(folder);
        assert!(began.elapsed() < PATIENCE, "left: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
