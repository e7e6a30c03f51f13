//! An accepted event that disappears is told: neither settled nor in a queue.

use rusqlite::Connection;
use world::broker::Broker;

use crate::harness::{BackEnd, Setup, StoreEnd, accepted};

/// A new virtual host of the broker that all tests share, whatever this run is about.
async fn rabbitmq() -> BackEnd {
    let broker = Broker::shared().await;
    BackEnd::Shared(broker, broker.new_vhost().await)
}

#[tokio::test]
async fn events_of_a_purged_queue_are_counted_and_named() {
    let back_end = rabbitmq().await;
    let mut world = Setup::default()
        .back_end(back_end)
        .store(StoreEnd::Sqlite)
        .set("QUEUE__PREFETCH", "1")
        // It would find the phrases that were lost.
        .set("MATTERMOST__CATCH_UP", "false")
        .start()
        .await;
    // While its store cannot be written the relay keeps the first event in its hand, and the others wait.
    let store = Connection::open(world.data().join("meetrelay.db")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    for (number, channel) in ["dev", "weekly", "off-topic"].into_iter().enumerate() {
        world.chat.say("ana", channel, "meet now").await;
        let is_there = |_: &_| (accepted(&world.relay.log()).len() > number).then_some(());
        world.see("the event is accepted", is_there).await;
    }
    world.relay.await_log("the store is unavailable").await;
    let (broker, vhost) = world.back_end.broker().unwrap();
    broker
        .ctl(&["purge_queue", "-p", vhost, "meetrelay.events"])
        .await;
    store.execute_batch("COMMIT").unwrap();
    world.card("dev", "ana").await;
    world
        .relay
        .await_metric("meetrelay_unaccounted_events 2")
        .await;
    let told = "neither settled nor in a queue";
    world.relay.await_log(told).await;
    let log = world.relay.log();
    let line = log.lines().find(|line| line.contains(told)).unwrap();
    // Ids are drawn in the order of time.
    let ids: Vec<String> = accepted(&log).into_iter().collect();
    let is_named = ids.iter().take(3).map(|id| line.contains(id.as_str()));
    assert_eq!(is_named.collect::<Vec<_>>(), [false, true, true], "{line}");
    assert_eq!(
        world.cards("weekly").len() + world.cards("off-topic").len(),
        0
    );
    world.is_store_spoiled = true;
    world.finish().await;
}
