//! Marks, settings, the story, pruning, and that all of it lasts.

use futures_util::future::join_all;
use meetrelay::domain::apply::Effect;
use meetrelay::domain::{PostKey, PostRow};
use meetrelay::ports::{DeadKind, DeadLetter, StoreError};

use super::bench::{Bench, reopen};
use super::events::*;

pub(crate) async fn marks_count_until_a_verdict(bench: &impl Bench) {
    let store = bench.open().await;
    assert_eq!(store.mark_redelivered("m1").await.unwrap(), 1);
    assert_eq!(store.mark_redelivered("m1").await.unwrap(), 2);
    assert_eq!(store.mark_redelivered("m2").await.unwrap(), 1);
    let store = reopen(bench, store).await;
    assert_eq!(store.mark_redelivered("m1").await.unwrap(), 3);
    store.clear_mark("m1").await.unwrap();
    store.clear_mark("never marked").await.unwrap();
    assert_eq!(store.mark_redelivered("m1").await.unwrap(), 1);
    assert_eq!(store.mark_redelivered("m2").await.unwrap(), 2);
}

pub(crate) async fn setting_is_replaced(bench: &impl Bench) {
    let store = bench.open().await;
    for value in ["one", "two", ""] {
        store.put_setting("bot", value).await.unwrap();
        let stands = store.setting("bot").await.unwrap();
        assert_eq!(stands.as_deref(), Some(value));
    }
    let stands = store.setting_or_insert("bot", "other").await.unwrap();
    assert_eq!(stands, "", "what stands there stays");
}

pub(crate) async fn concurrent_callers_agree_on_a_setting(bench: &impl Bench) {
    let store = bench.open().await;
    let callers = (0..32).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let own = format!("secret {number}");
            store.setting_or_insert("secret", &own).await.unwrap()
        })
    });
    let answers: Vec<_> = join_all(callers).await;
    let stands = store.setting("secret").await.unwrap().unwrap();
    for answer in answers {
        assert_eq!(answer.unwrap(), stands);
    }
}

pub(crate) async fn story_tells_what_was_applied_in_order(bench: &impl Bench) {
    let store = bench.open().await;
    let asked = start("town", second(0));
    let (id, _) = apply_one(&store, asked.clone()).await.meeting.unwrap();
    begun(&store, "square", second(0)).await;
    let join = joined(session("s1", None, second(2)), "ben", second(2));
    let batch = [
        room_created(id, "s1", second(3)),
        join.clone(),
        join.clone(),
        ended(session("s1", None, second(9)), second(9)),
    ];
    apply(&store, &batch).await;
    let history = store.history(id).await.unwrap();
    let kinds: Vec<_> = history.iter().map(|line| line.kind.as_str()).collect();
    let told = [
        "meeting_requested",
        "room_created",
        "person_joined",
        "session_ended",
    ];
    assert_eq!(kinds, told);
    assert_eq!(history[0].event, asked.event.id.to_string());
    assert_eq!(history[2].event, join.event.id.to_string());
    assert_eq!(history[2].source, "plugnmeet:default");
    assert_eq!(history[2].received_at, second(2));
    assert_eq!(history[2].applied_at, second(9));
}

pub(crate) async fn story_is_capped(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    let joins: Vec<_> = (0..1100)
        .map(|number| {
            let name = format!("n{}", number % 3);
            joined(session("s1", None, second(1)), &name, second(1))
        })
        .collect();
    for batch in joins.chunks(100) {
        apply(&store, batch).await;
    }
    assert_eq!(store.history(meeting.id).await.unwrap().len(), 1000);
}

pub(crate) async fn prune_forgets_old_keys_and_lines_only(bench: &impl Bench) {
    const OLD: usize = 1200;
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    let joins: Vec<_> = (0..OLD)
        .map(|_| joined(session("s1", None, second(1)), "ben", second(1)))
        .collect();
    for batch in joins.chunks(100) {
        apply(&store, batch).await;
    }
    let young = joined(session("s1", None, second(100)), "cai", second(100));
    apply_one(&store, young.clone()).await;
    let forgotten = store.prune(second(100)).await.unwrap();
    // The request and the room came before the joins; each has a key and a line.
    assert_eq!(forgotten, 2 * (OLD as u64 + 2));
    assert_eq!(store.prune(second(100)).await.unwrap(), 0);
    let history = store.history(meeting.id).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].event, young.event.id.to_string());
    let later = apply(&store, &[young, joins[0].clone()]).await;
    assert_eq!(effects(&later), [Effect::Duplicate, Effect::Applied]);
    let kept = store.meeting(meeting.id).await.unwrap();
    assert_eq!(kept.unwrap().people.len(), 2, "meetings are not pruned");
}

pub(crate) async fn everything_survives_reopening(bench: &impl Bench) {
    let store = bench.open().await;
    let town = open(&store, "town", "s1", second(0)).await;
    apply_one(
        &store,
        recorded(session("s1", None, second(1)), "rec1", second(1)),
    )
    .await;
    let row = PostRow {
        rendered: 2,
        ..PostRow::default()
    };
    let card = PostKey::Card;
    store.put_post(town.id, &card, row.clone()).await.unwrap();
    store.put_setting("bot", "b1").await.unwrap();
    store.mark_redelivered("m1").await.unwrap();
    let letter = DeadLetter {
        id: "job".to_owned(),
        queue: "chat".to_owned(),
        kind: DeadKind::Job,
        meeting: Some(town.id),
        reason: "why".to_owned(),
        buried_at: second(2),
        attempts: 1,
        body: b"{}".to_vec(),
    };
    store.bury(letter.clone()).await.unwrap();
    let before = store.meeting(town.id).await.unwrap().unwrap();
    let history = store.history(town.id).await.unwrap();

    let store = reopen(bench, store).await;
    assert_eq!(store.meeting(town.id).await.unwrap().unwrap(), before);
    let by_request = store.meeting_of_request(town.requests[0].id).await.unwrap();
    assert_eq!(by_request.as_ref(), Some(&before));
    let artifact = "rec1".parse().unwrap();
    let by_artifact = store.meeting_of_artifact(&artifact).await.unwrap();
    assert_eq!(by_artifact, Some(before.clone()));
    assert_eq!(store.post(town.id, &card).await.unwrap(), Some(row));
    assert_eq!(store.history(town.id).await.unwrap(), history);
    assert_eq!(store.setting("bot").await.unwrap().as_deref(), Some("b1"));
    assert_eq!(store.mark_redelivered("m1").await.unwrap(), 2);
    assert_eq!(store.dead_letter("job").await.unwrap(), Some(letter));
    assert_eq!(store.count_running().await.unwrap(), 1);
    let due = store
        .due_meetings(before.wake_at.unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(due, [(town.id, 0)]);
    let join = joined(session("s1", None, second(3)), "ben", second(3));
    assert_eq!(apply_one(&store, join).await.meeting, Some((town.id, 0)));
}

pub(crate) async fn closed_store_is_away(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await;
    store.close().await;
    store.close().await;
    let read = store.meeting(meeting.id).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let written = store.put_setting("bot", "b1").await;
    assert!(
        matches!(written, Err(StoreError::Unavailable(_))),
        "{written:?}"
    );
    let applied = store.apply(vec![start("town", second(1))], policy(), second(1));
    assert!(matches!(applied.await, Err(StoreError::Unavailable(_))));
}
