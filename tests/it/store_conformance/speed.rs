//! How fast the stores are, told and not judged:
//! `cargo test --test it store_conformance::speed -- --ignored --nocapture --test-threads 1`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use meetrelay::ports::{Duty, Incoming, Store};
use meetrelay::store::PostgresStore;
use world::postgres::Postgres;

use super::bench::Bench;
use super::events::*;
use super::postgres::settings;
use super::sqlite::SqliteBench;

const BATCH: usize = 64;
const EVENTS: usize = 64 * 200;

/// Ten meetings in turn, each with its start, its room and eight joins, then its end.
fn day() -> Vec<Incoming> {
    let mut events = Vec::with_capacity(EVENTS);
    let mut number = 0;
    while events.len() < EVENTS {
        number += 1;
        let sid = format!("s{number}");
        let meeting = drawn();
        let asked = request(meeting, &format!("c{number}"), "ana");
        events.push(own(asked, second(number)));
        events.push(room_created(meeting, &sid, second(number)));
        for person in 0..8 {
            let session = session(&sid, None, second(number));
            events.push(joined(
                session,
                &format!("n{number}-{person}"),
                second(number),
            ));
        }
        events.push(ended(session(&sid, None, second(number)), second(number)));
    }
    events.truncate(EVENTS);
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, for people"]
async fn sqlite() {
    measure(&SqliteBench::new().open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, for people"]
async fn postgres() {
    // One that syncs, unlike that of the other tests.
    let server = Postgres::start().await.unwrap();
    let url = server.url(&server.new_database().await);
    let store = PostgresStore::new(settings(&url)).await.unwrap();
    store.prepare().await.unwrap();
    measure(&(Arc::new(store) as Arc<dyn Store>)).await;
}

#[expect(clippy::print_stderr, reason = "the numbers are what it is for")]
async fn measure(store: &Arc<dyn Store>) {
    let events = day();
    let began = Instant::now();
    for batch in events.chunks(BATCH) {
        apply(store, batch).await;
    }
    let took = began.elapsed();
    tell("apply, batches of 64", EVENTS, took);

    let one = open(store, "town", "busy", second(0)).await.id;
    let joins: Vec<_> = (0..1000)
        .map(|number| {
            let session = session("busy", None, second(1));
            joined(session, &format!("busy{number}"), second(1))
        })
        .collect();
    let began = Instant::now();
    for batch in joins.chunks(BATCH) {
        apply(store, batch).await;
    }
    tell(
        "apply, one meeting of up to 1000",
        joins.len(),
        began.elapsed(),
    );

    let began = Instant::now();
    for event in events.iter().take(500) {
        apply(store, std::slice::from_ref(event)).await;
    }
    tell("apply, single doubles", 500, began.elapsed());

    let began = Instant::now();
    for _ in 0..1000 {
        let length = Duration::from_secs(1);
        store
            .take_lease(Duty::Posts(one), "a", second(0), length)
            .await
            .unwrap();
    }
    tell("take_lease, one after the other", 1000, began.elapsed());

    let began = Instant::now();
    for number in 0..500 {
        let value = number.to_string();
        store.put_setting("n", &value).await.unwrap();
    }
    tell("one write after the other", 500, began.elapsed());

    #[expect(clippy::items_after_statements, reason = "used above alone")]
    fn tell(what: &str, count: usize, took: Duration) {
        let rate = count as f64 / took.as_secs_f64();
        eprintln!("{what}: {count} in {took:.2?}, {rate:.0}/s");
    }
}
