//! Rows of posts, and the leases under which they are written.

use std::time::Duration;

use futures_util::future::join_all;
use meetrelay::domain::post::Frozen;
use meetrelay::domain::{EventId, PostKey, PostRow};
use meetrelay::ports::{Duty, Lease, StoreError};
use uuid::Uuid;

use super::bench::{Bench, reopen};
use super::events::*;

const LENGTH: Duration = Duration::from_secs(10);

fn full_row() -> PostRow {
    PostRow {
        first_tried_at: Some(second(1)),
        post: Some("post1".parse().unwrap()),
        posted_at: Some(second(2)),
        root: Some("root1".parse().unwrap()),
        rendered: 7,
        answered: true,
        frozen: Some(Frozen::NotEditable),
        tidy_at: Some(second(3)),
        outside_since: Some(second(4)),
        sent: 2,
        again_at: Some(second(6)),
    }
}

fn every_key() -> [PostKey; 5] {
    [
        PostKey::Card,
        PostKey::Final,
        PostKey::Invite,
        PostKey::Artifact("rec:1".parse().unwrap()),
        PostKey::Answer(EventId::from_uuid(Uuid::now_v7()).into()),
    ]
}

pub(crate) async fn row_comes_back_whole(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let keys = every_key();
    for (number, key) in (1..).zip(&keys) {
        let rendered = number;
        let row = PostRow {
            rendered,
            ..full_row()
        };
        store.put_post(meeting, key, row).await.unwrap();
    }
    let store = reopen(bench, store).await;
    for (rendered, key) in (1..).zip(&keys) {
        let row = store.post(meeting, key).await.unwrap().unwrap();
        assert_eq!(
            row,
            PostRow {
                rendered,
                ..full_row()
            }
        );
    }
}

pub(crate) async fn row_is_replaced_as_a_whole(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let card = PostKey::Card;
    let deleted = PostRow {
        frozen: Some(Frozen::Deleted),
        ..PostRow::default()
    };
    for row in [full_row(), PostRow::default(), deleted] {
        store.put_post(meeting, &card, row.clone()).await.unwrap();
        assert_eq!(store.post(meeting, &card).await.unwrap(), Some(row));
    }
}

pub(crate) async fn rows_are_loaded_with_their_meeting_only(bench: &impl Bench) {
    let store = bench.open().await;
    let town = open(&store, "town", "s1", second(0)).await.id;
    let square = begun(&store, "square", second(0)).await.id;
    for key in every_key() {
        store.put_post(town, &key, full_row()).await.unwrap();
    }
    let meeting = store.meeting(town).await.unwrap().unwrap();
    assert_eq!(meeting.posts.len(), 5);
    assert!(meeting.posts.values().all(|row| *row == full_row()));
    let other = store.meeting(square).await.unwrap().unwrap();
    assert!(other.posts.is_empty());
    // An event writes the meeting, never its posts.
    let join = joined(session("s1", None, second(1)), "ben", second(1));
    apply_one(&store, join).await;
    let after = store.meeting(town).await.unwrap().unwrap();
    assert_eq!(after.posts, meeting.posts);
}

pub(crate) async fn row_of_no_meeting_is_refused(bench: &impl Bench) {
    let store = bench.open().await;
    let put = store.put_post(drawn(), &PostKey::Card, full_row()).await;
    assert!(matches!(put, Err(StoreError::Refused(_))), "{put:?}");
}

pub(crate) async fn lease_is_held_until_it_runs_out(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let other = begun(&store, "square", second(0)).await.id;
    let take = async |owner: &str, at| {
        let lease = store
            .take_lease(Duty::Posts(meeting), owner, second(at), LENGTH)
            .await;
        lease.unwrap()
    };
    let until = second(10);
    assert_eq!(take("a", 0).await, Lease::Taken { until });
    assert_eq!(take("b", 5).await, Lease::Held { until });
    assert_eq!(take("b", 9).await, Lease::Held { until });
    let free = store
        .take_lease(Duty::Posts(other), "b", second(5), LENGTH)
        .await;
    assert_eq!(free.unwrap(), Lease::Taken { until: second(15) });
    let until = second(20);
    assert_eq!(take("b", 10).await, Lease::Taken { until });
    assert_eq!(take("a", 11).await, Lease::Held { until });
}

pub(crate) async fn owner_renews_its_lease(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    for at in [0, 4, 8] {
        let lease = store
            .take_lease(Duty::Posts(meeting), "a", second(at), LENGTH)
            .await;
        let until = second(at + 10);
        assert_eq!(lease.unwrap(), Lease::Taken { until });
    }
    let lease = store
        .take_lease(Duty::Posts(meeting), "b", second(17), LENGTH)
        .await;
    assert_eq!(lease.unwrap(), Lease::Held { until: second(18) });
}

pub(crate) async fn dropped_lease_is_free_and_only_its_owner_drops_it(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let take = async |owner: &str| {
        let lease = store
            .take_lease(Duty::Posts(meeting), owner, second(0), LENGTH)
            .await;
        matches!(lease.unwrap(), Lease::Taken { .. })
    };
    assert!(take("a").await);
    store.drop_lease(Duty::Posts(meeting), "b").await.unwrap();
    assert!(!take("b").await, "b cannot drop what is a's");
    store.drop_lease(Duty::Posts(meeting), "a").await.unwrap();
    assert!(take("b").await);
    store.drop_lease(Duty::Posts(meeting), "a").await.unwrap();
    assert!(!take("a").await, "a's late drop is no drop of b's");
}

pub(crate) async fn one_of_many_takers_gets_the_lease(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let takers = (0..32).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let owner = number.to_string();
            let lease = store
                .take_lease(Duty::Posts(meeting), &owner, second(0), LENGTH)
                .await;
            matches!(lease.unwrap(), Lease::Taken { .. })
        })
    });
    let taken = join_all(takers).await;
    let winners = taken.into_iter().filter(|taken| *taken.as_ref().unwrap());
    assert_eq!(winners.count(), 1);
}

pub(crate) async fn duty_is_held_renewed_and_given_back_like_a_lease(bench: &impl Bench) {
    let store = bench.open().await;
    let take = async |duty, owner: &str, at| {
        let lease = store.take_lease(duty, owner, second(at), LENGTH).await;
        lease.unwrap()
    };
    let taken = |at| Lease::Taken { until: second(at) };
    let held = |at| Lease::Held { until: second(at) };
    assert_eq!(take(Duty::Sweep, "a", 0).await, taken(10));
    assert_eq!(take(Duty::Sweep, "b", 5).await, held(10));
    assert_eq!(take(Duty::Prune, "b", 5).await, taken(15));
    assert_eq!(take(Duty::Sweep, "a", 6).await, taken(16));
    store.drop_lease(Duty::Sweep, "b").await.unwrap();
    assert_eq!(take(Duty::Sweep, "b", 7).await, held(16));
    store.drop_lease(Duty::Sweep, "a").await.unwrap();
    assert_eq!(take(Duty::Sweep, "b", 8).await, taken(18));
    assert_eq!(take(Duty::Sweep, "a", 18).await, taken(28), "b's ran out");
}
