//! Folders: one's own, those of the dead, those of the living, and what is none.

use std::fs;

use super::*;
use crate::queue::embedded::tests::change_without_index;

/// A relay that took `count` events while the broker was away, and was killed. Tells its folder and the ids.
async fn leave(bench: &Bench, count: usize) -> (PathBuf, Vec<String>) {
    let spool = bench.open_with(Broker::new(Mood::Unavailable));
    let ids = accept(&spool, count).await;
    let path = own_path(&spool);
    kill(spool).await;
    (path, ids)
}

#[tokio::test]
async fn empty_own_folder_is_removed_by_a_clean_stop() {
    let bench = Bench::new(Mood::Takes);
    let spool = bench.open();
    assert_eq!(bench.found().len(), 1);
    spool.close().await;
    assert!(bench.found().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(Mood::Takes);
    let spool = bench.open();
    let metadata = fs::metadata(own_path(&spool)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn spool_of_a_killed_relay_is_forwarded_and_removed() {
    let bench = Bench::new(Mood::Takes);
    let (left, ids) = leave(&bench, 20).await;
    let spool = bench.open();
    until_taken(&bench, &ids).await;
    until("its folder is gone", async || !left.exists()).await;
    assert_eq!(bench.broker.taken().len(), ids.len());
    assert!(own_path(&spool).exists());
}

#[tokio::test]
async fn spool_that_was_found_waits_for_the_broker_as_well() {
    let bench = Bench::new(Mood::Unavailable);
    let (left, ids) = leave(&bench, 5).await;
    let spool = bench.open();
    until("it is seen", async || spool.level().await.messages == 5).await;
    bench.broker.set(Mood::Takes);
    until_taken(&bench, &ids).await;
    until("its folder is gone", async || !left.exists()).await;
}

#[tokio::test]
async fn spool_that_was_found_and_shows_damage_later_is_forwarded_once_it_is_saved() {
    let bench = Bench::new(Mood::Unavailable);
    let (left, ids) = leave(&bench, 5).await;
    let spool = bench.open();
    until("it is seen", async || spool.level().await.messages == 5).await;
    change_without_index(
        &left.join("queue.db"),
        "DELETE FROM messages WHERE number = (SELECT min(number) FROM messages)",
    );
    until("it is saved", async || spool.level().await.messages == 4).await;
    bench.broker.set(Mood::Takes);
    until_taken(&bench, &ids[1..]).await;
    until_empty(&spool).await;
}

#[tokio::test]
async fn more_spools_than_are_taken_at_one_time_are_all_forwarded() {
    let bench = Bench::new(Mood::Takes);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.extend(leave(&bench, 1).await.1);
        bench.broker.set(Mood::Takes);
    }
    let _spool = bench.open();
    until_taken(&bench, &ids).await;
    until("only the own one is left", async || {
        bench.found().len() == 1
    })
    .await;
}

#[tokio::test]
async fn spool_of_a_living_relay_is_left_alone() {
    let bench = Bench::new(Mood::Takes);
    let away = Broker::new(Mood::Unavailable);
    let living = bench.open_with(Arc::clone(&away));
    accept(&living, 1).await;
    let spool = bench.open();
    // It has looked through all folders when it has removed this one.
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
    let bench = Bench::new(Mood::Takes);
    let living = bench.open_with(Broker::new(Mood::Unavailable));
    let ids = accept(&living, 2).await;
    let spool = bench.open();
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(bench.broker.taken().is_empty());
    kill(living).await;
    until_taken(&bench, &ids).await;
    until("only the own one is left", async || {
        bench.found().len() == 1
    })
    .await;
    drop(spool);
}

#[tokio::test]
async fn damaged_and_foreign_things_stop_nothing_and_stay_as_they_are() {
    let bench = Bench::new(Mood::Takes);
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
    until("the good one is gone", async || bench.found().len() == 5).await;
    assert_eq!(fs::read(damaged.join("queue.db")).unwrap(), garbage);
    assert!(foreign.join("queue.db").exists());
    assert_eq!(fs::read(root.join("notes.txt")).unwrap(), b"mine");
    accept(&spool, 1).await;
    spool.close().await;
    assert_eq!(bench.found().len(), 4);
}

#[tokio::test]
async fn folder_with_something_foreign_in_it_is_forwarded_and_not_removed() {
    let bench = Bench::new(Mood::Takes);
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
async fn empty_folder_that_is_not_removed_is_looked_at_once() {
    let bench = Bench::new(Mood::Takes);
    let (left, ids) = leave(&bench, 3).await;
    fs::write(left.join("notes.txt"), "mine").unwrap();
    let _spool = bench.open();
    until_taken(&bench, &ids).await;
    // Whoever opens it makes files in it and removes them.
    let changed = || fs::metadata(&left).unwrap().modified().unwrap();
    until("it is left alone", async || {
        let before = changed();
        tokio::time::sleep(Duration::from_millis(500)).await;
        before == changed()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn folder_without_a_file_is_removed_when_nobody_is_making_it() {
    let bench = Bench::new(Mood::Takes);
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
    let mut bench = Bench::new(Mood::Takes);
    let (left, ids) = leave(&bench, 3).await;
    bench.bytes_max = 0;
    let _spool = bench.open();
    until_taken(&bench, &ids).await;
    until("its folder is gone", async || !left.exists()).await;
}

#[tokio::test]
async fn relay_without_a_place_for_its_spool_says_what_to_change() {
    let bench = Bench::new(Mood::Takes);
    fs::write(bench.root(), "a file").unwrap();
    let settings = SpoolSettings {
        root: bench.root(),
        instance: Uuid::now_v7(),
        bytes_max: 1 << 20,
    };
    let counts = Arc::clone(&bench.counts) as Arc<dyn SpoolObserver>;
    let broker = Arc::clone(&bench.broker) as Arc<dyn Queue>;
    let Err(error) = Spool::open(settings, broker, Arc::new(Still), counts) else {
        panic!("it has no place");
    };
    let error = error.to_string();
    assert!(
        error.contains("server.data_dir") && error.contains("spool.max_bytes"),
        "{error}"
    );
}
