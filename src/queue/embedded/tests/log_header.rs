//! Logs whose beginning the disk changed. SQLite ignores such a log as a whole.

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
    let log = fs::read(bench.directory.path().join("queue.db-wal")).unwrap();
    queue.close().await;
    // Opening moves the log into the file if closing did not.
    bench.open().close().await;
    (file, log, fs::read(bench.path()).unwrap())
}

#[tokio::test]
async fn flipped_bit_in_the_logs_header_takes_no_message_with_it() {
    for commits in [1, COMMITS] {
        let bench = Bench::new();
        let (file, log, _) = logged(&bench, commits).await;
        for at in 0..HEADER {
            let mut bytes = log.clone();
            bytes[at] ^= 1 << (at % 8);
            bench.replace(&file, Some(&bytes));
            assert_eq!(
                bench.drain().await,
                Some((commits, 0)),
                "byte {at} of {commits}"
            );
            assert!(bench.has_put_aside(), "byte {at}: nothing said");
        }
    }
}

#[tokio::test]
async fn destroyed_beginning_of_the_log_takes_no_later_message_with_it() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    for (length, byte) in [(HEADER, 0), (512, 0), (512, 0xa5), (4096, 0), (4096, 0xa5)] {
        let mut bytes = log.clone();
        bytes[..length].fill(byte);
        bench.replace(&file, Some(&bytes));
        let (came, damaged) = bench.drain().await.unwrap();
        assert!(
            came + damaged >= COMMITS - 1,
            "{length} bytes {byte}: {came}, {damaged}"
        );
        assert!(bench.has_put_aside(), "{length} bytes {byte}: nothing said");
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

#[tokio::test]
async fn log_of_which_nothing_can_be_read_is_kept() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    let bytes = vec![0xa5; log.len()];
    bench.replace(&file, Some(&bytes));
    assert_eq!(bench.drain().await, Some((0, 0)));
    let names = names(bench.directory.path());
    let kept = names.iter().find(|name| name.contains(".damaged-"));
    let kept = kept.expect("it is kept");
    assert!(kept.ends_with("-wal"), "{kept}");
    assert_eq!(fs::read(bench.directory.path().join(kept)).unwrap(), bytes);
}

#[tokio::test]
async fn frame_without_its_pages_number_does_not_end_the_log() {
    let bench = Bench::new();
    let (file, log, _) = logged(&bench, COMMITS).await;
    let frames = (log.len() - HEADER) / FRAME;
    // All but the last two commits of at most three pages: damage there is what a power cut leaves.
    for frame in 0..frames - 6 {
        let mut bytes = log.clone();
        let at = HEADER + frame * FRAME;
        bytes[at..at + 4].fill(0);
        bench.replace(&file, Some(&bytes));
        let (came, damaged) = bench.drain().await.unwrap();
        assert!(
            came + damaged >= COMMITS - 1,
            "frame {frame} of {frames}: {came}, {damaged}"
        );
    }
}

#[tokio::test]
async fn file_whose_log_was_damaged_is_looked_through_however_large_it_is() {
    let bench = Bench::new();
    let queue = bench.open();
    let large = |number: usize| Outgoing {
        message: Message {
            id: format!("large-{number}"),
            body: Bytes::from(vec![b'x'; 100_000]),
        },
        ..later(number, 0)
    };
    queue
        .publish_all((0..20).map(large).collect())
        .await
        .unwrap();
    queue.close().await;
    // Counting does not meet it: the index does not name this message.
    change_without_index(
        &bench.path(),
        "INSERT INTO messages VALUES (21, 'events', 0, 1, 'unseen', x'00', NULL)",
    );
    let (file, mut log, _) = logged(&bench, COMMITS).await;
    let is_salvaged = || {
        let names = names(bench.directory.path());
        names
            .iter()
            .any(|name| name.contains(".damaged-") && !name.ends_with("-wal"))
    };
    bench.replace(&file, Some(&log));
    bench.open().close().await;
    assert!(!is_salvaged(), "it is too large to be looked through");
    // A sum alone: what it is over is right.
    log[HEADER + FRAME + 16] ^= 1;
    bench.replace(&file, Some(&log));
    bench.open().close().await;
    assert!(is_salvaged());
}
