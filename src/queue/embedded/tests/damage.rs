//! Disks that return other bytes than were written.

use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::ports::Settlement::Done;

/// The number of messages in one file.
pub(super) const COUNT: usize = 60;

pub(super) fn sized(number: usize) -> Outgoing {
    let letter = b'a' + (number % 26) as u8;
    Outgoing {
        message: Message {
            id: format!("message-{number}"),
            body: Bytes::from(vec![letter; 700 + number]),
        },
        ..later(number, 0)
    }
}

impl Bench {
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("queue.db")
    }

    /// Returns the bytes of a closed file with [`COUNT`] messages.
    pub(super) async fn filled(&self) -> Vec<u8> {
        let queue = self.open();
        queue
            .publish_all((0..COUNT).map(sized).collect())
            .await
            .unwrap();
        queue.close().await;
        // Closing leaves the log behind if both threads close at the same moment. Opening moves it into the file.
        self.open().close().await;
        fs::read(self.path()).unwrap()
    }

    /// Leaves only this file, with the given log, and no quarantined files.
    pub(super) fn replace(&self, bytes: &[u8], log: Option<&[u8]>) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        fs::write(self.path(), bytes).unwrap();
        if let Some(log) = log {
            fs::write(self.directory.path().join("queue.db-wal"), log).unwrap();
        }
    }

    pub(super) fn has_quarantined(&self) -> bool {
        names(self.directory.path())
            .iter()
            .any(|name| name.contains(".damaged-"))
    }

    /// Opens the file and receives every message. Asserts that each undamaged message is what was published. Returns
    /// how many undamaged and how many damaged messages came, or `None` if the file is refused.
    pub(super) async fn drain(&self) -> Option<(usize, usize)> {
        let settings = EmbeddedSettings {
            path: self.path(),
            bytes_max: 1 << 30,
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let queue = match EmbeddedQueue::open(settings, clock) {
            Ok(queue) => queue,
            Err(error) => {
                assert!(error.to_string().contains("queue.db"), "{error}");
                return None;
            }
        };
        let (mut whole, mut damaged) = (BTreeMap::new(), 0);
        while queue.depths().await.unwrap().total() > 0 {
            let waiting = queue.receive(QueueName::Events, 100);
            let received = tokio::time::timeout(Duration::from_secs(20), waiting).await;
            let received = received
                .expect("every counted message is delivered")
                .unwrap();
            queue
                .settle(
                    received
                        .iter()
                        .map(|delivery| Done(delivery.receipt))
                        .collect(),
                )
                .await
                .unwrap();
            for delivery in received {
                if delivery.damaged {
                    damaged += 1;
                } else {
                    let Message { id, body } = delivery.message;
                    assert!(whole.insert(id, body).is_none(), "a duplicate");
                }
            }
        }
        for (id, body) in &whole {
            let number = id.strip_prefix("message-").unwrap().parse().unwrap();
            assert_eq!(
                *body,
                sized(number).message.body,
                "{id} is not what was published"
            );
        }
        queue.publish(later("more", 0)).await.unwrap();
        queue.close().await;
        Some((whole.len(), damaged))
    }
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn flipped_bit_in_a_body_is_detected_at_delivery_and_affects_no_other_message() {
    let bench = Bench::new();
    let mut bytes = bench.filled().await;
    let body = vec![b'h'; 707];
    let at = bytes
        .windows(707)
        .position(|window| window == body)
        .unwrap();
    bytes[at + 300] ^= 0x04;
    bench.replace(&bytes, None);
    assert_eq!(bench.drain().await, Some((COUNT - 1, 1)));
    assert!(!bench.has_quarantined(), "the file itself is intact");
}

#[tokio::test]
async fn any_flipped_bit_is_detected_or_harmless() {
    let bench = Bench::new();
    let whole = bench.filled().await;
    for step in 0..120 {
        let at = step * whole.len() / 120 + (step * 37) % 97;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (step % 8);
        bench.replace(&bytes, None);
        let Some((came, damaged)) = bench.drain().await else {
            assert!(
                at < 100,
                "byte {at}: only the file's own header may stop the start"
            );
            continue;
        };
        let is_reported = damaged > 0 || bench.has_quarantined();
        assert!(
            came == COUNT || is_reported,
            "byte {at}: {came} came and nothing is reported"
        );
        assert!(
            came + damaged >= COUNT - 8,
            "byte {at}: one page at most: {came}, {damaged}"
        );
    }
}

#[tokio::test]
async fn overwritten_page_loses_only_the_messages_on_it() {
    let bench = Bench::new();
    let whole = bench.filled().await;
    for page in 1..whole.len() / 4096 {
        for filler in [0, 0xa5] {
            let mut bytes = whole.clone();
            bytes[page * 4096..(page + 1) * 4096].fill(filler);
            bench.replace(&bytes, None);
            let (came, damaged) = bench.drain().await.unwrap();
            let is_reported = damaged > 0 || bench.has_quarantined();
            assert!(came == COUNT || is_reported, "page {page}: {came}");
            // The root of the table lists all its pages. Without it only the index shows how many messages there were.
            assert!(
                came + damaged >= COUNT - 8 || came == 0,
                "page {page}: {came}, {damaged}"
            );
        }
    }
}

#[tokio::test]
async fn messages_of_a_truncated_file_are_recovered() {
    let bench = Bench::new();
    let whole = bench.filled().await;
    let mut most = 0;
    for part in 1..16 {
        bench.replace(&whole[..whole.len() * part / 16], None);
        let (came, _) = bench.drain().await.unwrap();
        assert!(bench.has_quarantined(), "it is reported");
        most = most.max(came);
    }
    assert!(most > COUNT / 2, "{most}");
    for tail in 1..4 {
        let mut bytes = whole.clone();
        let from = bytes.len() - tail * 4096;
        bytes[from..].fill(0);
        bench.replace(&bytes, None);
        let (came, damaged) = bench.drain().await.unwrap();
        assert!(
            came == COUNT || damaged > 0 || bench.has_quarantined(),
            "{tail}: {came}"
        );
    }
}

/// A delayed message may be much older than the message after it.
#[tokio::test]
async fn rows_after_a_wide_gap_are_recovered_despite_a_damaged_page() {
    let bench = Bench::new();
    bench.filled().await;
    let file = Connection::open(bench.path()).unwrap();
    let far = "UPDATE messages SET number = number + 1000000000000 WHERE number > 30";
    file.execute_batch(far).unwrap();
    drop(file);
    bench.open().close().await;
    let mut bytes = fs::read(bench.path()).unwrap();
    // The last page of the table before the gap.
    let holds = |page: &&mut [u8]| {
        page[0] == 0x0d && page.windows(14).any(|bytes| bytes == b"message-29dddd")
    };
    let mut pages = bytes.chunks_exact_mut(4096).filter(holds);
    pages
        .next()
        .expect("the message is in the table")
        .fill(0xa5);
    assert!(pages.next().is_none());
    bench.replace(&bytes, None);
    let (came, damaged) = bench.drain().await.unwrap();
    assert!(came >= COUNT - 8 && damaged == 0, "{came}, {damaged}");
    assert!(bench.has_quarantined());
}

#[tokio::test]
async fn power_cut_between_the_steps_of_a_salvage_loses_nothing() {
    let bench = Bench::new();
    let whole = bench.filled().await;
    // The new file is complete, and the old one was moved.
    bench.replace(&whole, None);
    fs::rename(
        bench.path(),
        bench.directory.path().join("queue.db.salvaged"),
    )
    .unwrap();
    fs::write(
        bench.directory.path().join("queue.db-wal"),
        b"of the old one",
    )
    .unwrap();
    assert_eq!(bench.drain().await, Some((COUNT, 0)));
    // The new file is incomplete, and the old one is in place.
    bench.replace(&whole, None);
    fs::write(
        bench.directory.path().join("queue.db.salvaged"),
        &whole[..5000],
    )
    .unwrap();
    assert_eq!(bench.drain().await, Some((COUNT, 0)));
    let names = names(bench.directory.path());
    assert!(
        !names.iter().any(|name| name.ends_with(".salvaged")),
        "it could replace a later file: {names:?}"
    );
}

#[tokio::test]
async fn file_of_version_1_is_accepted() {
    let bench = Bench::new();
    let file = Connection::open(bench.path()).unwrap();
    file.execute_batch(&format!(
        "{} PRAGMA application_id = {}; PRAGMA user_version = 1;
         INSERT INTO messages VALUES (7, 'events', 0, 1, 'old', x'6f6c64');",
        rows::SCHEMA,
        rows::APPLICATION_ID
    ))
    .unwrap();
    drop(file);
    let queue = bench.open();
    queue.publish(later("new", 0)).await.unwrap();
    let received = receive(&queue, 10).await;
    assert_eq!(ids(&received), ["old", "new"]);
    assert!(received.iter().all(|delivery| !delivery.damaged));
    drop(queue);
    assert_eq!(ids(&receive(&bench.open(), 10).await), ["old", "new"]);
}

#[tokio::test]
async fn log_of_a_missing_file_is_kept() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("a", 0)).await.unwrap();
    let log = fs::read(bench.directory.path().join("queue.db-wal")).unwrap();
    queue.close().await;
    fs::write(bench.path(), b"").unwrap();
    fs::write(bench.directory.path().join("queue.db-wal"), log).unwrap();
    let queue = bench.open();
    assert!(receive(&queue, 1).await.is_empty());
    let kept = names(bench.directory.path());
    assert!(
        kept.iter()
            .any(|name| name.contains(".damaged-") && name.ends_with("-wal")),
        "{kept:?}"
    );
}

/// The upper half of the pages is overwritten while the queue is open.
#[tokio::test]
async fn damage_found_at_run_time_suspends_the_queue_until_the_file_is_recovered() {
    let bench = Bench::new();
    bench.filled().await;
    let queue = bench.open();
    let pages = fs::metadata(bench.path()).unwrap().len() / 4096;
    let held = receive(&queue, 2).await;
    let file = fs::File::options().write(true).open(bench.path()).unwrap();
    for page in pages / 2..pages {
        std::os::unix::fs::FileExt::write_at(&file, &[0xa5; 4096], page * 4096).unwrap();
    }
    let (mut last, mut refusals) = (Vec::new(), 0);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !bench.has_quarantined() && std::time::Instant::now() < until {
        match queue.receive(QueueName::Events, 5).await {
            Ok(received) => last = received,
            Err(QueueError::Unavailable(why)) => {
                assert!(why.contains("queue.db"), "{why}");
                refusals += 1;
            }
            Err(QueueError::Closed) => panic!("the queue is not closed"),
        }
    }
    assert!(
        bench.has_quarantined() && refusals > 0,
        "{refusals} refusals"
    );
    // These deliveries were made before the file was opened again. Their messages are visible again, so the settlement
    // is ignored.
    queue
        .settle(held.iter().map(|delivery| Done(delivery.receipt)).collect())
        .await
        .unwrap();
    queue.publish(later("after", 0)).await.unwrap();
    assert!(queue.has_room().await);
    let left = queue.depths().await.unwrap().total();
    assert!(left > COUNT as u64 / 4, "{left}");
    last.extend(receive(&queue, 100).await);
    let last = ids(&last);
    assert!(
        last.contains(&"message-0") && last.contains(&"after"),
        "{last:?}"
    );
}
