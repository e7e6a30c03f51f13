//! Disks that tests can fill and break: a small file system of its own where the tests may mount one, and a layer
//! between the relay and the C library (disk.c) for errors that no file system gives on demand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::harness::{Setup, World};

/// Room on a small disk, beyond what the relay's files need at their start.
const SIZE: &str = "size=6m";
/// Linux's numbers.
pub(super) const EIO: u32 = 5;
const ENOSPC: u32 = 28;

/// The compiled layer; made once. Whoever can build the relay has a C compiler, because SQLite is built too.
pub(super) fn layer() -> &'static Path {
    static LAYER: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LAYER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("disk.c"), folder.path().join("disk.so"));
        fs::write(&source, include_str!("disk.c")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let status = compiler.arg(&library).arg(&source).arg("-ldl").status();
        assert!(
            status.expect("a C compiler, cc").success(),
            "disk.c compiles"
        );
        (folder, library)
    });
    path
}

/// Errors that can be switched on and off.
pub(super) struct Faults {
    folder: TempDir,
}

impl Faults {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("faults")
    }

    /// The relay's process gets the layer.
    pub(super) fn under(&self, setup: Setup) -> Setup {
        setup
            .variable("LD_PRELOAD", layer().to_str().unwrap())
            .variable("FAULT_DISK", self.control().to_str().unwrap())
    }

    /// From now on `operation` (`sync` or `write`) fails on files whose path contains `part`.
    pub(super) fn begin(&self, operation: &str, errno: u32, part: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{operation} {errno} {part}\n")).unwrap();
        fs::rename(new, self.control()).unwrap();
    }

    pub(super) fn end(&self) {
        fs::remove_file(self.control()).unwrap();
    }
}

/// A disk that can be filled: a tmpfs of a few MB, or, where none may be mounted, the layer that says ENOSPC.
pub(super) struct SmallDisk {
    folder: Option<TempDir>,
    is_mounted: bool,
    faults: Faults,
}

impl SmallDisk {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]);
        let mounted = mount.arg(folder.path()).output();
        Self {
            is_mounted: mounted.is_ok_and(|output| output.status.success()),
            folder: Some(folder),
            faults: Faults::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    pub(super) fn under(&self, setup: Setup) -> Setup {
        match self.is_mounted {
            true => setup,
            false => self.faults.under(setup),
        }
    }

    pub(super) fn fill(&self) {
        if !self.is_mounted {
            let path = self.path().to_str().unwrap();
            self.faults.begin("write", ENOSPC, path);
            return;
        }
        use std::io::Write;
        let mut file = fs::File::create(self.filler()).unwrap();
        for size in [1 << 16, 4096, 512] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    pub(super) fn free(&self) {
        match self.is_mounted {
            true => fs::remove_file(self.filler()).unwrap(),
            false => self.faults.end(),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.is_mounted {
            let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
            drop(unmounted);
        }
        drop(self.folder.take());
    }
}

/// Bytes of the queue's file, its log moved into it, while no relay runs.
pub(super) fn queue_file(world: &World) -> PathBuf {
    assert!(!world.relay.is_running());
    let path = world.data().join("queue.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    let query = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = file.query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
    path
}
