//! Opening the file again.

use std::sync::mpsc;

use super::*;

#[test]
fn file_that_was_closed_while_suspended_stays_closed() {
    let (sender, receiver) = mpsc::channel();
    // It runs on a thread of its own, because a deadlock would block the test as well.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let queue = bench.open();
            queue.close().await;
            let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            let damaged = rusqlite::Error::SqliteFailure(damaged, None);
            drop(queue.shared.publish_error(&SqliteError::Sqlite(damaged)));
            let outcome = queue.depths().await.map(|depths| depths.total());
            sender.send(outcome).unwrap();
        });
    });
    let outcome = receiver.recv_timeout(Duration::from_secs(20));
    assert_eq!(outcome.expect("the queue answers"), Err(QueueError::Closed));
}
