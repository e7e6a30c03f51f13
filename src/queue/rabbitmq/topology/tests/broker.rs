//! The plan in a real broker: what it creates, what it reports as missing or different, and which losses it prevents.

use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use world::broker::Broker;

use super::super::{TopologyReport, apply, check, definitions, ensure, plan, queue_name, route};
use crate::ports::QueueName;
use crate::queue::rabbitmq::connect::tests::settings;
use crate::queue::rabbitmq::connect::{BrokerError, BrokerSettings, Declare, connect};

/// The rights of a relay that verifies (deploy/rabbitmq/README.md).
const WRITE: &str = r"^meetrelay(\.delay\..*)?$";
const READ: &str = r"^meetrelay\.(events|conference|chat|chat\.later|dead|unrouted)$";

struct Bench {
    broker: &'static Broker,
    vhost: String,
    settings: BrokerSettings,
    connection: Connection,
}

impl Bench {
    async fn new() -> Self {
        let broker = Broker::shared().await;
        let vhost = broker.new_vhost().await;
        let settings = settings(&broker.url(&vhost));
        let connection = connect(&settings, "test").await.unwrap();
        Self {
            broker,
            vhost,
            settings,
            connection,
        }
    }

    fn verifying(&self) -> BrokerSettings {
        BrokerSettings {
            declare: Declare::Verify,
            ..self.settings.clone()
        }
    }

    async fn channel(&self) -> Channel {
        self.connection.create_channel().await.unwrap()
    }

    async fn publish(&self, exchange: &str, key: &str) -> Confirmation {
        let channel = self.channel().await;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        let properties = BasicProperties::default().with_delivery_mode(2);
        channel
            .basic_publish(
                exchange.into(),
                key.into(),
                BasicPublishOptions::default(),
                b"x",
                properties,
            )
            .await
            .unwrap()
            .await
            .unwrap()
    }

    async fn wait_for_depth(&self, queue: &str, wanted: u64) {
        let reached = tokio::time::timeout(Duration::from_secs(20), async {
            while self.broker.depth(&self.vhost, queue).await != Some(wanted) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        if reached.await.is_err() {
            let depth = self.broker.depth(&self.vhost, queue).await;
            let all = self
                .broker
                .ctl(&["list_queues", "-p", &self.vhost, "name", "messages"])
                .await;
            panic!("{queue} holds {depth:?}, wanted {wanted}:\n{all}");
        }
    }
}

fn refused(result: Result<(), BrokerError>) -> String {
    match result {
        Err(BrokerError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn is_confirmed(confirmation: &Confirmation) -> bool {
    matches!(confirmation, Confirmation::Ack(None))
}

#[tokio::test]
async fn create_makes_everything_and_a_second_time_changes_nothing() {
    let bench = Bench::new().await;
    ensure(&bench.connection, &bench.settings).await.unwrap();
    ensure(&bench.connection, &bench.settings).await.unwrap();
    ensure(&bench.connection, &bench.verifying()).await.unwrap();
    let mut queues = bench.broker.queues(&bench.vhost).await;
    queues.sort();
    let mut wanted: Vec<_> = plan::queues()
        .iter()
        .map(|queue| queue.name.to_owned())
        .collect();
    wanted.sort();
    assert_eq!(queues, wanted);
}

#[tokio::test]
async fn replicas_that_start_at_once_do_not_disturb_each_other() {
    let bench = Bench::new().await;
    let other = connect(&bench.settings, "other").await.unwrap();
    let (one, two) = tokio::join!(
        ensure(&bench.connection, &bench.settings),
        ensure(&other, &bench.settings)
    );
    one.unwrap();
    two.unwrap();
}

#[tokio::test]
async fn queue_with_different_arguments_is_named_with_the_argument() {
    let bench = Bench::new().await;
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(5000));
    let options = QueueDeclareOptions::durable();
    let channel = bench.channel().await;
    channel
        .queue_declare("meetrelay.delay.10s".into(), options, arguments)
        .await
        .unwrap();
    let text = refused(ensure(&bench.connection, &bench.settings).await);
    let text = text.replace(&bench.settings.shown, "SHOWN");
    insta::assert_snapshot!(text, @"queue.url SHOWN: queue meetrelay.delay.10s: exists with a different x-dead-letter-exchange (received the value 'meetrelay' of type 'longstr' but current is none), and arguments cannot be changed: delete the queue when it is empty, then the relay creates it again");
    // Everything else exists now, and the connection is still usable.
    assert!(bench.connection.status().connected());
    let found = check(&bench.settings).await.unwrap().differences;
    assert_eq!(found.len(), 1, "{found:?}");
}

#[tokio::test]
async fn verify_names_everything_missing_and_creates_nothing() {
    let bench = Bench::new().await;
    let text = refused(ensure(&bench.connection, &bench.verifying()).await);
    insta::assert_snapshot!(text.replace(&bench.settings.shown, "SHOWN"), @"queue.url SHOWN: exchange meetrelay.unrouted: is missing: create it with `meetrelay topology apply --url ...` and an account with configure permission, or import deploy/rabbitmq/definitions.json (and 16 more: `meetrelay topology check` names them)");
    assert!(bench.broker.queues(&bench.vhost).await.is_empty());
}

#[tokio::test]
async fn least_permissions_suffice_to_verify_publish_and_consume() {
    let bench = Bench::new().await;
    assert_eq!(
        apply(&bench.verifying()).await.unwrap(),
        TopologyReport::default()
    );
    let user = format!("least-{}", bench.vhost);
    bench
        .broker
        .add_user(&user, "secret", &bench.vhost, "^$", WRITE, READ)
        .await;
    let settings = settings(&bench.broker.url_as(&user, "secret", &bench.vhost));
    let least = Bench {
        connection: connect(&settings, "least").await.unwrap(),
        settings,
        vhost: bench.vhost.clone(),
        broker: bench.broker,
    };
    ensure(&least.connection, &least.verifying()).await.unwrap();
    for queue in QueueName::ALL {
        let (exchange, key) = route(queue, Duration::ZERO);
        assert!(is_confirmed(&least.publish(exchange, key).await));
        let channel = least.channel().await;
        let got = channel
            .basic_get(queue_name(queue).into(), BasicGetOptions::default())
            .await
            .unwrap()
            .expect("it was confirmed");
        got.acker.ack(BasicAckOptions::default()).await.unwrap();
    }
    for rung in plan::DELAYS {
        assert!(is_confirmed(&least.publish(rung.name, "events").await));
    }
    let text = refused(ensure(&least.connection, &least.settings).await);
    assert!(
        text.contains("the account may not do this") && text.contains("verify"),
        "{text}"
    );
}

#[tokio::test]
async fn delayed_message_becomes_visible_in_its_queue() {
    let bench = Bench::new().await;
    ensure(&bench.connection, &bench.settings).await.unwrap();
    let (exchange, key) = route(QueueName::ChatLater, Duration::from_secs(1));
    assert!(is_confirmed(&bench.publish(exchange, key).await));
    bench.wait_for_depth("meetrelay.chat.later", 1).await;
    // RabbitMQ removes it from the delay queue once the other queue has confirmed it.
    bench.wait_for_depth(exchange, 0).await;
}

#[tokio::test]
async fn message_without_a_route_is_parked() {
    let bench = Bench::new().await;
    ensure(&bench.connection, &bench.settings).await.unwrap();
    assert!(is_confirmed(
        &bench.publish("meetrelay", "no.such.queue").await
    ));
    bench.wait_for_depth("meetrelay.unrouted", 1).await;
}

#[tokio::test]
async fn message_delivered_too_often_is_parked_and_not_dropped() {
    let bench = Bench::new().await;
    ensure(&bench.connection, &bench.settings).await.unwrap();
    bench.publish("meetrelay", "events").await;
    let channel = bench.channel().await;
    for round in 0..=100 {
        let got = channel
            .basic_get("meetrelay.events".into(), BasicGetOptions::default())
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("gone in round {round}"));
        let again = BasicNackOptions {
            requeue: true,
            ..BasicNackOptions::default()
        };
        got.acker.nack(again).await.unwrap();
    }
    bench.wait_for_depth("meetrelay.dead", 1).await;
    bench.wait_for_depth("meetrelay.events", 0).await;
}

/// A message that is dead-lettered while the target is full waits in its queue until the collector makes room.
#[tokio::test]
async fn q12_full_dead_letter_queue_loses_nothing() {
    let bench = Bench::new().await;
    // How long the broker waits before it tries again; the default is 3 min.
    let pause = "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 1000)";
    bench.broker.eval(pause).await;
    ensure(&bench.connection, &bench.settings).await.unwrap();
    let set = [
        "set_policy",
        "-p",
        &bench.vhost,
        "full",
        r"^meetrelay\.dead$",
        r#"{"max-length":0}"#,
    ];
    bench.broker.ctl(&set).await;
    for _ in 0..3 {
        bench.publish("meetrelay", "events").await;
    }
    let channel = bench.channel().await;
    for _ in 0..3 {
        let got = channel
            .basic_get("meetrelay.events".into(), BasicGetOptions::default())
            .await
            .unwrap()
            .unwrap();
        got.acker.nack(BasicNackOptions::default()).await.unwrap();
    }
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        for _ in 0..3 {
            loop {
                let got = channel
                    .basic_get(plan::DEAD.into(), BasicGetOptions::default())
                    .await;
                if let Some(got) = got.unwrap() {
                    assert!(got.acker.ack(BasicAckOptions::default()).await.unwrap());
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    let all = ["list_queues", "-p", &bench.vhost, "name", "messages"];
    if found.await.is_err() {
        panic!("{}", bench.broker.ctl(&all).await);
    }
}

#[tokio::test]
async fn imported_definitions_match_the_plan() {
    let bench = Bench::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), definitions(&bench.vhost)).unwrap();
    bench.broker.import_definitions(file.path()).await;
    ensure(&bench.connection, &bench.verifying()).await.unwrap();
    ensure(&bench.connection, &bench.settings).await.unwrap();
    assert_eq!(
        check(&bench.settings).await.unwrap(),
        TopologyReport::default()
    );
    // The bindings were imported as well.
    assert!(is_confirmed(
        &bench.publish("meetrelay", "chat.later").await
    ));
    bench.wait_for_depth("meetrelay.chat.later", 1).await;
    let policies = bench
        .broker
        .ctl(&["list_policies", "-p", &bench.vhost])
        .await;
    assert!(policies.contains("meetrelay-work"), "{policies}");
}

#[tokio::test]
async fn check_creates_nothing_and_reports_what_it_could_not_compare() {
    let bench = Bench::new().await;
    let all = plan::queues().len() + plan::exchanges().len();
    assert_eq!(check(&bench.settings).await.unwrap().differences.len(), all);
    assert!(bench.broker.queues(&bench.vhost).await.is_empty());
    assert_eq!(
        apply(&bench.settings).await.unwrap(),
        TopologyReport::default()
    );
    let user = format!("checker-{}", bench.vhost);
    bench
        .broker
        .add_user(&user, "secret", &bench.vhost, "^$", WRITE, READ)
        .await;
    let least = settings(&bench.broker.url_as(&user, "secret", &bench.vhost));
    let report = check(&least).await.unwrap();
    assert_eq!((report.differences, report.not_compared), (vec![], all));
}
