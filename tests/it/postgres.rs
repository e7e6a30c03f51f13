//! The relay with PostgreSQL as its store: how it starts, and what it does while the database is away.

use std::time::Duration;

use tokio::process::{Child, Command};
use world::postgres::Postgres;

use crate::faults::queue::start::{SECRET, Start};
use crate::harness::{PATIENCE, Ports, Setup, StoreEnd, World, client, eventually};

const URL: &str = "MEETRELAY__STORE__URL";
/// What keeps ingress independent of the store.
const OWN_SECRET: &str = "a-signing-secret-of-forty-characters-now";

fn start(url: &str) -> Start {
    Start::with("embedded").and(URL, url)
}

#[tokio::test]
async fn wrong_password_ends_the_start_with_one_line() {
    let server = Postgres::shared().await;
    let database = server.new_database().await;
    let url = server.url(&database).replace(server.password(), SECRET);
    let said = start(&url).refusal().await;
    assert!(said.contains("store.url postgres://"), "{said}");
    assert!(said.contains("refuses user or password"), "{said}");
}

#[tokio::test]
async fn missing_database_ends_the_start_with_one_line() {
    let server = Postgres::shared().await;
    let said = start(&server.url("nowhere")).refusal().await;
    assert!(said.contains("no such database"), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    assert!(!said.contains(server.password()), "{said}");
}

#[tokio::test]
async fn server_without_tls_ends_the_start_with_one_line() {
    let server = Postgres::shared().await;
    let database = server.new_database().await;
    let url = format!("{}?sslmode=require", server.url(&database));
    let said = start(&url).refusal().await;
    assert!(said.contains("the server has no TLS"), "{said}");
    let missing = start(&url).and("MEETRELAY__STORE__CA_FILE", "/nowhere/ca.pem");
    let said = missing.refusal().await;
    assert!(
        said.contains("store.ca_file /nowhere/ca.pem: No such file"),
        "{said}"
    );
}

async fn own_store() -> (StoreEnd, std::sync::Arc<Postgres>) {
    let store = StoreEnd::own().await;
    let StoreEnd::Own(server, _) = &store else {
        unreachable!("own is own");
    };
    let server = std::sync::Arc::clone(server);
    (store, server)
}

fn hasty() -> Setup {
    Setup::default()
        .set("SERVER__SIGNING_SECRET", OWN_SECRET)
        .set("STORE__CALL_TIMEOUT", "1s")
        .set("STORE__CONNECT_TIMEOUT", "1s")
}

/// What the hook was answered with.
async fn last_answer(world: &World, number: usize) -> u16 {
    world
        .see("the trigger's answer", |_| {
            let deliveries = world.chat.deliveries();
            let answer = &deliveries.get(number)?.answer;
            answer.as_ref().ok().map(|(status, _)| *status)
        })
        .await
}

#[tokio::test]
async fn store_away_at_the_start_is_waited_for_while_events_are_accepted() {
    let (store, server) = own_store().await;
    server.stop().await;
    let world = hasty().store(store).start().await;
    world
        .relay
        .await_metric("meetrelay_ready{check=\"store\"} 0")
        .await;
    world.chat.say("ana", "dev", "meet now: early").await;
    assert_eq!(last_answer(&world, 0).await, 200, "it is accepted");
    let page = format!("{}/join/none", world.relay.ports.public_url());
    let answer = client().get(&page).send().await.unwrap();
    assert_eq!(answer.status(), 404, "pages answer");
    server.start_again().await;
    world.card("dev", "early").await;
    world
        .relay
        .await_metric("meetrelay_ready{check=\"store\"} 1")
        .await;
    let log = world.relay.log();
    assert!(
        log.contains("the store is available again: waiting work continues"),
        "{log}"
    );
    assert!(!log.contains(server.password()));
    let told = log.matches("\"ERROR\"").count();
    assert!(told <= 3, "a line a minute, not one a try: {told}\n{log}");
    world.finish().await;
}

#[tokio::test]
async fn without_a_signing_secret_nothing_is_served_before_the_store_is_there() {
    let (_store, server) = own_store().await;
    let database = server.new_database().await;
    server.stop().await;
    let ports = Ports::free();
    let listen = |port| format!("127.0.0.1:{port}");
    let start = start(&server.url(&database))
        .and("MEETRELAY__SERVER__LISTEN", &listen(ports.public))
        .and("MEETRELAY__SERVER__ADMIN_LISTEN", &listen(ports.admin));
    let status = async |base: String, path: &str| {
        let answer = client().get(format!("{base}/{path}")).send().await;
        answer.map(|answer| answer.status().as_u16()).ok()
    };
    let answers = async |base: String, path: &str, expected: u16| {
        let what = format!("{path} to answer {expected}");
        eventually(&what, async || {
            (status(base.clone(), path).await == Some(expected)).then_some(())
        })
        .await;
    };
    let mut waiting = start.spawn();
    start.await_log("it keeps the signing secret").await;
    for (path, expected) in [("livez", 200), ("readyz", 503), ("startupz", 503)] {
        answers(ports.admin_url(), path, expected).await;
    }
    assert_eq!(status(ports.public_url(), "healthz").await, None);
    // A stop is no failure here either.
    assert_eq!(stop(&mut waiting).await, Some(0));
    let mut waiting = start.spawn();
    server.start_again().await;
    answers(ports.admin_url(), "readyz", 200).await;
    answers(ports.public_url(), "healthz", 200).await;
    assert_eq!(stop(&mut waiting).await, Some(0));
}

/// SIGTERM, and the exit code.
async fn stop(child: &mut Child) -> Option<i32> {
    let id = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(sent.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    ended.expect("it ends in time").unwrap().code()
}

#[tokio::test]
async fn store_killed_and_frozen_under_work_delays_and_loses_nothing() {
    let (store, server) = own_store().await;
    let world = hasty().store(store).start().await;
    let (card, room) = world.meeting("dev", "before").await;
    let room = room.room_id;
    for (number, channel) in ["town-square", "off-topic"].into_iter().enumerate() {
        if number == 0 {
            server.kill().await;
        } else {
            server.freeze().await;
        }
        let began = tokio::time::Instant::now();
        world.chat.say("ana", channel, "meet now: meanwhile").await;
        assert_eq!(last_answer(&world, number + 1).await, 200);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "ingress does not wait"
        );
        let name = format!("Person {number}");
        world
            .conference
            .join(&room, &name, &format!("u-{number}"))
            .unwrap();
        world
            .relay
            .await_metric("meetrelay_ready{check=\"store\"} 0")
            .await;
        if number == 0 {
            server.start_again().await;
        } else {
            server.thaw().await;
        }
        world.card(channel, "meanwhile").await;
    }
    world
        .see("both people on the card", |chat| {
            let text = chat.post(&card.id)?.attachments()[0].to_string();
            (text.contains("Person 0") && text.contains("Person 1")).then_some(())
        })
        .await;
    let dead = world.relay.dead_letters().await;
    assert!(dead.is_empty(), "nothing was given up: {dead:?}");
    world.finish().await;
}

#[tokio::test]
async fn join_page_says_that_the_store_is_away() {
    let (store, server) = own_store().await;
    let world = hasty().store(store).start().await;
    let card = world.card_of("ana", "dev", "doors").await;
    let text = card.attachments()[0].to_string();
    let from = text.find("/join/").unwrap();
    let end = text[from..].find([')', '"', ' ']).unwrap();
    let link = format!(
        "{}{}",
        world.relay.ports.public_url(),
        &text[from..from + end]
    );
    assert_eq!(client().get(&link).send().await.unwrap().status(), 200);
    server.stop().await;
    let answer = tokio::time::timeout(PATIENCE, client().get(&link).send());
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.status(), 503);
    let page = answer.text().await.unwrap();
    assert!(page.contains("ref "), "{page}");
    server.start_again().await;
    eventually("the page, as before", async || {
        let answer = client().get(&link).send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
    world.finish().await;
}
