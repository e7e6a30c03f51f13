//! Dead letters.

use meetrelay::domain::MeetingId;
use meetrelay::ports::{DeadFilter, DeadKind, DeadLetter};

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
    assert_eq!(
        store.dead_letters(DeadFilter::newest(10)).await.unwrap(),
        newest
    );
    assert_eq!(
        store.dead_letters(DeadFilter::newest(2)).await.unwrap(),
        newest[..2]
    );
    for number in 0..600 {
        let id = format!("n{number}");
        store.bury(letter(&id, 10)).await.unwrap();
    }
    assert_eq!(
        store
            .dead_letters(DeadFilter::newest(usize::MAX))
            .await
            .unwrap()
            .len(),
        500
    );
    assert_eq!(store.count_dead_letters().await.unwrap(), 603);
}

pub(crate) async fn removed_letter_is_gone_and_told_once(bench: &impl Bench) {
    let store = bench.open().await;
    store.bury(letter("one", 0)).await.unwrap();
    store.bury(letter("two", 0)).await.unwrap();
    let remove = || store.remove_dead_letter("one", second(0));
    assert!(remove().await.unwrap());
    assert!(!remove().await.unwrap());
    assert_eq!(store.dead_letter("one").await.unwrap(), None);
    assert_eq!(store.count_dead_letters().await.unwrap(), 1);
}

pub(crate) async fn letter_buried_anew_is_not_removed_with_the_one_before(bench: &impl Bench) {
    let store = bench.open().await;
    let reset_age = letter("one", 1);
    store.bury(letter("one", 0)).await.unwrap();
    store.bury(reset_age.clone()).await.unwrap();
    assert!(!store.remove_dead_letter("one", second(0)).await.unwrap());
    assert_eq!(store.dead_letter("one").await.unwrap(), Some(reset_age));
}

pub(crate) async fn listing_keeps_to_its_filter(bench: &impl Bench) {
    let store = bench.open().await;
    let other = DeadLetter {
        queue: "events".to_owned(),
        kind: DeadKind::Unreadable,
        meeting: None,
        reason: "It Cannot be read: 50% of it".to_owned(),
        ..letter("other", 7)
    };
    let ours = letter("ours", 5);
    for letter in [&ours, &other] {
        store.bury(letter.clone()).await.unwrap();
    }
    let all = DeadFilter::newest(10);
    let queue = |name: &str| DeadFilter {
        queue: Some(name.to_owned()),
        ..all.clone()
    };
    let reason = |text: &str| DeadFilter {
        reason: Some(text.to_owned()),
        ..all.clone()
    };
    let kind = |kind| DeadFilter {
        kind: Some(kind),
        ..all.clone()
    };
    let meeting = |meeting| DeadFilter {
        meeting,
        ..all.clone()
    };
    let between = |since: i64, before: i64| DeadFilter {
        since: Some(second(since)),
        before: Some(second(before)),
        ..all.clone()
    };
    let both = DeadFilter {
        kind: Some(DeadKind::Job),
        ..queue("events")
    };
    for (filter, expected) in [
        (all.clone(), vec!["other", "ours"]),
        (queue("events"), vec!["other"]),
        (queue("chat"), vec!["ours"]),
        (queue("chat.later"), vec![]),
        (reason("cannot BE"), vec!["other"]),
        (reason("50%"), vec!["other"]),
        (reason("%for%"), vec![]),
        (kind(DeadKind::Job), vec!["ours"]),
        (kind(DeadKind::Event), vec![]),
        (meeting(ours.meeting), vec!["ours"]),
        (meeting(Some(drawn())), vec![]),
        (between(5, 7), vec!["ours"]),
        (between(6, 8), vec!["other"]),
        (between(8, 9), vec![]),
        (both, vec![]),
    ] {
        let found = store.dead_letters(filter.clone()).await.unwrap();
        let ids: Vec<_> = found.iter().map(|letter| letter.id.as_str()).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
}
