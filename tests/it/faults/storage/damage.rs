//! Files that are no longer what was written (Q14). Bits and pages of file and log have their turn in
//! src/queue/embedded/tests (damage.rs, damaged_log.rs); here the whole relay meets damage.

use std::fs;
use std::os::unix::fs::FileExt;

use rusqlite::Connection;
use serde_json::Value;

use super::disk::queue_file;
use super::{ask, each_has_one_card, is_accepted, on_files, ready};
use crate::harness::World;

/// Meetings whose cards wait for Mattermost; the relay is killed.
async fn waiting(channels: &[&str]) -> World {
    let mut world = on_files().start().await;
    world.chat.stop().await;
    for channel in channels {
        assert!(is_accepted(&ask(&world, channel).await));
    }
    // Rooms are made, cards are owed.
    world.rooms(channels.len()).await;
    world.relay.kill().await;
    world
}

/// The sweep's time has come for every meeting that owes something: what it finds out by itself within a minute of a
/// job that is gone, it finds out at once.
fn let_a_minute_pass(world: &World) {
    let store = Connection::open(world.data().join("meetrelay.db")).unwrap();
    let due = "UPDATE meetings SET wake_at = 1 WHERE wake_at IS NOT NULL";
    assert!(store.execute(due, []).unwrap() > 0);
}

fn put_aside(world: &World) -> Vec<String> {
    let names = fs::read_dir(world.data()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".damaged-")).collect()
}

#[tokio::test]
async fn q14_flipped_bit_in_a_message_makes_one_dead_letter_and_harms_no_neighbour() {
    let mut world = waiting(&["one", "two"]).await;
    let file = Connection::open(queue_file(&world)).unwrap();
    let changed = file.execute(
        "UPDATE messages SET body = CAST(replace(CAST(body AS TEXT), 'since', 'sincd') AS BLOB)
         WHERE number = (SELECT min(number) FROM messages)",
        [],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(file);
    world.relay.start_again().await;
    world
        .relay
        .await_log("a message in the queue's file is damaged: it becomes a dead letter")
        .await;
    world
        .relay
        .await_log("given up: a dead letter waits for a person")
        .await;
    let letters = Value::from(world.relay.dead_letters().await).to_string();
    assert!(letters.contains("checksum"), "{letters}");
    world.chat.start_again().await.unwrap();
    // What the job was to do is still owed.
    each_has_one_card(&world, &["one".to_owned(), "two".to_owned()]).await;
    assert!(put_aside(&world).is_empty());
    world.finish().await;
}

#[tokio::test]
async fn q14_damaged_pages_are_put_aside_and_the_rest_goes_on() {
    let mut world = waiting(&["one", "two", "three"]).await;
    let path = queue_file(&world);
    let file = fs::File::options().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in 2..pages {
        file.write_at(&[0xa5; 4096], page * 4096).unwrap();
    }
    let_a_minute_pass(&world);
    world.relay.start_again().await;
    world
        .relay
        .await_log("the queue's file was damaged: it is kept")
        .await;
    assert_eq!(put_aside(&world).len(), 1);
    world.chat.start_again().await.unwrap();
    assert!(is_accepted(&ask(&world, "four").await));
    let channels = ["one", "two", "three", "four"].map(str::to_owned);
    each_has_one_card(&world, &channels).await;
    // A webhook that waited on a damaged page is lost, and that was said.
    world.is_store_spoiled = true;
    world.finish().await;
}

#[tokio::test]
async fn q14_file_cut_to_half_is_put_aside_and_the_rest_goes_on() {
    let mut world = waiting(&["one", "two", "three"]).await;
    let path = queue_file(&world);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let_a_minute_pass(&world);
    world.relay.start_again().await;
    world
        .relay
        .await_log("the queue's file was damaged: it is kept")
        .await;
    world.chat.start_again().await.unwrap();
    each_has_one_card(&world, &["one", "two", "three"].map(str::to_owned)).await;
    // A webhook that waited in the lost half is lost, and that was said.
    world.is_store_spoiled = true;
    world.finish().await;
}

#[tokio::test]
async fn q14_file_without_a_beginning_stops_the_start_and_says_what_to_do() {
    let mut world = waiting(&["one"]).await;
    let path = queue_file(&world);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[..4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let refused = world.relay.cli(&["serve"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("queue.db") && said.contains("rename it"),
        "{said}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes, "it is left as it is");
    fs::write(&path, whole).unwrap();
    world.relay.start_again().await;
    world.chat.start_again().await.unwrap();
    each_has_one_card(&world, &["one".to_owned()]).await;
    world.finish().await;
}

#[tokio::test]
async fn q14_damage_that_shows_while_it_runs_is_refused_told_and_mended() {
    let mut world = waiting(&["one", "two", "three"]).await;
    let_a_minute_pass(&world);
    world.relay.start_again().await;
    let mut options = fs::File::options();
    let log = options.read(true).write(true);
    let log = log.open(world.data().join("queue.db-wal")).unwrap();
    // Whatever touches the file meets it; until then nothing is wrong with what is answered.
    let (mut number, mut refused) = (0, 0);
    while !world
        .relay
        .log()
        .contains("the queue's file cannot be relied on")
    {
        overwrite_frames(&log);
        let answer = ask(&world, &format!("room-{number}")).await;
        refused += usize::from(matches!(answer, Ok((503, _))));
        assert!(
            is_accepted(&answer) || matches!(answer, Ok((503, _))),
            "{answer:?}"
        );
        number += 1;
        assert!(number < 100, "{}", world.relay.last_words());
    }
    world
        .relay
        .await_log("the queue's file was opened again")
        .await;
    ready(&world, 200).await;
    assert!(is_accepted(&ask(&world, "after").await), "{refused}");
    world.chat.start_again().await.unwrap();
    each_has_one_card(&world, &["after".to_owned()]).await;
    // Events that lay on the damaged pages may be lost; then that is said.
    let log = world.relay.log();
    let is_told = log.contains("\"lost\"") || log.contains("\"lost_commits\"");
    assert!(is_told && !put_aside(&world).is_empty(), "{log}");
    world.is_store_spoiled = true;
    world.finish().await;
}

/// Every page in the log but the file's first, which is known in memory.
fn overwrite_frames(log: &fs::File) {
    let length = log.metadata().unwrap().len();
    let mut at = 32;
    while at + 24 + 4096 <= length {
        let mut page = [0; 4];
        log.read_exact_at(&mut page, at).unwrap();
        if u32::from_be_bytes(page) > 1 {
            log.write_at(&[0xa5; 4096], at + 24).unwrap();
        }
        at += 24 + 4096;
    }
}
