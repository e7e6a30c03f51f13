//! Power cuts (Q18). Everything that a relay's queue writes, cuts and syncs is kept in a journal, with what it
//! acknowledges in between (disk.c). Then the disk is made as it would be after a cut at each of many moments: what was
//! synced is there, what was not is there, is not, or is there in part. Each such disk is opened: whatever had been
//! acknowledged by then is in it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use meetrelay::clock::SystemClock;
use meetrelay::ports::{Queue, QueueName};
use meetrelay::queue::{EmbeddedQueue, EmbeddedSettings};

use super::disk::layer;

/// Lines of the owner that the journal must have before it is killed: enough for the log to be moved into the file.
const LINES: usize = 400;
/// Moments that are tried.
const CUTS: usize = 40;

/// One entry of the journal.
enum Entry {
    Write(usize, u64, Vec<u8>),
    Cut(usize, u64),
    Sync(usize),
    /// To standard output.
    Said(Vec<u8>),
}

fn read(journal: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut rest = journal;
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    while rest.len() >= 18 {
        let (operation, place) = (rest[0], usize::from(rest[1]));
        let (offset, length) = (number(&rest[2..10]), number(&rest[10..18]) as usize);
        if rest.len() < 18 + length {
            break;
        }
        let bytes = rest[18..18 + length].to_vec();
        rest = &rest[18 + length..];
        entries.push(match (operation, place) {
            (1, 2) => Entry::Said(bytes),
            (1, _) => Entry::Write(place, offset, bytes),
            (2, _) => Entry::Cut(place, offset),
            (3, _) => Entry::Sync(place),
            _ => panic!("no entry: {operation}"),
        });
    }
    entries
}

/// File and log: what is on the disk for certain, and what is on its way.
#[derive(Default)]
struct Disk {
    synced: [Vec<u8>; 2],
    /// Writes (with their offset) and cuts since.
    open: [Vec<(u64, Option<Vec<u8>>)>; 2],
}

fn apply(file: &mut Vec<u8>, offset: u64, bytes: Option<&[u8]>) {
    let offset = offset as usize;
    match bytes {
        None => file.resize(offset, 0),
        Some(bytes) => {
            if file.len() < offset + bytes.len() {
                file.resize(offset + bytes.len(), 0);
            }
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }
}

impl Disk {
    fn sync(&mut self, place: usize) {
        for (offset, bytes) in std::mem::take(&mut self.open[place]) {
            apply(&mut self.synced[place], offset, bytes.as_deref());
        }
    }

    /// What a cut leaves, chosen by `seed`: 0 nothing of what was not synced, 1 all of it, else some of it, torn at
    /// whole sectors.
    fn after_a_cut(&self, seed: u64) -> [Vec<u8>; 2] {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        [0, 1].map(|place| {
            let mut file = self.synced[place].clone();
            for (offset, bytes) in &self.open[place] {
                let kept = match (seed, bytes) {
                    (0, _) => continue,
                    (1, bytes) => bytes.as_deref(),
                    (_, None) if draw() % 2 == 0 => continue,
                    (_, None) => None,
                    (_, Some(bytes)) => {
                        let sectors = bytes.len().div_ceil(512) as u64 + 1;
                        let length = (draw() % sectors) as usize * 512;
                        Some(&bytes[..length.min(bytes.len())])
                    }
                };
                apply(&mut file, *offset, kept);
            }
            file
        })
    }
}

/// Ids that were stored and not moved, and those that were moved, by what was said.
#[derive(Default, Clone)]
struct Acknowledged {
    stored: BTreeSet<String>,
    moved: BTreeSet<String>,
}

impl Acknowledged {
    fn hear(&mut self, said: &[u8]) {
        let said = String::from_utf8_lossy(said);
        for line in said.lines() {
            match line.split_once(' ') {
                Some(("stored", id)) => drop(self.stored.insert(id.to_owned())),
                Some(("moved", id)) => drop(self.moved.insert(id.to_owned())),
                _ => {}
            }
        }
    }
}

/// Every id in the queue, by where.
async fn found(files: [Vec<u8>; 2]) -> [BTreeSet<String>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    fs::write(&path, &files[0]).unwrap();
    fs::write(folder.path().join("queue.db-wal"), &files[1]).unwrap();
    let bytes_max = 1 << 30;
    let settings = EmbeddedSettings { path, bytes_max };
    let queue = EmbeddedQueue::open(settings, Arc::new(SystemClock)).unwrap();
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for (at, name) in [QueueName::Events, QueueName::Chat].into_iter().enumerate() {
        let depths = queue.depths().await.unwrap().queues;
        let mut left = depths
            .iter()
            .find(|(queue, _)| *queue == name)
            .unwrap()
            .1
            .ready;
        while left > 0 {
            let received = queue.receive(name, 1000).await.unwrap();
            left -= received.len() as u64;
            for delivery in received {
                assert!(!delivery.damaged, "a cut damages nothing");
                found[at].insert(delivery.message.id);
            }
        }
    }
    queue.close().await;
    let kept = fs::read_dir(folder.path()).unwrap();
    let mut names = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        !names.any(|name| name.contains("damaged")),
        "a cut is no damage"
    );
    found
}

/// Of what one process did, some hundred commits and at least one move of the log into the file.
#[tokio::test]
async fn q18_after_a_power_cut_at_any_moment_every_acknowledged_message_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, path) = (
        folder.path().join("journal"),
        folder.path().join("queue.db"),
    );
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["queue_conformance::embedded::killed::owner", "--exact"])
        .args(["--ignored", "--nocapture"])
        .env("MEETRELAY_TEST_QUEUE", &path)
        .env("LD_PRELOAD", layer())
        .env("FAULT_JOURNAL", &journal)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    for _ in 0..LINES {
        lines.next().unwrap().unwrap();
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    let entries = read(&fs::read(&journal).unwrap());
    let syncs = entries
        .iter()
        .filter(|it| matches!(it, Entry::Sync(_)))
        .count();
    assert!(syncs > 50 && entries.len() > CUTS, "{syncs}");
    let mut disk = Disk::default();
    let mut acknowledged = Acknowledged::default();
    let mut is_made = false;
    for (number, entry) in entries.iter().enumerate() {
        let is_cut_here = is_made && number % (entries.len() / CUTS) == 0;
        if is_cut_here {
            for seed in [0, 1, number as u64 + 2] {
                let [events, chat] = found(disk.after_a_cut(seed)).await;
                let Acknowledged { stored, moved } = &acknowledged;
                for id in stored {
                    let is_there = events.contains(id) || chat.contains(id);
                    assert!(
                        is_there,
                        "{id} is lost by a cut before entry {number}, seed {seed}"
                    );
                }
                for id in moved {
                    assert!(
                        chat.contains(id) && !events.contains(id),
                        "{id}: a move is whole"
                    );
                }
            }
        }
        match entry {
            Entry::Write(place, offset, bytes) => {
                disk.open[*place].push((*offset, Some(bytes.clone())));
            }
            Entry::Cut(place, length) => disk.open[*place].push((*length, None)),
            Entry::Sync(place) => {
                disk.sync(*place);
                is_made = true;
            }
            Entry::Said(said) => acknowledged.hear(said),
        }
    }
    assert!(acknowledged.stored.len() > 50 && acknowledged.moved.len() > 20);
}
