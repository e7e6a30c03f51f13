//! Finds spools that no relay owns any more, forwards their messages and removes them.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::ports::Queue;
use crate::queue::QueueOpenError;

use super::Core;
use super::folder::{self, Folder};
use super::forward::ForwardEnd;

/// Most spools that are adopted at one time, because each has two threads and an open file. Others wait.
const ADOPTED_MAX: usize = 4;
/// Most entries of the directory of all spools that one scan reads.
const ENTRIES_MAX: usize = 10_000;
/// The interval of the scans for spools that became free.
const SCAN_EVERY: Duration = Duration::from_secs(60);
/// A spool that cannot be read for this long, with no message forwarded meanwhile, is not changed any further. A disk
/// that recovers, or a damaged file that is recovered, takes less time.
const UNREADABLE_MAX: Duration = Duration::from_secs(120);
/// Pause between two attempts to read it.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A directory that has no file for this long does not belong to a relay that is starting.
const CREATED_WITHIN: Duration = Duration::from_secs(30);

/// The results of earlier scans of the directory of all spools.
#[derive(Default)]
struct SeenFolders {
    /// Reported as foreign or damaged, and not scanned again until the next start.
    reported: HashSet<PathBuf>,
    /// Directories without a file, and when each was first seen. A relay is creating it, or a relay died while it
    /// created or removed it.
    bare: HashMap<PathBuf, Instant>,
}

/// Adopts and forwards spools until a stop is requested.
pub(super) async fn run(core: Arc<Core>, own: Uuid) {
    let mut seen = SeenFolders::default();
    let mut working: JoinSet<(PathBuf, bool)> = JoinSet::new();
    let mut adopted: HashSet<PathBuf> = HashSet::new();
    loop {
        for path in scan(&core.root, own, &mut seen).await {
            if working.len() >= ADOPTED_MAX || core.stop.is_cancelled() {
                break;
            }
            if adopted.contains(&path) {
                continue;
            }
            match adopt(&core, &path).await {
                Ok(Some(folder)) => {
                    adopted.insert(path);
                    working.spawn(Arc::clone(&core).work_off(folder));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "a spool of another relay cannot be opened and is left unchanged; it is tried again at the next start");
                    seen.reported.insert(path);
                }
            }
        }
        tokio::select! {
            () = core.stop.cancelled() => break,
            () = tokio::time::sleep(SCAN_EVERY) => {}
            Some(ended) = working.join_next() => {
                // A task that panicked was logged, and its spool is never adopted again.
                if let Ok((path, is_left)) = ended {
                    adopted.remove(&path);
                    if is_left {
                        seen.reported.insert(path);
                    }
                }
            }
        }
    }
    // A panic of a task was logged already.
    while working.join_next().await.is_some() {}
}

impl Core {
    /// Forwards an adopted spool. Returns its directory, and whether it must be left unchanged: it is damaged, or it is
    /// empty and cannot be removed. A further scan would find such a spool again and again.
    async fn work_off(self: Arc<Self>, folder: Folder) -> (PathBuf, bool) {
        self.adopted().push(Arc::clone(&folder.queue));
        let path = folder.path.display();
        let mut forwarded = 0;
        let ended = self.forward_adopted(&folder, &mut forwarded).await;
        self.adopted()
            .retain(|queue| !Arc::ptr_eq(queue, &folder.queue));
        match &ended {
            ForwardEnd::Empty if forwarded > 0 => {
                tracing::info!(%path, forwarded, "the broker has everything that was in a spool left by another relay");
            }
            ForwardEnd::Unreadable(why) => {
                tracing::error!(%path, forwarded, why, "a spool of another relay cannot be read and is left unchanged; it is tried again at the next start");
            }
            ForwardEnd::Empty | ForwardEnd::Stopped => {}
        }
        let is_damaged = matches!(ended, ForwardEnd::Unreadable(_));
        if is_damaged {
            folder.queue.close().await;
        } else {
            folder.end().await;
        }
        let is_kept = matches!(ended, ForwardEnd::Empty) && folder::has_file(&folder.path);
        (folder.path, is_damaged || is_kept)
    }
}

impl Core {
    /// Forwards an adopted spool until it is empty. Its queue opens an unreadable file again, so reading is retried for
    /// [`UNREADABLE_MAX`].
    async fn forward_adopted(&self, folder: &Folder, forwarded: &mut u64) -> ForwardEnd {
        let mut unreadable: Option<(Instant, u64)> = None;
        loop {
            let ended = self.forward(folder, Some(&mut *forwarded)).await;
            let ForwardEnd::Unreadable(why) = &ended else {
                return ended;
            };
            let since = match unreadable {
                Some((since, before)) if before == *forwarded => since,
                _ => {
                    tracing::warn!(path = %folder.path.display(), why, "a spool of another relay cannot be read now: retrying every second");
                    Instant::now()
                }
            };
            if since.elapsed() >= UNREADABLE_MAX {
                return ended;
            }
            unreadable = Some((since, *forwarded));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return ForwardEnd::Stopped,
                () = tokio::time::sleep(READ_AGAIN_AFTER) => {}
            }
        }
    }
}

async fn adopt(core: &Core, path: &Path) -> Result<Option<Folder>, QueueOpenError> {
    let (path, clock) = (path.to_owned(), Arc::clone(&core.clock));
    let adopting = tokio::task::spawn_blocking(move || Folder::adopt(&path, &clock));
    // A panic in the closure was logged already.
    adopting.await.unwrap_or(Ok(None))
}

/// Finds spools that may be free. An entry that is not a spool is reported once.
async fn scan(root: &Path, own: Uuid, seen: &mut SeenFolders) -> Vec<PathBuf> {
    let (root, mut present) = (root.to_owned(), std::mem::take(seen));
    let scanning = tokio::task::spawn_blocking(move || {
        let found = scan_now(&root, own, &mut present);
        (found, present)
    });
    let (found, present) = scanning.await.unwrap_or_default();
    *seen = present;
    found
}

fn scan_now(root: &Path, own: Uuid, seen: &mut SeenFolders) -> Vec<PathBuf> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound && seen.reported.insert(root.to_owned()) {
                tracing::error!(path = %root.display(), %error, "spools of other relays cannot be searched for");
            }
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    let mut bare = HashMap::new();
    for entry in entries.take(ENTRIES_MAX).flatten() {
        let path = entry.path();
        if seen.reported.contains(&path) {
            continue;
        }
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| Uuid::parse_str(name).ok());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match id {
            Some(id) if id == own => {}
            Some(_) if is_folder && folder::has_file(&path) => found.push(path),
            Some(_) if is_folder => {
                let since = seen.bare.get(&path).copied().unwrap_or_else(Instant::now);
                if since.elapsed() < CREATED_WITHIN {
                    bare.insert(path, since);
                } else if let Err(error) = folder::remove(&path) {
                    tracing::warn!(path = %path.display(), %error, "a directory without a spool cannot be removed and is left unchanged");
                    seen.reported.insert(path);
                }
            }
            _ => {
                tracing::warn!(path = %path.display(), "not a spool of a relay: left unchanged");
                seen.reported.insert(path);
            }
        }
    }
    seen.bare = bare;
    found
}
