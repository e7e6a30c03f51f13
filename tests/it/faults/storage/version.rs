//! Files of other releases (Q21).

use rusqlite::Connection;

use super::disk::queue_file;
use super::{ask, each_has_one_card, is_accepted, on_files};
use crate::harness::World;

async fn waiting() -> World {
    let mut world = on_files().start().await;
    world.chat.stop().await;
    assert!(is_accepted(&ask(&world, "room").await));
    world.rooms(1).await;
    world.relay.kill().await;
    world
}

/// The store's file: store_conformance::sqlite.
#[tokio::test]
async fn q21_older_relay_refuses_the_queue_of_a_newer_one_and_leaves_it() {
    let mut world = waiting().await;
    let file = Connection::open(world.data().join("queue.db")).unwrap();
    let version = |file: &Connection| {
        let read = file.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        read.unwrap()
    };
    let own = version(&file);
    file.pragma_update(None, "user_version", 99).unwrap();
    let refused = world.relay.cli(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    let words = "version 99 of a newer relay, this one knows";
    assert!(said.contains("queue.db") && said.contains(words), "{said}");
    assert_eq!(version(&file), 99, "it is left as it was");
    file.pragma_update(None, "user_version", own).unwrap();
    drop(file);
    world.relay.start_again().await;
    world.chat.start_again().await.unwrap();
    each_has_one_card(&world, &["room".to_owned()]).await;
    world.finish().await;
}

/// A file of the first version, killed on both sides of the migration's commit.
#[tokio::test]
async fn q21_killed_while_it_migrates_the_queue_loses_nothing() {
    let mut world = waiting().await;
    let file = Connection::open(queue_file(&world)).unwrap();
    file.execute_batch("ALTER TABLE messages DROP COLUMN checksum; PRAGMA user_version = 1")
        .unwrap();
    drop(file);
    for place in ["embedded.migrating", "embedded.migrated"] {
        world.relay.crash_at(place);
        let died = world.relay.cli(&["serve"]).await;
        assert_eq!(died.status.code(), None, "{place}: a signal ends it");
    }
    world.relay.crash_nowhere();
    world.relay.start_again().await;
    world.chat.start_again().await.unwrap();
    each_has_one_card(&world, &["room".to_owned()]).await;
    world.finish().await;
}
