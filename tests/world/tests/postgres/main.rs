//! The PostgreSQL of the tests is real, apart, and gone afterwards.

#[path = "../common/holding.rs"]
mod holding;

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::{Client, Error, NoTls};
use world::postgres::Postgres;

use holding::{await_nothing_left, kill_a_holder, processes, told_at};

/// Makes this binary hold a cluster until it is killed, for [`cluster_ends_with_a_killed_process`].
const HOLD: &str = "MEETRELAY_TEST_HOLD_A_CLUSTER";

#[tokio::test]
async fn databases_are_fresh_and_keep_apart() {
    let postgres = Postgres::shared().await;
    let (one, other) = (postgres.new_database().await, postgres.new_database().await);
    let client = connect(&postgres.url(&one)).await.unwrap();
    fill(&client).await;
    let rows = postgres.dump(&one).await;
    assert!(rows[0].0 == "public.words" && rows[0].1.contains("CANARY"));
    assert!(rows[0].1.contains("bytes too"), "{rows:?}");
    assert!(postgres.dump(&other).await.is_empty());
    assert_eq!(postgres.connections(&one).await, 1);
    postgres.remove_database(&one).await;
    assert!(connect(&postgres.url(&one)).await.is_err());
}

#[tokio::test]
async fn password_is_asked_for_and_the_owner_is_no_administrator() {
    let postgres = Postgres::shared().await;
    let database = postgres.new_database().await;
    let url = postgres.url(&database);
    let wrong = url.replace(postgres.password(), "guessed");
    let refused = connect(&wrong).await.err().unwrap();
    assert_eq!(refused.code().unwrap().code(), "28P01");
    let owner = connect(&url).await.unwrap();
    let refused = owner.simple_query("CREATE ROLE other").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
}

#[tokio::test]
async fn cluster_with_tls_refuses_the_owner_without() {
    let postgres = Postgres::start_with_tls().await.unwrap();
    let database = postgres.new_database().await;
    let refused = connect(&postgres.url(&database)).await.err().unwrap();
    assert_eq!(refused.code().unwrap().code(), "28000");
    assert_eq!(postgres.execute("SHOW ssl").await, ["on"]);
    let pem = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    assert_ne!(pem(postgres.ca_file()), pem(postgres.wrong_ca_file()));
}

#[tokio::test]
async fn troubled_cluster_keeps_what_was_committed_and_leaves_nothing() {
    let postgres = Postgres::start().await.unwrap();
    let database = postgres.new_database().await;
    let url = postgres.url(&database);
    let client = connect(&url).await.unwrap();
    fill(&client).await;
    assert_eq!(postgres.close_all_connections().await, 1);
    assert!(client.simple_query("SELECT 1").await.is_err());
    let client = connect(&url).await.unwrap();
    postgres.freeze().await;
    let late = tokio::time::timeout(Duration::from_millis(300), client.simple_query("SELECT 1"));
    assert!(late.await.is_err(), "a frozen server answers nothing");
    let late = tokio::time::timeout(Duration::from_millis(300), connect(&url));
    assert!(late.await.is_err(), "and takes nobody in");
    postgres.thaw().await;
    client.simple_query("SELECT 1").await.unwrap();
    postgres.freeze().await;
    postgres.kill().await;
    assert!(connect(&url).await.is_err(), "nobody listens");
    postgres.start_again().await;
    assert_eq!(postgres.dump(&database).await.len(), 1);
    postgres.stop().await;
    assert!(connect(&url).await.is_err(), "nobody listens");
    postgres.start_again().await;
    connect(&url).await.unwrap();
    let folder = postgres.folder().to_owned();
    assert!(processes(&folder).len() >= 2, "keeper and server run");
    drop(postgres);
    await_nothing_left(&folder).await;
}

/// Not a test of its own: the process that [`cluster_ends_with_a_killed_process`] kills.
#[tokio::test]
async fn hold_a_cluster() {
    let Some(tell) = told_at(HOLD) else {
        return;
    };
    let postgres = Postgres::shared().await;
    std::fs::write(&tell, postgres.folder().to_str().unwrap()).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn cluster_ends_with_a_killed_process() {
    let (folder, running) = kill_a_holder("hold_a_cluster", HOLD, "MEETRELAY_TEST_POSTGRES").await;
    assert!(running >= 2, "keeper and server run");
    await_nothing_left(&folder).await;
}

async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn fill(client: &Client) {
    let table = "CREATE TABLE words (word text, raw bytea); \
                 INSERT INTO words VALUES ('CANARY', convert_to('bytes too', 'UTF8'))";
    client.batch_execute(table).await.unwrap();
}
