//! Files of other releases (Q21).

use rusqlite::Connection;

use super::disk::queue_file;
use super::{ask, each_has_one_card, is_accepted, on_files};
use crate::harness::World;

async fn waiting() -> World {
    let mut world = on_files().start().await;
    world.chat.stop().await;
    assert!(is_accepted(&ask(&world, "room").await));
    while world.conference.rooms().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    world.relay.kill().await;
    world
}

#[tokio::test]
async fn q21_older_relay_refuses_the_files_of_a_newer_one_and_leaves_them() {
    let mut world = waiting().await;
    for (name, words) in [
        ("queue.db", "version 99 of a newer relay"),
        ("meetrelay.db", "has form 99"),
    ] {
        let file = Connection::open(world.data().join(name)).unwrap();
        let version = |file: &Connection| {
            file.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        };
        let own = version(&file).unwrap();
        file.pragma_update(None, "user_version", 99).unwrap();
        let refused = world.relay.cli(&["serve"]).await;
        assert_eq!(refused.status.code(), Some(1));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains(name) && said.contains(words), "{said}");
        assert_eq!(version(&file).unwrap(), 99, "it is left as it was");
        file.pragma_update(None, "user_version", own).unwrap();
    }
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
