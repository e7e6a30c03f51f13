//! Files that are no queue, or no longer one. Whatever is wrong with them, it is said and nothing panics.

use meetrelay::ports::QueueName::Events;
use meetrelay::ports::{Queue, QueueError};
use rusqlite::Connection;

use super::super::bench::{Bench, receive, to};
use super::{FileBench, of_length};

async fn fill(bench: &FileBench, count: usize) {
    let queue = bench.open().await;
    let batch = (0..count).map(|number| of_length(number, 3000)).collect();
    queue.publish_all(batch).await.unwrap();
    queue.close().await;
}

#[tokio::test]
async fn garbage_is_refused() {
    let bench = FileBench::new();
    let garbage: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    std::fs::write(bench.path(), &garbage).unwrap();
    let refusal = bench.refusal();
    assert!(
        refusal.contains("queue.db cannot be used as the queue"),
        "{refusal}"
    );
    assert!(refusal.contains("not a database"), "{refusal}");
    assert_eq!(
        std::fs::read(bench.path()).unwrap(),
        garbage,
        "it was left as it was"
    );
}

#[tokio::test]
async fn database_of_another_program_is_refused() {
    let bench = FileBench::new();
    let other = Connection::open(bench.path()).unwrap();
    other.execute_batch("CREATE TABLE theirs(a)").unwrap();
    drop(other);
    assert!(bench.refusal().contains("another program's database"));
}

#[tokio::test]
async fn file_of_a_newer_release_is_refused() {
    let bench = FileBench::new();
    fill(&bench, 1).await;
    let file = Connection::open(bench.path()).unwrap();
    file.pragma_update(None, "user_version", 3).unwrap();
    drop(file);
    let refusal = bench.refusal();
    assert!(
        refusal.contains("version 3 of a newer relay, this one knows 2"),
        "{refusal}"
    );
}

#[tokio::test]
async fn torn_file_gives_errors() {
    let bench = FileBench::new();
    fill(&bench, 100).await;
    let whole = std::fs::read(bench.path()).unwrap();
    for part in 1..16 {
        std::fs::write(bench.path(), &whole[..whole.len() * part / 16]).unwrap();
        assert_errors_alone(&bench).await;
    }
}

#[tokio::test]
async fn overwritten_pages_give_errors() {
    let bench = FileBench::new();
    fill(&bench, 100).await;
    let whole = std::fs::read(bench.path()).unwrap();
    let pages = whole.len() / 4096;
    for page in 1..pages {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        std::fs::write(bench.path(), &bytes).unwrap();
        assert_errors_alone(&bench).await;
    }
}

/// The queue works as far as it can, or says that the file is damaged.
async fn assert_errors_alone(bench: &FileBench) {
    let queue = match bench.try_open() {
        Ok(queue) => queue,
        Err(error) => {
            assert!(
                error.to_string().contains("queue.db cannot be used"),
                "{error}"
            );
            return;
        }
    };
    let waiting = std::time::Duration::from_millis(50);
    match tokio::time::timeout(waiting, queue.receive(Events, 1000)).await {
        Ok(Err(QueueError::Unavailable(why))) => assert!(why.contains("queue.db: "), "{why}"),
        Ok(Err(QueueError::Closed)) => panic!("its thread ended"),
        Ok(Ok(_)) | Err(_) => {}
    }
    drop(queue.publish(to(Events, "more")).await);
    queue.close().await;
}

/// What a power cut leaves: the last commit half in the log.
#[tokio::test]
async fn torn_end_of_the_log_takes_nothing_earlier_with_it() {
    let bench = FileBench::new();
    let queue = bench.open().await;
    for number in 0..5 {
        queue.publish(to(Events, number)).await.unwrap();
    }
    let log = std::fs::read(bench.path().with_extension("db-wal")).unwrap();
    let file = std::fs::read(bench.path()).unwrap();
    queue.close().await;
    for torn in 1..40 {
        let bench = FileBench::new();
        std::fs::write(bench.path(), &file).unwrap();
        let length = log.len() - torn * 100;
        std::fs::write(bench.path().with_extension("db-wal"), &log[..length]).unwrap();
        let queue = bench.open().await;
        let received = receive(&*queue, Events, 10).await;
        assert!(
            received.len() == 4 || received.len() == 5,
            "{torn}: {}",
            received.len()
        );
        let mut zeroed = log.clone();
        zeroed[length..].fill(0);
        queue.close().await;
        std::fs::write(bench.path(), &file).unwrap();
        std::fs::write(bench.path().with_extension("db-wal"), &zeroed).unwrap();
        let queue = bench.open().await;
        assert!(receive(&*queue, Events, 10).await.len() >= 4);
    }
}
