//! Full disks (Q13): said to whoever asks, nothing lost that was accepted, and over when there is room.

use std::time::Duration;

use world::plugnmeet::sign_webhook;

use super::disk::SmallDisk;
use super::{ask, each_has_one_card, is_accepted, on_files, ready};
use crate::harness::{BackEnd, Setup, StoreEnd, World, client};

/// Far more than go into what is left of a full disk.
const ASKED_MAX: usize = 300;

/// Asks until the relay refuses; the channels whose meetings were accepted.
pub(in crate::faults) async fn ask_until_refused(world: &World) -> Vec<String> {
    let mut accepted = Vec::new();
    for number in 0..ASKED_MAX {
        let channel = format!("full-{number}");
        let answer = ask(world, &channel).await;
        if is_accepted(&answer) {
            accepted.push(channel);
            continue;
        }
        let (status, body) = answer.unwrap();
        assert_eq!(status, 503, "{body}");
        assert!(
            body.contains("\"text\"") && body.contains("ref "),
            "people see it: {body}"
        );
        return accepted;
    }
    panic!("a full disk takes everything");
}

pub(in crate::faults) async fn command_is_refused_visibly(world: &World) {
    let answer = world
        .chat
        .command("ana", "off-topic", "/plugnmeet start talk", None)
        .await;
    assert_eq!((answer.status, &*answer.response_type), (200, "ephemeral"));
    assert!(
        answer.text.contains("ref ") && !answer.text.contains("/join/"),
        "{}",
        answer.text
    );
}

pub(in crate::faults) async fn webhook_is_refused(world: &World) {
    let deliveries = world.conference.deliveries();
    let body = deliveries.last().expect("a meeting ran").body.to_string();
    let options = world.conference.options();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    let token = sign_webhook(&options.api_key, &options.api_secret, body.as_bytes(), now);
    let url = format!("{}/plugnmeet/webhook", world.relay.ports.public_url());
    let request = client().post(url).header("authorization", &token);
    let request = request.header("content-type", "application/webhook+json");
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
}

async fn refuses_and_recovers(world: World, disk: &SmallDisk) {
    assert!(is_accepted(&ask(&world, "before").await));
    each_has_one_card(&world, &["before".to_owned()]).await;
    disk.fill();
    let mut accepted = ask_until_refused(&world).await;
    command_is_refused_visibly(&world).await;
    webhook_is_refused(&world).await;
    ready(&world, 503).await;
    world
        .relay
        .await_metric("meetrelay_ready{check=\"queue\"} 0")
        .await;
    // What only reads goes on.
    let base = world.relay.ports.public_url();
    assert_eq!(
        client()
            .get(format!("{base}/healthz"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    world.relay.cli_ok(&["meetings", "list", "--json"]).await;
    disk.free();
    ready(&world, 200).await;
    assert!(is_accepted(&ask(&world, "after").await));
    accepted.extend(["before".to_owned(), "after".to_owned()]);
    each_has_one_card(&world, &accepted).await;
    assert_eq!(world.conference.rooms().len(), accepted.len());
    world.finish().await;
}

#[tokio::test]
async fn q13_full_disk_under_the_queue_is_told_and_loses_nothing() {
    let disk = SmallDisk::new();
    let path = disk.path().join("queue.db");
    let setup = disk
        .under(on_files())
        .set("QUEUE__PATH", path.to_str().unwrap());
    refuses_and_recovers(setup.start().await, &disk).await;
}

/// Events wait in the queue while the store's disk is full.
#[tokio::test]
async fn q13_full_disk_under_the_store_delays_cards_and_loses_none() {
    let disk = SmallDisk::new();
    let url = format!("sqlite:{}", disk.path().join("meetrelay.db").display());
    let setup = disk.under(on_files()).set("STORE__URL", &url);
    let mut world = setup.start().await;
    disk.fill();
    let mut channels = Vec::new();
    for number in 0..20 {
        let channel = format!("room-{number}");
        assert!(is_accepted(&ask(&world, &channel).await));
        channels.push(channel);
    }
    world.relay.await_log("the store is unavailable").await;
    // Nor does a start lose them that happens meanwhile and cannot write.
    ready(&world, 200).await;
    disk.free();
    each_has_one_card(&world, &channels).await;
    assert_eq!(world.conference.rooms().len(), channels.len());
    world.is_store_spoiled = true;
    world.finish().await;
}

/// Neither RabbitMQ nor the spool can take an event.
#[tokio::test]
async fn q13_full_disk_under_the_spool_is_told_and_loses_nothing() {
    let disk = SmallDisk::new();
    let back_end = BackEnd::own().await;
    let setup = Setup::default()
        .back_end(back_end)
        .store(StoreEnd::Sqlite)
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("SERVER__DATA_DIR", disk.path().to_str().unwrap());
    let mut world = disk.under(setup).start().await;
    assert!(is_accepted(&ask(&world, "before").await));
    each_has_one_card(&world, &["before".to_owned()]).await;
    let (broker, _) = world.back_end.broker().unwrap();
    broker.stop_app().await;
    world
        .relay
        .await_metric("meetrelay_ready{check=\"amqp_publisher\"} 0")
        .await;
    assert!(
        is_accepted(&ask(&world, "spooled").await),
        "the spool takes it"
    );
    disk.fill();
    let mut accepted = ask_until_refused(&world).await;
    command_is_refused_visibly(&world).await;
    webhook_is_refused(&world).await;
    ready(&world, 503).await;
    disk.free();
    ready(&world, 200).await;
    assert!(is_accepted(&ask(&world, "after").await));
    broker.start_app().await;
    accepted.extend(["before", "spooled", "after"].map(str::to_owned));
    tokio::time::timeout(
        Duration::from_secs(60),
        each_has_one_card(&world, &accepted),
    )
    .await
    .unwrap();
    world.is_store_spoiled = true;
    world.finish().await;
}
