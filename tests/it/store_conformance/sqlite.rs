//! The SQLite store: the claims, and what only a file can do wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use meetrelay::domain::MeetingId;
use meetrelay::ports::{Duty, Lease, Store};
use meetrelay::store::{OpenError, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use super::bench::{Bench, reopen};
use super::events::{begun, second};

super::store_conformance!(SqliteBench::new());

/// A directory with one file in it.
pub(crate) struct SqliteBench(TempDir);

impl SqliteBench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("meetrelay.db")
    }
}

#[async_trait]
impl Bench for SqliteBench {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.path()).unwrap())
    }

    async fn damage(&self, meeting: MeetingId) {
        let changed = Connection::open(self.path())
            .unwrap()
            .execute(
                "UPDATE meetings SET body = '{\"id\":\"secret\"}' WHERE id = ?1",
                [meeting.to_string()],
            )
            .unwrap();
        assert_eq!(changed, 1);
    }
}

fn text_of(error: &OpenError) -> String {
    error.to_string()
}

#[tokio::test]
async fn migrations_are_recorded_and_applied_once() {
    let bench = SqliteBench::new();
    for _ in 0..3 {
        bench.open().await.close().await;
    }
    let steps: i64 = Connection::open(bench.path())
        .unwrap()
        .query_row("SELECT count(*) FROM migrations", [], |row| row.get(0))
        .unwrap();
    assert_eq!(steps, 4);
}

#[tokio::test]
async fn file_of_a_newer_version_is_refused_and_left_alone() {
    let bench = SqliteBench::new();
    bench.open().await.close().await;
    Connection::open(bench.path())
        .unwrap()
        .execute(
            "INSERT INTO migrations (number, name) VALUES (999, 'future')",
            [],
        )
        .unwrap();
    let before = std::fs::read(bench.path()).unwrap();
    let error = SqliteStore::open(&bench.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 999, .. }));
    assert!(text_of(&error).contains("run the newer version"), "{error}");
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

#[tokio::test]
async fn file_of_another_program_is_refused() {
    let bench = SqliteBench::new();
    Connection::open(bench.path())
        .unwrap()
        .execute_batch("CREATE TABLE messages (id)")
        .unwrap();
    let error = SqliteStore::open(&bench.path()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(text_of(&error).contains("meetrelay.db"), "{error}");
}

#[tokio::test]
async fn file_that_is_no_database_is_refused() {
    let bench = SqliteBench::new();
    std::fs::write(
        bench.path(),
        "just text, and more than a header of it\n".repeat(50),
    )
    .unwrap();
    let error = SqliteStore::open(&bench.path()).unwrap_err();
    assert!(matches!(error, OpenError::Sqlite { .. }), "{error}");
}

#[tokio::test]
async fn missing_directory_is_named() {
    let error = SqliteStore::open(Path::new("/nonexistent/meetrelay.db")).unwrap_err();
    assert!(matches!(error, OpenError::NotMade { .. }), "{error}");
    assert!(
        text_of(&error).contains("/nonexistent/meetrelay.db"),
        "{error}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_readable_by_their_user_alone() {
    use std::os::unix::fs::PermissionsExt;

    let bench = SqliteBench::new();
    let store = bench.open().await;
    store.put_setting("signing_secret", "s").await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(bench.0.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 2, "the file and its log");
}

#[tokio::test]
async fn leases_end_with_the_process() {
    let bench = SqliteBench::new();
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let length = Duration::from_secs(3600);
    store
        .take_lease(Duty::Posts(meeting), "old", second(0), length)
        .await
        .unwrap();
    let store = reopen(&bench, store).await;
    let lease = store
        .take_lease(Duty::Posts(meeting), "new", second(1), length)
        .await;
    assert_eq!(
        lease.unwrap(),
        Lease::Taken {
            until: second(1).plus(length)
        }
    );
}

#[tokio::test]
async fn lookups_and_listings_read_no_table_from_end_to_end() {
    let bench = SqliteBench::new();
    bench.open().await.close().await;
    let file = Connection::open(bench.path()).unwrap();
    let plan = |query: &str| -> String {
        let mut statement = file
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .unwrap();
        let steps = statement.query_map([], |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        steps.join("; ")
    };
    let searches = [
        "SELECT id FROM meetings WHERE place = '' AND running = 1
         ORDER BY requested_at DESC, id DESC LIMIT 1",
        "SELECT id FROM meetings WHERE room = ''",
        "SELECT id, round FROM meetings WHERE wake_at <= 1 ORDER BY wake_at, id LIMIT 1",
        "SELECT title FROM meetings WHERE running = 1 ORDER BY requested_at DESC, id DESC LIMIT 1",
        "SELECT title FROM meetings ORDER BY requested_at DESC, id DESC LIMIT 1",
        "SELECT count(*) FROM meetings WHERE running = 1",
        "SELECT event FROM events WHERE meeting = '' ORDER BY line LIMIT 1",
        "SELECT line FROM events WHERE applied_at < 1 ORDER BY applied_at LIMIT 1",
        "SELECT source, key FROM seen WHERE at < 1 ORDER BY at LIMIT 1",
        "SELECT kind FROM events WHERE event = '' ORDER BY line LIMIT 1",
        "SELECT meeting FROM posts WHERE post = ''",
        "SELECT job FROM attempts WHERE meeting = '' ORDER BY line",
        "SELECT line FROM attempts WHERE began_at < 1 ORDER BY began_at LIMIT 1",
        "SELECT line FROM notes WHERE at < 1 ORDER BY at LIMIT 1",
        "SELECT reason FROM dead_letters ORDER BY buried_at DESC, id DESC LIMIT 1",
    ];
    for query in searches {
        let plan = plan(query);
        assert!(plan.contains("INDEX"), "{query}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{query}: {plan}");
    }
}
