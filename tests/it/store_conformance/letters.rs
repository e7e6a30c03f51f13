//! Dead letters.

use meetrelay::domain::MeetingId;
use meetrelay::ports::{DeadKind, DeadLetter};

use super::bench::{Bench, reopen};
use super::events::*;

fn letter(id: &str, at: i64) -> DeadLetter {
    DeadLetter {
        id: id.to_owned(),
        queue: "chat".to_owned(),
        kind: DeadKind::Job,
        meeting: Some(drawn()),
        reason: "refused for good".to_owned(),
        buried_at: second(at),
        attempts: 3,
        body: vec![0, 159, 146, 150],
    }
}

fn without_body(letter: &DeadLetter) -> DeadLetter {
    DeadLetter {
        body: Vec::new(),
        ..letter.clone()
    }
}

pub(crate) async fn letter_comes_back_whole(bench: &impl Bench) {
    let store = bench.open().await;
    let no_meeting: Option<MeetingId> = None;
    let unreadable = DeadLetter {
        kind: DeadKind::Unreadable,
        meeting: no_meeting,
        body: Vec::new(),
        ..letter("two", 1)
    };
    let event = DeadLetter {
        kind: DeadKind::Event,
        attempts: u32::MAX,
        ..letter("three", 1)
    };
    let letters = [letter("one", 0), unreadable, event];
    for letter in &letters {
        store.bury(letter.clone()).await.unwrap();
    }
    let store = reopen(bench, store).await;
    for letter in letters {
        let found = store.dead_letter(&letter.id).await.unwrap();
        assert_eq!(found, Some(letter));
    }
}

pub(crate) async fn burying_twice_replaces(bench: &impl Bench) {
    let store = bench.open().await;
    store.bury(letter("one", 0)).await.unwrap();
    let again = DeadLetter {
        reason: "another reason".to_owned(),
        attempts: 9,
        body: b"new".to_vec(),
        ..letter("one", 5)
    };
    store.bury(again.clone()).await.unwrap();
    assert_eq!(store.count_dead_letters().await.unwrap(), 1);
    assert_eq!(store.dead_letter("one").await.unwrap(), Some(again));
}

pub(crate) async fn listing_is_newest_first_capped_and_without_bodies(bench: &impl Bench) {
    let store = bench.open().await;
    let letters = [letter("b", 1), letter("a", 3), letter("c", 2)];
    for letter in &letters {
        store.bury(letter.clone()).await.unwrap();
    }
    let newest = [&letters[1], &letters[2], &letters[0]].map(without_body);
    assert_eq!(store.dead_letters(10).await.unwrap(), newest);
    assert_eq!(store.dead_letters(2).await.unwrap(), newest[..2]);
    for number in 0..600 {
        let id = format!("n{number}");
        store.bury(letter(&id, 10)).await.unwrap();
    }
    assert_eq!(store.dead_letters(usize::MAX).await.unwrap().len(), 500);
    assert_eq!(store.count_dead_letters().await.unwrap(), 603);
}

pub(crate) async fn removed_letter_is_gone_and_told_once(bench: &impl Bench) {
    let store = bench.open().await;
    store.bury(letter("one", 0)).await.unwrap();
    store.bury(letter("two", 0)).await.unwrap();
    assert!(store.remove_dead_letter("one").await.unwrap());
    assert!(!store.remove_dead_letter("one").await.unwrap());
    assert_eq!(store.dead_letter("one").await.unwrap(), None);
    assert_eq!(store.count_dead_letters().await.unwrap(), 1);
}
