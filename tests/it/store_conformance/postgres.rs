//! The PostgreSQL store: the claims, and what only a database can do wrong.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use meetrelay::config::PostgresUrl;
use meetrelay::domain::apply::Effect;
use meetrelay::domain::{Fact, MeetingId, PostKey, PostRow, RoomId, State};
use meetrelay::ports::{DeadKind, DeadLetter, Duty, Lease, Store, StoreError};
use meetrelay::store::{Encryption, PostgresError, PostgresSettings, PostgresStore};
use tokio_postgres::NoTls;
use world::postgres::Postgres;

use super::bench::Bench;
use super::events::*;
use crate::harness::eventually;

super::store_conformance!(PostgresBench::new().await);

/// A database of its own.
pub(crate) struct PostgresBench {
    server: &'static Postgres,
    database: String,
}

impl PostgresBench {
    pub(crate) async fn new() -> Self {
        let server = Postgres::shared().await;
        let database = server.new_database().await;
        Self { server, database }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.database)
    }

    async fn prepared(&self) -> Result<PostgresStore, PostgresError> {
        prepared(settings(&self.url())).await
    }

    /// Does something behind the store's back, as the owner of the tables.
    pub(super) async fn execute(&self, text: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
        let driving = tokio::spawn(connection);
        client.batch_execute(text).await.unwrap();
        drop(client);
        driving.await.unwrap().unwrap();
    }
}

/// What a relay would use for this address.
pub(crate) fn settings(url: &str) -> PostgresSettings {
    let url = PostgresUrl::parse(url).unwrap();
    PostgresSettings {
        shown: url.shown().to_owned(),
        host: url.host,
        port: url.port,
        user: url.user,
        password: url.password,
        database: url.database,
        encryption: Encryption::Disable,
        ca_file: None,
        connections: 8,
        connect_timeout: Duration::from_secs(10),
        call_timeout: Duration::from_secs(20),
    }
}

async fn prepared(settings: PostgresSettings) -> Result<PostgresStore, PostgresError> {
    let store = PostgresStore::new(settings).await?;
    store.prepare().await?;
    Ok(store)
}

#[async_trait]
impl Bench for PostgresBench {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.prepared().await.unwrap())
    }

    async fn damage(&self, meeting: MeetingId) {
        self.execute(&format!(
            "UPDATE meetings SET body = '{{\"id\":\"secret\"}}' WHERE id = '{meeting}'"
        ))
        .await;
    }
}

/// What the start of a relay is told, which is a matter for a person.
async fn refusal(settings: PostgresSettings) -> String {
    match prepared(settings).await {
        Err(PostgresError::Refused(why)) => why,
        other => panic!("{other:?} is no refusal"),
    }
}

#[tokio::test]
async fn replicas_that_start_together_make_the_tables_once() {
    let bench = PostgresBench::new().await;
    let starting = (0..6).map(|_| bench.prepared());
    let stores = futures_util::future::try_join_all(starting).await.unwrap();
    for store in &stores {
        store.put_setting("n", "1").await.unwrap();
    }
    let (client, connection) = tokio_postgres::connect(&bench.url(), NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    let steps = client.query("SELECT number FROM meetrelay_migrations", &[]);
    assert_eq!(steps.await.unwrap().len(), 2);
    drop(client);
    driving.await.unwrap().unwrap();
}

#[tokio::test]
async fn database_of_a_newer_version_is_refused() {
    let bench = PostgresBench::new().await;
    bench.open().await.close().await;
    bench
        .execute("INSERT INTO meetrelay_migrations (number, name) VALUES (999, 'future')")
        .await;
    let why = refusal(settings(&bench.url())).await;
    assert!(
        why.contains("form 999") && why.contains("newer version again"),
        "{why}"
    );
}

#[tokio::test]
async fn database_of_another_program_is_refused_and_left_alone() {
    let bench = PostgresBench::new().await;
    bench.execute("CREATE TABLE orders (id int)").await;
    let why = refusal(settings(&bench.url())).await;
    assert!(why.contains("tables of another program"), "{why}");
    // Nothing of ours was made: with the other's table gone the database is empty.
    bench.execute("DROP TABLE orders").await;
    bench.open().await;
}

#[tokio::test]
async fn user_without_the_right_to_make_tables_works_on_those_that_are_there() {
    let bench = PostgresBench::new().await;
    let database = &bench.database;
    let least = format!("least_{database}");
    let own = settings(&bench.url());
    let user = &own.user;
    // Every session of the user there has no more rights than `least`.
    for text in [
        format!("CREATE ROLE {least}"),
        format!("GRANT {least} TO {user}"),
        format!("ALTER ROLE {user} IN DATABASE {database} SET role = {least}"),
    ] {
        bench.server.execute(&text).await;
    }
    let why = refusal(own.clone()).await;
    assert!(why.contains("GRANT CREATE ON SCHEMA public"), "{why}");
    let reset = format!("ALTER ROLE {user} IN DATABASE {database} RESET role");
    bench.server.execute(&reset).await;
    bench.open().await;
    let set = format!("ALTER ROLE {user} IN DATABASE {database} SET role = {least}");
    bench.server.execute(&set).await;
    let why = refusal(own.clone()).await;
    assert!(why.contains("meetrelay_migrations"), "{why}");
    let migrations = format!("SET ROLE NONE; GRANT SELECT ON meetrelay_migrations TO {least}");
    bench.execute(&migrations).await;
    let why = refusal(own.clone()).await;
    assert!(why.contains("may not work on the table"), "{why}");
    bench
        .execute(&format!(
            "SET ROLE NONE; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {least}"
        ))
        .await;
    let store: Arc<dyn Store> = Arc::new(prepared(own).await.unwrap());
    begun(&store, "town", second(0)).await;
    let mark = store.mark_redelivered("m").await.unwrap();
    assert_eq!(mark, 1);
}

#[tokio::test]
async fn missing_schema_and_foreign_encoding_are_refused() {
    let bench = PostgresBench::new().await;
    let database = &bench.database;
    bench
        .server
        .execute(&format!(
            "ALTER DATABASE {database} SET search_path = nowhere"
        ))
        .await;
    let why = refusal(settings(&bench.url())).await;
    assert!(why.contains("no schema to make tables in"), "{why}");
    let latin = format!("{database}_latin");
    bench
        .server
        .execute(&format!(
            "CREATE DATABASE {latin} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ))
        .await;
    let why = refusal(settings(&bench.server.url(&latin))).await;
    assert!(why.contains("encoded as LATIN1"), "{why}");
    bench.server.remove_database(&latin).await;
}

#[tokio::test]
async fn nul_characters_are_kept_as_another_and_stop_nothing() {
    let bench = PostgresBench::new().await;
    let store = bench.open().await;
    let nul = |at| {
        let mut asked = start("town", at);
        asked.event.origin.key.push('\0');
        if let Fact::MeetingRequested {
            place, by, rule, ..
        } = &mut asked.event.fact
        {
            place.channel_name.push('\0');
            by.user_name.push('\0');
            rule.title.push('\0');
        }
        asked
    };
    let asked = nul(second(0));
    let first = apply_one(&store, asked.clone()).await;
    let meeting = store.meeting(first.meeting.unwrap().0).await.unwrap();
    assert_eq!(meeting.unwrap().state(), State::Creating);
    assert_eq!(apply_one(&store, asked).await.effect, Effect::Duplicate);
    let offered = apply_one(&store, nul(second(1))).await;
    assert_eq!(offered.meeting, first.meeting, "the place is found again");
    store.put_setting("bot\0", "a\0b").await.unwrap();
    let stands = store.setting("bot\0").await.unwrap();
    assert_eq!(stands.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(store.mark_redelivered("m\0").await.unwrap(), 1);
    assert_eq!(store.mark_redelivered("m\0").await.unwrap(), 2);
    let letter = DeadLetter {
        id: "id\0".to_owned(),
        queue: "chat".to_owned(),
        kind: DeadKind::Unreadable,
        meeting: None,
        reason: "\0".to_owned(),
        buried_at: second(1),
        attempts: 1,
        body: b"\0".to_vec(),
    };
    store.bury(letter.clone()).await.unwrap();
    let kept = store.dead_letter("id\0").await.unwrap().unwrap();
    assert_eq!(kept.body, letter.body, "bytes stay as they are");
    assert!(store.find("\0").await.unwrap().meeting.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_found_one_meeting_in_one_place() {
    let bench = PostgresBench::new().await;
    let replicas = [bench.open().await, bench.open().await];
    for round in 0..10 {
        let town = format!("town-{round}");
        let starts = (0..8).map(|number| {
            let store = Arc::clone(&replicas[number % 2]);
            let asked = start(&town, second(0));
            tokio::spawn(async move { apply_one(&store, asked).await.meeting.unwrap().0 })
        });
        let met = futures_util::future::join_all(starts).await;
        let met: HashSet<MeetingId> = met.into_iter().map(Result::unwrap).collect();
        assert_eq!(met.len(), 1, "{town}");
        let id = met.into_iter().next().unwrap();
        let meeting = replicas[0].meeting(id).await.unwrap().unwrap();
        assert_eq!(
            meeting.requests.len(),
            2,
            "the first, and the newest of its person"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_at_two_replicas_is_applied_once() {
    let bench = PostgresBench::new().await;
    let replicas = [bench.open().await, bench.open().await];
    let meeting = open(&replicas[0], "town", "s1", second(0)).await;
    for number in 0..20 {
        let join = joined(
            session("s1", None, second(1)),
            &format!("n{number}"),
            second(1),
        );
        let ordered = Fact::EndOrdered {
            meeting: meeting.id,
        };
        let mut ordered = own(ordered, second(2));
        ordered.event.origin.key = format!("again-{number}");
        let both = replicas.iter().map(|store| {
            // Batches in another order each: neither may wait for the other for ever.
            let mut batch = vec![join.clone(), ordered.clone()];
            if Arc::ptr_eq(store, &replicas[1]) {
                batch.reverse();
            }
            async move { apply(store, &batch).await }
        });
        let both = futures_util::future::join_all(both).await;
        let mut counted = both.iter().flatten().map(|applied| applied.effect);
        let fresh = counted.by_ref().filter(|effect| *effect == Effect::Applied);
        assert_eq!(fresh.count(), 2, "each event once, the other time a double");
    }
    let history = replicas[0].history(meeting.id).await.unwrap();
    assert_eq!(history.len(), 2 + 2 * 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breakout_session_that_another_replica_is_learning_is_waited_for() {
    let bench = PostgresBench::new().await;
    let replicas = [bench.open().await, bench.open().await];
    let meeting = open(&replicas[0], "town", "s1", second(0)).await;
    let room: RoomId = format!("{}-1", meeting.room).parse().unwrap();
    for number in 0..20 {
        let sid = format!("b{number}");
        let named = joined(session(&sid, Some(&room), second(1)), "ben", second(1));
        let nameless = joined(session(&sid, None, second(1)), "cai", second(1));
        let (one, other) = tokio::join!(
            apply_one(&replicas[0], named),
            apply_one(&replicas[1], nameless.clone()),
        );
        assert_eq!(one.effect, Effect::Applied);
        // Whoever came first decides; it is never half of both.
        let known = other.effect == Effect::Applied;
        let again = apply_one(&replicas[1], nameless).await;
        assert_eq!(again.meeting.is_some(), known, "the first one counts");
    }
    let kept = replicas[1].meeting(meeting.id).await.unwrap().unwrap();
    assert_eq!(kept.breakouts.len(), 20);
}

#[tokio::test]
async fn rows_of_posts_are_written_while_their_meeting_is_locked() {
    let bench = PostgresBench::new().await;
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    let (client, connection) = tokio_postgres::connect(&bench.url(), NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    client
        .batch_execute("BEGIN; SELECT id FROM meetings FOR NO KEY UPDATE")
        .await
        .unwrap();
    let row = PostRow::default();
    let put = store.put_post(meeting.id, &PostKey::Card, row);
    let put = tokio::time::timeout(Duration::from_secs(5), put).await;
    put.expect("it does not wait for apply").unwrap();
    drop(client);
    driving.await.unwrap().unwrap();
}

#[tokio::test]
async fn lock_that_is_not_had_in_time_sends_the_store_away_and_nothing_is_written() {
    let bench = PostgresBench::new().await;
    let mut hasty = settings(&bench.url());
    hasty.call_timeout = Duration::from_millis(600);
    let store: Arc<dyn Store> = Arc::new(prepared(hasty).await.unwrap());
    let meeting = open(&store, "town", "s1", second(0)).await;
    let (client, connection) = tokio_postgres::connect(&bench.url(), NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    client
        .batch_execute("BEGIN; SELECT id FROM meetings FOR UPDATE")
        .await
        .unwrap();
    let join = joined(session("s1", None, second(1)), "ben", second(1));
    let met = store.apply(vec![join.clone()], policy(), second(1)).await;
    assert!(matches!(met, Err(StoreError::Unavailable(_))), "{met:?}");
    drop(client);
    driving.await.unwrap().unwrap();
    assert_eq!(apply_one(&store, join).await.effect, Effect::Applied);
    assert_eq!(store.history(meeting.id).await.unwrap().len(), 3);
}

#[tokio::test]
async fn caller_who_stops_waiting_leaves_no_open_transaction() {
    let bench = PostgresBench::new().await;
    let mut few = settings(&bench.url());
    few.connections = 2;
    let store: Arc<dyn Store> = Arc::new(prepared(few).await.unwrap());
    open(&store, "town", "s1", second(0)).await;
    for number in 0..20 {
        let name = format!("n{number}");
        let join = joined(session("s1", None, second(1)), &name, second(1));
        let applying = store.apply(vec![join.clone()], policy(), second(1));
        // Anywhere in the middle.
        let cut = tokio::time::timeout(Duration::from_micros(number * 200), applying);
        drop(cut.await);
        // It is there or it is not, and nobody waits for a lock that was left behind.
        apply_one(&store, join).await;
    }
    let found = store.find("s1").await.unwrap().meeting.unwrap();
    let meeting = store.meeting(found).await.unwrap().unwrap();
    assert_eq!(meeting.people.len(), 20);
}

#[tokio::test]
async fn killed_stopped_and_frozen_server_is_away_and_back_by_itself() {
    let server = Postgres::start_unsynced().await.unwrap();
    let database = server.new_database().await;
    let mut hasty = settings(&server.url(&database));
    hasty.call_timeout = Duration::from_secs(1);
    hasty.connect_timeout = Duration::from_secs(1);
    let store = Arc::new(prepared(hasty).await.unwrap()) as Arc<dyn Store>;
    store.put_setting("n", "0").await.unwrap();
    let is_unavailable = async || {
        let met = store.put_setting("n", "lost").await;
        assert!(matches!(met, Err(StoreError::Unavailable(_))), "{met:?}");
        let Err(StoreError::Unavailable(why)) = met else {
            unreachable!("it is away")
        };
        assert!(!why.contains(server.password()), "{why}");
    };
    let is_back = async |value: &str| {
        eventually("the server to be back", async || {
            store.put_setting("n", value).await.ok()
        })
        .await;
    };
    server.kill().await;
    is_unavailable().await;
    server.start_again().await;
    is_back("1").await;
    server.freeze().await;
    is_unavailable().await;
    server.thaw().await;
    is_back("2").await;
    server.close_all_connections().await;
    is_back("3").await;
    server.stop().await;
    is_unavailable().await;
    server.start_again().await;
    is_back("4").await;
}

#[tokio::test]
async fn connection_is_encrypted_and_the_certificate_verified() {
    let server = Postgres::start_with_tls().await.unwrap();
    let database = server.new_database().await;
    let with = |encryption, ca_file| PostgresSettings {
        encryption,
        ca_file,
        ..settings(&server.url(&database))
    };
    let why = refusal(with(Encryption::Disable, None)).await;
    assert!(why.contains("sslmode=require"), "{why}");
    for encryption in [Encryption::Prefer, Encryption::Require] {
        let why = refusal(with(encryption, None)).await;
        assert!(why.contains("store.ca_file"), "{why}");
        let why = refusal(with(encryption, Some(server.wrong_ca_file()))).await;
        assert!(
            why.contains("is not issued by any of the authorities of store.ca_file"),
            "{why}"
        );
        let good = prepared(with(encryption, Some(server.ca_file())))
            .await
            .unwrap();
        good.put_setting("n", "1").await.unwrap();
    }
    let plain = Postgres::shared().await;
    let database = plain.new_database().await;
    let mut settings = settings(&plain.url(&database));
    settings.encryption = Encryption::Require;
    let why = refusal(settings.clone()).await;
    assert!(why.contains("the server has no TLS"), "{why}");
    settings.encryption = Encryption::Prefer;
    prepared(settings).await.unwrap();
}

#[tokio::test]
async fn lease_and_duty_of_a_clock_that_was_ahead_count_as_free() {
    let bench = PostgresBench::new().await;
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let length = Duration::from_secs(10);
    let (years_on, now) = (second(100_000_000), second(1));
    store
        .take_lease(Duty::Posts(meeting), "ahead", years_on, length)
        .await
        .unwrap();
    store
        .take_lease(Duty::Sweep, "ahead", years_on, length)
        .await
        .unwrap();
    let until = now.plus(length);
    let lease = store
        .take_lease(Duty::Posts(meeting), "right", now, length)
        .await;
    assert_eq!(lease.unwrap(), Lease::Taken { until });
    let duty = store.take_lease(Duty::Sweep, "right", now, length).await;
    assert_eq!(duty.unwrap(), Lease::Taken { until });
}
