//! Finds spools that nobody has any more, forwards what lies in them and removes them.

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

/// Most spools that are taken at one time: each has two threads and an open file. Others wait their turn.
const ADOPTED_MAX: usize = 4;
/// Most entries of the folder of all spools that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// How often spools that became free are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A spool that cannot be read for so long, with nothing forwarded meanwhile, is left as it is. A disk that comes back,
/// or a damaged file that is saved, takes less.
const UNREADABLE_MAX: Duration = Duration::from_secs(120);
/// Pause between two tries to read it.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A folder that has no file for so long is nobody's who is just starting.
const MADE_WITHIN: Duration = Duration::from_secs(30);

/// What was seen in the folder of all spools.
#[derive(Default)]
struct SeenFolders {
    /// Said to be foreign or damaged, and left as they are until the next start.
    named: HashSet<PathBuf>,
    /// Folders without a file, since when: being made, or left by a relay that died while it made or removed them.
    bare: HashMap<PathBuf, Instant>,
}

/// Takes over and forwards until a stop is asked for.
pub(super) async fn run(core: Arc<Core>, own: Uuid) {
    let mut seen = SeenFolders::default();
    let mut working: JoinSet<(PathBuf, bool)> = JoinSet::new();
    let mut taken: HashSet<PathBuf> = HashSet::new();
    loop {
        for path in look(&core.root, own, &mut seen).await {
            if working.len() >= ADOPTED_MAX || core.stop.is_cancelled() {
                break;
            }
            if taken.contains(&path) {
                continue;
            }
            match take(&core, &path).await {
                Ok(Some(folder)) => {
                    taken.insert(path);
                    working.spawn(Arc::clone(&core).work_off(folder));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "a spool that was found is left as it is");
                    seen.named.insert(path);
                }
            }
        }
        tokio::select! {
            () = core.stop.cancelled() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            Some(ended) = working.join_next() => {
                // One that panicked has said so and is never taken again.
                if let Ok((path, is_left)) = ended {
                    taken.remove(&path);
                    if is_left {
                        seen.named.insert(path);
                    }
                }
            }
        }
    }
    // One that panicked has said so.
    while working.join_next().await.is_some() {}
}

impl Core {
    /// Tells the folder, and whether it is to be left as it is: damaged, or empty and not to be removed. Looked at
    /// again it would be found at once, without end.
    async fn work_off(self: Arc<Self>, folder: Folder) -> (PathBuf, bool) {
        self.adopted().push(Arc::clone(&folder.queue));
        let path = folder.path.display();
        let mut forwarded = 0;
        let ended = self.forward_found(&folder, &mut forwarded).await;
        self.adopted()
            .retain(|queue| !Arc::ptr_eq(queue, &folder.queue));
        match &ended {
            ForwardEnd::Empty if forwarded > 0 => {
                tracing::info!(%path, forwarded, "the broker has everything that was in a spool left by another relay");
            }
            ForwardEnd::Unreadable(why) => {
                tracing::error!(%path, forwarded, why, "a spool that was found is left as it is");
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
    /// Forwards a spool that was found until it is empty. One that cannot be read is opened again by its queue, so it
    /// is tried for a while.
    async fn forward_found(&self, folder: &Folder, forwarded: &mut u64) -> ForwardEnd {
        let mut unreadable: Option<(Instant, u64)> = None;
        loop {
            let ended = self.forward(folder, Some(&mut *forwarded)).await;
            let ForwardEnd::Unreadable(why) = &ended else {
                return ended;
            };
            let since = match unreadable {
                Some((since, before)) if before == *forwarded => since,
                _ => {
                    tracing::warn!(path = %folder.path.display(), why, "a spool that was found cannot be read now: it is tried again");
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

async fn take(core: &Core, path: &Path) -> Result<Option<Folder>, QueueOpenError> {
    let (path, clock) = (path.to_owned(), Arc::clone(&core.clock));
    let taking = tokio::task::spawn_blocking(move || Folder::take(&path, &clock));
    // A panic in there has already said so.
    taking.await.unwrap_or(Ok(None))
}

/// Spools that may be free. What is no spool is named once.
async fn look(root: &Path, own: Uuid, seen: &mut SeenFolders) -> Vec<PathBuf> {
    let (root, mut present) = (root.to_owned(), std::mem::take(seen));
    let looking = tokio::task::spawn_blocking(move || {
        let found = look_now(&root, own, &mut present);
        (found, present)
    });
    let (found, present) = looking.await.unwrap_or_default();
    *seen = present;
    found
}

fn look_now(root: &Path, own: Uuid, seen: &mut SeenFolders) -> Vec<PathBuf> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound && seen.named.insert(root.to_owned()) {
                tracing::error!(path = %root.display(), %error, "other spools cannot be looked for");
            }
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    let mut bare = HashMap::new();
    for entry in entries.take(ENTRIES_MAX).flatten() {
        let path = entry.path();
        if seen.named.contains(&path) {
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
                if since.elapsed() < MADE_WITHIN {
                    bare.insert(path, since);
                } else if let Err(error) = folder::remove(&path) {
                    tracing::warn!(path = %path.display(), %error, "a folder without a spool is left as it is");
                    seen.named.insert(path);
                }
            }
            _ => {
                tracing::warn!(path = %path.display(), "no spool of a relay: it is left as it is");
                seen.named.insert(path);
            }
        }
    }
    seen.bare = bare;
    found
}
