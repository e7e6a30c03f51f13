//! Stores of the version before: what stands in their tables is read as it was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meetrelay::domain::post::Frozen;
use meetrelay::domain::{Meeting, PostKey, PostRow, Timestamp};
use meetrelay::ports::{Duty, Lease, Store};
use rusqlite::Connection;

use super::bench::Bench;
use super::events::*;
use super::postgres::PostgresBench;
use super::sqlite::SqliteBench;

/// The tables as the version before the last step made them.
const SQLITE_BEFORE: &str = concat!(
    include_str!("../../../src/store/migrations/sqlite/0001_first.sql"),
    include_str!("../../../src/store/migrations/sqlite/0002_notices.sql"),
    include_str!("../../../src/store/migrations/sqlite/0003_story.sql"),
    "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL,
         applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT;
     INSERT INTO migrations (number, name) VALUES (1, 'first'), (2, 'notices'), (3, 'story');"
);
const POSTGRES_BEFORE: &str = concat!(
    include_str!("../../../src/store/migrations/postgres/0001_first.sql"),
    "CREATE TABLE meetrelay_migrations (number integer PRIMARY KEY, name text NOT NULL,
         applied_at timestamptz NOT NULL DEFAULT now());
     INSERT INTO meetrelay_migrations (number, name) VALUES (1, 'first');
     INSERT INTO duties (duty, owner, until) VALUES ('sweep', 'a', 1790000010000);"
);

/// Rows of posts of every kind: how their columns stood, and what they are.
fn posts() -> [(PostKey, &'static str, PostRow); 5] {
    let millis = |millis| Some(Timestamp::from_millis(millis));
    let none = PostRow::default();
    let frozen = |frozen| Some(frozen);
    [
        (
            PostKey::Card,
            "1001, 'post1', 2002, 'root1', 9007199254740993, TRUE, 'not_editable', 3003, 4004, 4294967295, 6006",
            PostRow {
                first_tried_at: millis(1001),
                post: Some("post1".parse().unwrap()),
                posted_at: millis(2002),
                root: Some("root1".parse().unwrap()),
                rendered: 9_007_199_254_740_993,
                answered: true,
                frozen: frozen(Frozen::NotEditable),
                tidy_at: millis(3003),
                outside_since: millis(4004),
                sent: u32::MAX,
                again_at: millis(6006),
            },
        ),
        (
            PostKey::Final,
            "NULL, NULL, NULL, NULL, 0, FALSE, NULL, NULL, NULL, 0, NULL",
            none.clone(),
        ),
        (
            PostKey::Invite,
            "NULL, NULL, NULL, NULL, 3, FALSE, 'deleted', NULL, NULL, 1, NULL",
            PostRow {
                rendered: 3,
                frozen: frozen(Frozen::Deleted),
                sent: 1,
                ..none.clone()
            },
        ),
        (
            PostKey::Artifact("rec:1".parse().unwrap()),
            "-1, 'a.b-c_d:e', NULL, NULL, 0, FALSE, NULL, NULL, NULL, 0, NULL",
            PostRow {
                first_tried_at: millis(-1),
                post: Some("a.b-c_d:e".parse().unwrap()),
                ..none.clone()
            },
        ),
        (
            PostKey::Answer("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()),
            "NULL, NULL, NULL, NULL, 0, TRUE, 'lapsed', NULL, NULL, 0, NULL",
            PostRow {
                answered: true,
                frozen: frozen(Frozen::Lapsed),
                ..none
            },
        ),
    ]
}

/// A meeting that is no row yet, with its posts, and the statements that write both as the version before did.
async fn written_before() -> (Meeting, String) {
    let bench = SqliteBench::new();
    let mut meeting = begun(&bench.open().await, "town", second(0)).await;
    let (id, first) = (meeting.id, meeting.requests[0].id);
    let body = serde_json::to_string(&meeting).unwrap().replace('\'', "''");
    let mut text = format!(
        "INSERT INTO meetings (id, room, place, running, state, title, channel_name, starter, requested_at,
             first_request, round, wake_at, body)
         VALUES ('{id}', '{}', 'p', TRUE, 'creating', 't', 'c', 's', 0, '{first}', 0, NULL, '{body}');",
        meeting.room
    );
    for (key, columns, row) in posts() {
        text += &format!(
            "INSERT INTO posts (meeting, key, first_tried_at, post, posted_at, root, rendered, answered, frozen,
                 tidy_at, outside_since, sent, again_at) VALUES ('{id}', '{key}', {columns});"
        );
        meeting.posts.insert(key, row);
    }
    (meeting, text)
}

async fn is_read_and_replaced(store: &Arc<dyn Store>, mut meeting: Meeting) {
    let id = meeting.id;
    assert_eq!(store.meeting(id).await.unwrap(), Some(meeting.clone()));
    for (key, row) in &meeting.posts {
        assert_eq!(store.post(id, key).await.unwrap().as_ref(), Some(row));
    }
    for post in ["post1", "a.b-c_d:e"] {
        let found = store.find(post).await.unwrap();
        assert_eq!(found.meeting, Some(id), "{post}");
    }
    let other: BTreeMap<_, _> = (meeting.posts.keys().cloned())
        .zip(meeting.posts.values().rev().cloned())
        .collect();
    for (key, row) in &other {
        store.put_post(id, key, row.clone()).await.unwrap();
    }
    meeting.posts = other;
    assert_eq!(store.meeting(id).await.unwrap(), Some(meeting));
}

#[tokio::test]
async fn sqlite_file_of_the_version_before_is_read_as_it_was_written() {
    let bench = SqliteBench::new();
    let (meeting, rows) = written_before().await;
    Connection::open(bench.path())
        .unwrap()
        .execute_batch(&format!("{SQLITE_BEFORE}{rows}"))
        .unwrap();
    is_read_and_replaced(&bench.open().await, meeting).await;
}

#[tokio::test]
async fn postgres_database_of_the_version_before_is_read_as_it_was_written() {
    let bench = PostgresBench::new().await;
    let (meeting, rows) = written_before().await;
    let lease = format!(
        "INSERT INTO leases VALUES ('{}', 'a', 1790000010000)",
        meeting.id
    );
    bench
        .execute(&format!("{POSTGRES_BEFORE}{rows}{lease}"))
        .await;
    let store = bench.open().await;
    for duty in [Duty::Posts(meeting.id), Duty::Sweep] {
        let lease = store.take_lease(duty, "b", second(9), Duration::from_secs(10));
        let held = Lease::Held { until: second(10) };
        assert_eq!(lease.await.unwrap(), held, "{duty} stays held");
    }
    is_read_and_replaced(&store, meeting).await;
}
