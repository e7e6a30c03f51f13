//! Write-ahead logs that the disk changed. Messages that were committed before the damage are delivered. Later ones are
//! lost, as SQLite reads the log; a copy of the log is kept, and the queue starts.

use std::fs;

use super::damage::{names, sized};
use super::*;

const COMMITS: usize = 6;
const HEADER_BYTES: usize = 32;
const FRAME_BYTES: usize = 24 + 4096;

/// Returns the file and the log of a queue whose messages are in the log, one commit each, and the file after the log
/// was moved into it.
async fn logged(bench: &Bench, commits: usize) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let queue = bench.open();
    for number in 0..commits {
        queue.publish(sized(number)).await.unwrap();
    }
    let file = fs::read(bench.path()).unwrap();
    let log = fs::read(bench.path().with_extension("db-wal")).unwrap();
    queue.close().await;
    // Opening moves the log into the file if closing did not.
    bench.open().close().await;
    (file, log, fs::read(bench.path()).unwrap())
}

/// How many of the frames end a commit.
fn commits(frames: &[u8]) -> usize {
    let is_commit = |frame: &&[u8]| frame[4..8] != [0; 4];
    frames.chunks_exact(FRAME_BYTES).filter(is_commit).count()
}

#[tokio::test]
async fn flipped_bit_in_the_log_loses_no_earlier_commit() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    assert_eq!(commits(&log[HEADER_BYTES..]), COMMITS);
    let mut kept = 0;
    for step in 0..120 {
        let at = HEADER_BYTES + step * (log.len() - HEADER_BYTES) / 120;
        let start = HEADER_BYTES + (at - HEADER_BYTES) / FRAME_BYTES * FRAME_BYTES;
        let mut bytes = log.clone();
        bytes[at] ^= 1 << (step % 8);
        bench.replace(&file, Some(&bytes));
        let before = commits(&log[HEADER_BYTES..start]);
        assert_eq!(bench.drain().await, Some((before, 0)), "byte {at}");
        // Damage in the last commit looks like a power cut. A commit whose last frame is damaged is not counted as a
        // commit.
        if COMMITS - before > 2 {
            assert!(bench.has_quarantined(), "byte {at}: not reported");
            assert_eq!(kept_log(&bench), bytes);
            kept += 1;
        } else if COMMITS - before == 1 {
            assert!(
                !bench.has_quarantined(),
                "byte {at}: a power cut is not reported as damage"
            );
        }
    }
    assert!(kept > 40, "{kept}");
    bench.replace(&file, Some(&log));
    assert_eq!(bench.drain().await, Some((COMMITS, 0)));
    assert!(!bench.has_quarantined(), "an intact log is not changed");
}

#[tokio::test]
async fn frame_without_a_page_number_loses_no_earlier_commit() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    for start in (HEADER_BYTES..log.len()).step_by(FRAME_BYTES) {
        let mut bytes = log.clone();
        bytes[start..start + 4].fill(0);
        bench.replace(&file, Some(&bytes));
        let before = commits(&log[HEADER_BYTES..start]);
        assert_eq!(bench.drain().await, Some((before, 0)), "byte {start}");
        assert_eq!(
            bench.has_quarantined(),
            COMMITS - before > 1,
            "byte {start}"
        );
    }
}

#[tokio::test]
async fn truncated_log_loses_no_complete_commit() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    for part in 0..30 {
        let length = log.len() * part / 30;
        bench.replace(&file, Some(&log[..length]));
        let before = commits(&log[HEADER_BYTES.min(length)..length]);
        assert_eq!(bench.drain().await, Some((before, 0)), "{length} bytes");
    }
}

#[tokio::test]
async fn damaged_header_of_the_log_is_reported_and_the_log_is_kept() {
    for commits in [1, COMMITS] {
        let bench = Bench::new();
        let (file, log, _) = logged(&bench, commits).await;
        let flipped = (0..HEADER_BYTES).map(|at| {
            let mut bytes = log.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let lengths = [HEADER_BYTES, 512, 4096, log.len()];
        let overwritten = lengths.into_iter().flat_map(|length| {
            [0, 0xa5].map(|byte| {
                let mut bytes = log.clone();
                bytes[..length].fill(byte);
                bytes
            })
        });
        for (number, bytes) in flipped.chain(overwritten).enumerate() {
            bench.replace(&file, Some(&bytes));
            assert_eq!(bench.drain().await, Some((0, 0)), "{number} of {commits}");
            assert_eq!(kept_log(&bench), bytes, "{number} of {commits}");
        }
    }
}

#[tokio::test]
async fn truncated_header_of_a_log_that_is_in_the_file_changes_nothing() {
    let bench = Bench::new();
    let (_, log, later) = logged(&bench, COMMITS).await;
    let mut bytes = log.clone();
    bytes[16..HEADER_BYTES].fill(0);
    bench.replace(&later, Some(&bytes));
    assert_eq!(bench.drain().await, Some((COMMITS, 0)));
}

/// After a power cut, a log that was started again may hold the new header and frames of the earlier log.
#[tokio::test]
async fn frames_of_an_earlier_log_are_not_reported_as_damage() {
    let bench = Bench::new();
    let (_, log, later) = logged(&bench, COMMITS).await;
    let (_, next, _) = logged(&bench, 1).await;
    assert_ne!(log[16..24], next[16..24], "the salts are new");
    for length in [HEADER_BYTES, HEADER_BYTES + FRAME_BYTES] {
        let mut bytes = log.clone();
        bytes[..length].copy_from_slice(&next[..length]);
        bench.replace(&later, Some(&bytes));
        assert_eq!(bench.drain().await, Some((COMMITS, 0)));
        assert!(!bench.has_quarantined(), "{length}");
    }
}

#[tokio::test]
async fn log_is_kept_once_if_opening_the_file_fails_repeatedly() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    bench.replace(&file, Some(&log));
    for _ in 0..3 {
        super::log::keep_lost(&bench.path(), 0, 4096).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let names = names(bench.directory.path());
    let kept = names.iter().filter(|name| name.contains(".damaged-"));
    assert_eq!(kept.count(), 1, "{names:?}");
}

/// The copy of the log that was kept.
fn kept_log(bench: &Bench) -> Vec<u8> {
    let names = names(bench.directory.path());
    let kept = names
        .iter()
        .find(|name| name.contains(".damaged-") && name.ends_with("-wal"));
    let kept = kept.unwrap_or_else(|| panic!("no copy is kept: {names:?}"));
    fs::read(bench.directory.path().join(kept)).unwrap()
}
