#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::sync::mpsc as blocking;

use futures_util::future::join_all;

use super::*;

fn migrate(connection: &mut Connection) -> Result<(), SqliteError> {
    connection.execute_batch("CREATE TABLE IF NOT EXISTS item(name TEXT PRIMARY KEY) STRICT")?;
    Ok(())
}

struct File {
    sqlite: Sqlite,
    threads: SqliteThreads,
    directory: tempfile::TempDir,
}

fn open() -> File {
    let directory = tempfile::tempdir().unwrap();
    let (sqlite, threads) = Sqlite::open(&directory.path().join("test.db"), migrate).unwrap();
    File {
        sqlite,
        threads,
        directory,
    }
}

fn insert(connection: &Connection, name: &str) -> Result<(), SqliteError> {
    connection.execute("INSERT INTO item VALUES (?)", [name])?;
    Ok(())
}

fn full() -> SqliteError {
    SqliteError::Sqlite(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
        None,
    ))
}

async fn names(sqlite: &Sqlite) -> Vec<String> {
    sqlite
        .read(|connection| {
            let mut statement = connection.prepare("SELECT name FROM item ORDER BY name")?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
        .await
        .unwrap()
}

/// Stops the writer until the answer is used (or dropped), so that what is sent meanwhile forms one group.
async fn hold_writer(sqlite: &Sqlite) -> blocking::SyncSender<()> {
    let (release, released) = blocking::sync_channel::<()>(1);
    let (started, has_started) = oneshot::channel();
    let sqlite = sqlite.clone();
    tokio::spawn(async move {
        let hold = move |_: &Connection| {
            started.send(()).unwrap();
            released.recv().ok();
            Ok(())
        };
        sqlite.write(hold).await
    });
    has_started.await.unwrap();
    release
}

type Change = Box<dyn FnOnce(&Connection) -> Result<(), SqliteError> + Send>;

/// Runs all changes in one group, in this order.
async fn write_together(sqlite: &Sqlite, changes: Vec<Change>) -> Vec<Result<(), SqliteError>> {
    let release = hold_writer(sqlite).await;
    let before = WAITING_MAX - sqlite.writer.capacity();
    let mut waiting = Vec::new();
    for (sent, change) in changes.into_iter().enumerate() {
        let sqlite = sqlite.clone();
        let writer = sqlite.writer.clone();
        waiting.push(tokio::spawn(async move { sqlite.write(change).await }));
        while WAITING_MAX - writer.capacity() < before + sent + 1 {
            tokio::task::yield_now().await;
        }
    }
    drop(release);
    join_all(waiting)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

/// How many transactions are in the write-ahead log: the last frame of each tells the file's length in pages.
fn commits(file: &File) -> usize {
    let log = std::fs::read(file.directory.path().join("test.db-wal")).unwrap();
    log[32..]
        .chunks(24 + 4096)
        .filter(|frame| frame[4..8] != [0; 4])
        .count()
}

fn inserting(name: &'static str) -> Change {
    Box::new(move |connection| insert(connection, name))
}

#[tokio::test]
async fn group_shares_one_commit() {
    let file = open();
    let changes = (0..64)
        .map(|number| {
            Box::new(move |connection: &Connection| insert(connection, &number.to_string()))
                as Change
        })
        .collect();
    let before = commits(&file);
    let results = write_together(&file.sqlite, changes).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(names(&file.sqlite).await.len(), 64);
    assert_eq!(commits(&file) - before, 1);
}

#[tokio::test]
async fn failing_change_takes_back_only_its_own() {
    let file = open();
    let failing: Change = Box::new(|connection| {
        insert(connection, "half")?;
        Err(SqliteError::Refused("changed my mind".to_owned()))
    });
    let doubled: Change = Box::new(|connection| {
        insert(connection, "whole")?;
        insert(connection, "a")
    });
    let changes = vec![inserting("a"), failing, doubled, inserting("b")];
    let before = commits(&file);
    let results = write_together(&file.sqlite, changes).await;
    assert!(results[0].is_ok() && results[3].is_ok());
    assert!(matches!(&results[1], Err(SqliteError::Refused(why)) if why == "changed my mind"));
    assert!(matches!(&results[2], Err(SqliteError::Sqlite(_))));
    assert_eq!(names(&file.sqlite).await, ["a", "b"]);
    assert_eq!(commits(&file) - before, 1);
}

#[tokio::test]
async fn panicking_change_takes_back_only_its_own() {
    let file = open();
    let panicking: Change = Box::new(|connection| {
        insert(connection, "half")?;
        panic!("a bug in a change");
    });
    let results = write_together(
        &file.sqlite,
        vec![inserting("a"), panicking, inserting("b")],
    )
    .await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(matches!(&results[1], Err(SqliteError::Refused(_))));
    assert_eq!(names(&file.sqlite).await, ["a", "b"]);
}

#[tokio::test]
async fn commit_error_reaches_everyone_in_the_group() {
    let file = open();
    file.sqlite
        .write(|connection| {
            connection.execute_batch(
                "CREATE TABLE child(item TEXT REFERENCES item(name) DEFERRABLE INITIALLY DEFERRED)",
            )?;
            Ok(())
        })
        .await
        .unwrap();
    // Seen by SQLite at the commit only.
    let orphan: Change = Box::new(|connection| {
        connection.execute("INSERT INTO child VALUES ('nobody')", [])?;
        Ok(())
    });
    let results = write_together(&file.sqlite, vec![inserting("a"), orphan, inserting("b")]).await;
    for result in results {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("FOREIGN KEY"), "{error}");
    }
    assert!(names(&file.sqlite).await.is_empty());
    file.sqlite.write(inserting("later")).await.unwrap();
    assert_eq!(names(&file.sqlite).await, ["later"]);
}

#[tokio::test]
async fn transaction_ended_by_the_disk_fails_those_in_it_and_no_other() {
    let file = open();
    // What SQLite does on some errors of the disk: it takes back everything and says why.
    let ending: Change = Box::new(|connection| {
        connection.execute_batch("ROLLBACK")?;
        Err(full())
    });
    let results = write_together(&file.sqlite, vec![inserting("a"), ending, inserting("b")]).await;
    assert!(results[0].as_ref().unwrap_err().is_full());
    assert!(results[1].as_ref().unwrap_err().is_full());
    assert!(results[2].is_ok());
    assert_eq!(names(&file.sqlite).await, ["b"]);
}

#[tokio::test]
async fn full_file_refuses_and_recovers() {
    let file = open();
    let fill: Change = Box::new(|connection| {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        Ok(())
    });
    file.sqlite.write(fill).await.unwrap();
    let long = "x".repeat(100_000);
    let result = file
        .sqlite
        .write(move |connection| insert(connection, &long))
        .await;
    assert!(result.unwrap_err().is_full());
    let widen: Change = Box::new(|connection| {
        connection.pragma_update_and_check(None, "max_page_count", 10_000, |_| Ok(()))?;
        Ok(())
    });
    file.sqlite.write(widen).await.unwrap();
    file.sqlite.write(inserting("later")).await.unwrap();
    assert_eq!(names(&file.sqlite).await, ["later"]);
}

#[tokio::test]
async fn read_does_not_wait_for_a_writer() {
    let file = open();
    file.sqlite.write(inserting("before")).await.unwrap();
    let release = hold_writer(&file.sqlite).await;
    assert_eq!(names(&file.sqlite).await, ["before"]);
    drop(release);
}

#[tokio::test]
async fn read_cannot_write() {
    let file = open();
    let result = file
        .sqlite
        .read(|connection| insert(connection, "sneaked in"))
        .await;
    assert!(result.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn last_word_is_run_for_a_caller_that_is_gone() {
    let file = open();
    let release = hold_writer(&file.sqlite).await;
    let (told, heard) = oneshot::channel();
    let mut gone = Box::pin(file.sqlite.write_then(
        |connection| insert(connection, "a"),
        move |outcome| told.send(outcome.is_ok()).unwrap(),
    ));
    assert!(futures_util::poll!(&mut gone).is_pending());
    drop(gone);
    drop(release);
    assert!(heard.await.unwrap());
    assert_eq!(names(&file.sqlite).await, ["a"]);
}

#[tokio::test]
async fn stop_finishes_what_was_asked_before() {
    let file = open();
    let release = hold_writer(&file.sqlite).await;
    let mut earlier = Box::pin(file.sqlite.write(inserting("earlier")));
    assert!(futures_util::poll!(&mut earlier).is_pending());
    let stopping = tokio::task::spawn_blocking(move || file.threads.stop());
    drop(release);
    earlier.await.unwrap();
    stopping.await.unwrap();
    let later = file.sqlite.write(inserting("later")).await;
    assert!(matches!(later, Err(SqliteError::Closed)));
    let path = file.directory.path().join("test.db");
    let (sqlite, _threads) = Sqlite::open(&path, migrate).unwrap();
    assert_eq!(names(&sqlite).await, ["earlier"]);
}

#[tokio::test]
async fn last_handle_to_go_ends_the_threads() {
    let file = open();
    file.sqlite.write(inserting("a")).await.unwrap();
    drop(file.sqlite);
    tokio::task::spawn_blocking(move || file.threads.join())
        .await
        .unwrap();
    let log = file.directory.path().join("test.db-wal");
    assert!(!log.exists(), "closing moves the log into the file");
}

#[test]
fn garbage_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    std::fs::write(&path, "no database, whatever it may be".repeat(100)).unwrap();
    let error = Sqlite::open(&path, migrate).unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn file_and_log_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let file = open();
    file.sqlite.write(inserting("a")).await.unwrap();
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let metadata = std::fs::metadata(file.directory.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
