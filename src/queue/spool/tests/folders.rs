//! Directories: the relay's own, those of killed and of running relays, and foreign ones.

use std::fs;

use super::*;
use crate::queue::embedded::tests::change_without_index;

/// Runs a relay that accepts `count` events while the broker is unavailable, and kills it. Returns its directory and
/// the ids.
async fn leave(bench: &Bench, count: usize) -> (PathBuf, Vec<String>) {
    let spool = bench.open_with(Broker::new(Behaviour::Unavailable));
    let ids = accept(&spool, count).await;
    let path = own_path(&spool);
    kill(spool).await;
    (path, ids)
}

#[tokio::test]
async fn empty_own_folder_is_removed_by_a_clean_stop() {
    let bench = Bench::new(Behaviour::Takes);
    let spool = bench.open();
    assert_eq!(bench.entries_found().len(), 1);
    spool.close().await;
    assert!(bench.entries_found().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(Behaviour::Takes);
    let spool = bench.open();
    let metadata = fs::metadata(own_path(&spool)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn spool_of_a_killed_relay_is_forwarded_and_removed() {
    let bench = Bench::new(Behaviour::Takes);
    let (left, ids) = leave(&bench, 20).await;
    let spool = bench.open();
    until_taken(&bench, &ids).await;
    until("its folder is gone", async || !left.exists()).await;
    assert_eq!(bench.broker.taken().len(), ids.len());
    assert!(own_path(&spool).exists());
}

#[tokio::test]
async fn adopted_spool_waits_for_the_broker_as_well() {
    let bench = Bench::new(Behaviour::Unavailable);
    let (left, ids) = leave(&bench, 5).await;
    let spool = bench.open();
    until("it is adopted", async || spool.level().await.messages == 5).await;
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &ids).await;
    until("its folder is gone", async || !left.exists()).await;
}

#[tokio::test]
async fn adopted_spool_that_is_found_damaged_later_is_forwarded_once_it_is_recovered() {
    let bench = Bench::new(Behaviour::Unavailable);
    let (left, ids) = leave(&bench, 5).await;
    let spool = bench.open();
    until("it is adopted", async || spool.level().await.messages == 5).await;
    change_without_index(
        &left.join("queue.db"),
        "DELETE FROM messages WHERE number = (SELECT min(number) FROM messages)",
    );
    until("it is recovered", async || {
        spool.level().await.messages == 4
    })
    .await;
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &ids[1..]).await;
    until_empty(&spool).await;
}

#[tokio::test]
async fn more_spools_than_are_adopted_at_one_time_are_all_forwarded() {
    let bench = Bench::new(Behaviour::Takes);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.extend(leave(&bench, 1).await.1);
        bench.broker.set(Behaviour::Takes);
    }
    let _spool = bench.open();
    until_taken(&bench, &ids).await;
    until("only the own one is left", async || {
        bench.entries_found().len() == 1
    })
    .await;
}

#[tokio::test]
async fn spool_of_a_running_relay_is_not_adopted() {
    let bench = Bench::new(Behaviour::Takes);
    let unavailable = Broker::new(Behaviour::Unavailable);
    let living = bench.open_with(Arc::clone(&unavailable));
    accept(&living, 1).await;
    let spool = bench.open();
    // The scan is complete when this one is removed.
    let (left, _) = leave(&bench, 0).await;
    drop(spool);
    let _spool = bench.open();
    until("its folder is gone", async || !left.exists()).await;
    assert!(bench.broker.taken().is_empty());
    accept(&living, 1).await;
    assert_eq!(living.level().await.messages, 2);
}

#[tokio::test(start_paused = true)]
async fn spool_that_becomes_free_later_is_found_within_a_minute() {
    let bench = Bench::new(Behaviour::Takes);
    let living = bench.open_with(Broker::new(Behaviour::Unavailable));
    let ids = accept(&living, 2).await;
    let spool = bench.open();
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(bench.broker.taken().is_empty());
    kill(living).await;
    until_taken(&bench, &ids).await;
    until("only the own one is left", async || {
        bench.entries_found().len() == 1
    })
    .await;
    drop(spool);
}

#[tokio::test]
async fn damaged_and_foreign_entries_prevent_nothing_and_are_not_changed() {
    let bench = Bench::new(Behaviour::Takes);
    let (_, ids) = leave(&bench, 3).await;
    let root = bench.root();
    let damaged = root.join(Uuid::now_v7().to_string());
    fs::create_dir(&damaged).unwrap();
    let garbage = b"no database at all".repeat(1000);
    fs::write(damaged.join("queue.db"), &garbage).unwrap();
    let foreign = root.join(Uuid::now_v7().to_string());
    fs::create_dir(&foreign).unwrap();
    run(&foreign, "CREATE TABLE notes (text TEXT)");
    fs::write(root.join("notes.txt"), "mine").unwrap();
    fs::create_dir(root.join("backup")).unwrap();
    let spool = bench.open();
    until_taken(&bench, &ids).await;
    until("the valid one is gone", async || {
        bench.entries_found().len() == 5
    })
    .await;
    assert_eq!(fs::read(damaged.join("queue.db")).unwrap(), garbage);
    assert!(foreign.join("queue.db").exists());
    assert_eq!(fs::read(root.join("notes.txt")).unwrap(), b"mine");
    accept(&spool, 1).await;
    spool.close().await;
    assert_eq!(bench.entries_found().len(), 4);
}

#[tokio::test]
async fn folder_with_a_foreign_file_is_forwarded_and_not_removed() {
    let bench = Bench::new(Behaviour::Takes);
    let (left, ids) = leave(&bench, 3).await;
    fs::write(left.join("notes.txt"), "mine").unwrap();
    let spool = bench.open();
    until_taken(&bench, &ids).await;
    spool.close().await;
    assert_eq!(fs::read(left.join("notes.txt")).unwrap(), b"mine");
    assert!(left.join("queue.db").exists());
    let _again = bench.open();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.broker.taken().len(), 3, "nothing is left in it");
}

#[tokio::test]
async fn empty_folder_that_cannot_be_removed_is_scanned_once() {
    let bench = Bench::new(Behaviour::Takes);
    let (left, ids) = leave(&bench, 3).await;
    fs::write(left.join("notes.txt"), "mine").unwrap();
    let _spool = bench.open();
    until_taken(&bench, &ids).await;
    // A relay that opens it creates files in it and removes them.
    let changed = || fs::metadata(&left).unwrap().modified().unwrap();
    until("it is not opened again", async || {
        let before = changed();
        tokio::time::sleep(Duration::from_millis(500)).await;
        before == changed()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn folder_without_a_file_is_removed_when_nobody_is_making_it() {
    let bench = Bench::new(Behaviour::Takes);
    let bare = bench.root().join(Uuid::now_v7().to_string());
    fs::create_dir_all(&bare).unwrap();
    fs::write(bare.join("queue.db.lock"), "").unwrap();
    let began = tokio::time::Instant::now();
    let _spool = bench.open();
    until("it is gone", async || !bare.exists()).await;
    assert!(began.elapsed() >= Duration::from_secs(30), "not at once");
}

#[tokio::test]
async fn spool_that_is_switched_off_still_forwards_what_was_left() {
    let mut bench = Bench::new(Behaviour::Takes);
    let (left, ids) = leave(&bench, 3).await;
    bench.bytes_max = 0;
    let _spool = bench.open();
    until_taken(&bench, &ids).await;
    until("its folder is gone", async || !left.exists()).await;
}

#[tokio::test]
async fn error_of_a_spool_that_cannot_be_created_says_what_to_change() {
    let bench = Bench::new(Behaviour::Takes);
    fs::write(bench.root(), "a file").unwrap();
    let settings = SpoolSettings {
        root: bench.root(),
        instance: Uuid::now_v7(),
        bytes_max: 1 << 20,
    };
    let counts = Arc::clone(&bench.counts) as Arc<dyn SpoolObserver>;
    let broker = Arc::clone(&bench.broker) as Arc<dyn Queue>;
    let Err(error) = Spool::open(settings, broker, Arc::new(FixedClock), counts) else {
        panic!("the spool was created");
    };
    let error = error.to_string();
    assert!(
        error.contains("server.data_dir") && error.contains("spool.max_bytes"),
        "{error}"
    );
}
