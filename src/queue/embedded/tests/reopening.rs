//! Opening the file again.

use std::sync::mpsc;

use super::*;

#[test]
fn file_that_was_closed_while_it_was_in_trouble_is_closed() {
    let (tell, told) = mpsc::channel();
    // On a thread of its own: what locks itself out would keep the test as well.
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
            drop(queue.shared.refused(&SqliteError::Sqlite(damaged)));
            let outcome = queue.depths().await.map(|depths| depths.total());
            tell.send(outcome).unwrap();
        });
    });
    let outcome = told.recv_timeout(Duration::from_secs(20));
    assert_eq!(outcome.expect("it answers"), Err(QueueError::Closed));
}
