//! The broker of the tests is real, apart, and gone afterwards.

#[path = "../common/holding.rs"]
mod holding;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use world::broker::Broker;

use holding::{PATIENCE, await_nothing_left, kill_a_holder, processes, told_at};

/// Makes this binary hold a broker until it is killed, for [`broker_ends_with_a_killed_process`].
const HOLD: &str = "MEETRELAY_TEST_HOLD_A_BROKER";

#[tokio::test]
async fn vhosts_are_fresh_and_keep_apart() {
    let broker = Broker::shared().await;
    let (one, other) = (broker.new_vhost().await, broker.new_vhost().await);
    let channel = channel(&broker.url(&one)).await;
    declare(&channel, "jobs").await;
    publish(&channel, "jobs").await;
    assert_eq!(broker.depth(&one, "jobs").await, Some(1));
    assert_eq!(broker.depth(&other, "jobs").await, None);
    assert_eq!(broker.queues(&one).await, ["jobs"]);
    for _ in 0..2 {
        let messages = broker.messages(&one).await;
        let [(queue, text)] = messages.as_slice() else {
            panic!("one message, and it stays there: {messages:?}");
        };
        assert!(queue == "jobs" && text.contains("body"), "{text}");
    }
    assert!(broker.queues(&other).await.is_empty());
    broker.remove_vhost(&one).await;
    assert!(
        Connection::connect(&broker.url(&one), ConnectionProperties::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn user_may_do_what_its_patterns_say() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let admin = channel(&broker.url(&vhost)).await;
    declare(&admin, "jobs").await;
    broker
        .add_user("writer", "secret-words", &vhost, "^$", ".*", "^$")
        .await;
    let url = broker.url_as("writer", "secret-words", &vhost);
    publish(&channel(&url).await, "jobs").await;
    let refused = channel(&url)
        .await
        .basic_get("jobs".into(), BasicGetOptions::default())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("ACCESS_REFUSED"), "{refused}");
}

#[tokio::test]
async fn tls_is_served_with_a_certificate_of_the_private_authority() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let connect = async |ca: PathBuf| {
        let chain = std::fs::read_to_string(ca).unwrap();
        let config = lapin::tcp::OwnedTLSConfig {
            identity: None,
            cert_chain: Some(chain),
        };
        let options = ConnectionProperties::default();
        let runtime = lapin::runtime::default_runtime().unwrap();
        let url = broker.tls_url(&vhost);
        Connection::connect_with_config(&url, options, config, runtime).await
    };
    let trusted = connect(broker.ca_file()).await;
    assert!(trusted.is_ok(), "{trusted:?}");
    let refused = connect(broker.wrong_ca_file()).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
}

#[tokio::test]
async fn definitions_are_imported() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let file = broker.folder().join(format!("{vhost}.json"));
    let definitions = format!(
        r#"{{"queues":[{{"name":"imported","vhost":"{vhost}","durable":true,"auto_delete":false,"arguments":{{}}}}]}}"#
    );
    std::fs::write(&file, definitions).unwrap();
    broker.import_definitions(&file).await;
    assert_eq!(broker.depth(&vhost, "imported").await, Some(0));
}

#[tokio::test]
async fn killed_and_restarted_broker_keeps_confirmed_messages() {
    let broker = Broker::start().await.unwrap();
    let vhost = broker.new_vhost().await;
    let url = broker.url(&vhost);
    let before = channel(&url).await;
    declare(&before, "jobs").await;
    publish(&before, "jobs").await;
    broker.kill().await;
    let error = Connection::connect(&url, ConnectionProperties::default()).await;
    assert!(error.is_err(), "nobody listens");
    broker.restart().await;
    let got = channel(&url)
        .await
        .basic_get("jobs".into(), BasicGetOptions::default())
        .await
        .unwrap();
    assert!(got.is_some(), "the message is there");
    broker.freeze().await;
    let connect = Connection::connect(&url, ConnectionProperties::default());
    let late = tokio::time::timeout(Duration::from_secs(1), connect).await;
    assert!(late.is_err(), "a frozen broker answers nothing");
    broker.thaw().await;
    channel(&url).await;
    broker.stop_app().await;
    let refused = Connection::connect(&url, ConnectionProperties::default()).await;
    assert!(refused.is_err(), "a stopped broker takes no connection");
    broker.start_app().await;
    channel(&url).await;
}

#[tokio::test]
async fn alarms_block_publishers_and_a_dropped_broker_leaves_nothing() {
    let broker = Broker::start().await.unwrap();
    let vhost = broker.new_vhost().await;
    let channel = channel(&broker.url(&vhost)).await;
    declare(&channel, "jobs").await;
    broker.raise_memory_alarm().await;
    assert_late(publish(&channel, "jobs")).await;
    broker.clear_memory_alarm().await;
    publish(&channel, "jobs").await;
    broker.raise_disk_alarm().await;
    assert_late(publish(&channel, "jobs")).await;
    broker.clear_disk_alarm().await;
    publish(&channel, "jobs").await;
    assert!(broker.connections().await >= 1);
    assert!(broker.close_all_connections().await >= 1);
    let closed = Instant::now();
    while broker.connections().await > 0 {
        assert!(closed.elapsed() < PATIENCE, "connections stay open");
    }
    let folder = broker.folder().to_owned();
    assert!(
        processes(&folder).len() >= 4,
        "epmd, machine, keeper and control run"
    );
    drop(broker);
    await_nothing_left(&folder).await;
}

/// Not a test of its own: the process that [`broker_ends_with_a_killed_process`] kills.
#[tokio::test]
async fn hold_a_broker() {
    let Some(tell) = told_at(HOLD) else {
        return;
    };
    let broker = Broker::shared().await;
    broker.new_vhost().await;
    std::fs::write(&tell, broker.folder().to_str().unwrap()).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn broker_ends_with_a_killed_process() {
    let (folder, running) = kill_a_holder("hold_a_broker", HOLD, "MEETRELAY_TEST_BROKER").await;
    assert!(running >= 4, "epmd, machine, keeper and control run");
    await_nothing_left(&folder).await;
}

async fn channel(url: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    channel
}

async fn declare(channel: &Channel, queue: &str) {
    let mut arguments = FieldTable::default();
    let quorum = AMQPValue::LongString("quorum".into());
    arguments.insert("x-queue-type".into(), quorum);
    let options = lapin::options::QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    channel
        .queue_declare(queue.into(), options, arguments)
        .await
        .unwrap();
}

async fn publish(channel: &Channel, queue: &str) {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let confirm = channel
        .basic_publish(
            "".into(),
            queue.into(),
            BasicPublishOptions::default(),
            b"body",
            persistent,
        )
        .await
        .unwrap();
    assert!(confirm.await.unwrap().is_ack());
}

async fn assert_late(publish: impl Future<Output = ()>) {
    let late = tokio::time::timeout(Duration::from_millis(500), publish).await;
    assert!(late.is_err(), "an alarm blocks publishers");
}
