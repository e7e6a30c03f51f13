//! Write-ahead logs that the disk changed. What was committed before the damage is delivered; what comes behind it is
//! lost as SQLite sees it, a copy is kept, and the queue starts.

use std::fs;

use super::damage::{names, sized};
use super::*;

const COMMITS: usize = 6;
const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

/// The file and the log of a queue with messages in its log, one commit each; and the file once they are in it.
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

/// How many commits end with one of the frames.
fn commits(frames: &[u8]) -> usize {
    let is_commit = |frame: &&[u8]| frame[4..8] != [0; 4];
    frames.chunks_exact(FRAME).filter(is_commit).count()
}

#[tokio::test]
async fn flipped_bit_in_the_log_takes_nothing_with_it_that_was_committed_before() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    assert_eq!(commits(&log[HEADER..]), COMMITS);
    let mut kept = 0;
    for step in 0..120 {
        let at = HEADER + step * (log.len() - HEADER) / 120;
        let start = HEADER + (at - HEADER) / FRAME * FRAME;
        let mut bytes = log.clone();
        bytes[at] ^= 1 << (step % 8);
        bench.replace(&file, Some(&bytes));
        let before = commits(&log[HEADER..start]);
        assert_eq!(bench.drain().await, Some((before, 0)), "byte {at}");
        // Damage in the last commit looks like a power cut, and a commit whose last frame is damaged like none.
        if COMMITS - before > 2 {
            assert!(bench.has_put_aside(), "byte {at}: nothing said");
            assert_eq!(kept_log(&bench), bytes);
            kept += 1;
        } else if COMMITS - before == 1 {
            assert!(
                !bench.has_put_aside(),
                "byte {at}: a power cut is no damage"
            );
        }
    }
    assert!(kept > 40, "{kept}");
    bench.replace(&file, Some(&log));
    assert_eq!(bench.drain().await, Some((COMMITS, 0)));
    assert!(!bench.has_put_aside(), "a whole log is left as it is");
}

#[tokio::test]
async fn frame_without_its_pages_number_takes_nothing_with_it_that_was_committed_before() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    for start in (HEADER..log.len()).step_by(FRAME) {
        let mut bytes = log.clone();
        bytes[start..start + 4].fill(0);
        bench.replace(&file, Some(&bytes));
        let before = commits(&log[HEADER..start]);
        assert_eq!(bench.drain().await, Some((before, 0)), "byte {start}");
        assert_eq!(bench.has_put_aside(), COMMITS - before > 1, "byte {start}");
    }
}

#[tokio::test]
async fn log_that_was_cut_off_keeps_what_was_committed_before() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    for part in 0..30 {
        let length = log.len() * part / 30;
        bench.replace(&file, Some(&log[..length]));
        let before = commits(&log[HEADER.min(length)..length]);
        assert_eq!(bench.drain().await, Some((before, 0)), "{length} bytes");
    }
}

#[tokio::test]
async fn damaged_beginning_of_the_log_is_said_and_the_log_is_kept() {
    for commits in [1, COMMITS] {
        let bench = Bench::new();
        let (file, log, _) = logged(&bench, commits).await;
        let flipped = (0..HEADER).map(|at| {
            let mut bytes = log.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let lengths = [HEADER, 512, 4096, log.len()];
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
async fn header_that_was_cut_off_over_a_log_that_is_in_the_file_changes_nothing() {
    let bench = Bench::new();
    let (_, log, later) = logged(&bench, COMMITS).await;
    let mut bytes = log.clone();
    bytes[16..HEADER].fill(0);
    bench.replace(&later, Some(&bytes));
    assert_eq!(bench.drain().await, Some((COMMITS, 0)));
}

/// What a power cut leaves in a log that was begun anew: the new header, and frames of the one before.
#[tokio::test]
async fn frames_of_an_earlier_log_are_no_damage() {
    let bench = Bench::new();
    let (_, log, later) = logged(&bench, COMMITS).await;
    let (_, next, _) = logged(&bench, 1).await;
    assert_ne!(log[16..24], next[16..24], "the salts are new");
    for length in [HEADER, HEADER + FRAME] {
        let mut bytes = log.clone();
        bytes[..length].copy_from_slice(&next[..length]);
        bench.replace(&later, Some(&bytes));
        assert_eq!(bench.drain().await, Some((COMMITS, 0)));
        assert!(!bench.has_put_aside(), "{length}");
    }
}

#[tokio::test]
async fn log_of_a_file_that_is_opened_in_vain_is_kept_once() {
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

/// The copy of the log that was put aside.
fn kept_log(bench: &Bench) -> Vec<u8> {
    let names = names(bench.directory.path());
    let kept = names
        .iter()
        .find(|name| name.contains(".damaged-") && name.ends_with("-wal"));
    let kept = kept.unwrap_or_else(|| panic!("it is kept: {names:?}"));
    fs::read(bench.directory.path().join(kept)).unwrap()
}
