use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::{Connection, ConnectionProperties};
use meetrelay::clock::SystemClock;
use meetrelay::ports::Queue;
use meetrelay::queue::rabbitmq::{
    AmqpObserver, BrokerError, BrokerSettings, Declare, PublishResult, RabbitMq, ReconnectReason,
    Role, UnobservedLinks,
};
use secrecy::SecretString;
use world::broker::Broker;

use super::super::bench::Bench;

/// A virtual host of the shared broker, removed with the bench.
pub(super) struct VhostBench {
    broker: &'static Broker,
    vhost: String,
}

impl VhostBench {
    pub(super) async fn new() -> Self {
        let broker = Broker::shared().await;
        let vhost = broker.new_vhost().await;
        Self { broker, vhost }
    }

    pub(super) fn settings(&self) -> BrokerSettings {
        settings(&self.url())
    }

    pub(super) fn url(&self) -> String {
        self.broker.url(&self.vhost)
    }

    pub(super) fn password(&self) -> &str {
        self.broker.password()
    }

    /// One with a wrong password, and one with a virtual host that is not there.
    pub(super) fn wrong_urls(&self) -> (String, String) {
        let wrong = self.url().replace(self.password(), "not-the-password");
        (wrong, self.broker.url("no-such-vhost"))
    }

    pub(super) async fn depth(&self, queue: &str) -> Option<u64> {
        self.broker.depth(&self.vhost, queue).await
    }

    /// Has the only message of a queue delivered and handed back until the broker gives it up.
    pub(super) async fn exhaust(&self, queue: &str) {
        let connection = Connection::connect(&self.url(), ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let requeue = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        for _ in 0..200 {
            let got = channel.basic_get(queue.into(), BasicGetOptions::default());
            match got.await.unwrap() {
                Some(got) => drop(got.nack(requeue).await.unwrap()),
                None => break,
            }
        }
        connection.close(200, "done".into()).await.unwrap();
    }
}

/// Counts what the links tell.
#[derive(Default)]
pub(super) struct Counts {
    reconnects: Mutex<HashMap<Role, usize>>,
}

impl Counts {
    pub(super) fn reconnects(&self, role: Role) -> usize {
        *self.reconnects.lock().unwrap().get(&role).unwrap_or(&0)
    }
}

impl AmqpObserver for Counts {
    fn connected(&self, _: Role, _: bool) {}

    fn reconnects(&self, role: Role, _: ReconnectReason) {
        *self.reconnects.lock().unwrap().entry(role).or_default() += 1;
    }

    fn blocked(&self, _: bool) {}

    fn published(&self, _: PublishResult) {}

    fn confirm_took(&self, _: Duration) {}
}

#[async_trait]
impl Bench for VhostBench {
    async fn open(&self) -> Arc<dyn Queue> {
        Arc::new(start(self.settings()).await.unwrap())
    }
}

/// As in production, but quick to come back.
pub(super) fn settings(url: &str) -> BrokerSettings {
    BrokerSettings {
        url: SecretString::from(url),
        shown: "amqp://broker".to_owned(),
        ca_file: None,
        declare: Declare::Create,
        connect_timeout: Duration::from_secs(5),
        heartbeat: Duration::from_secs(2),
        call_timeout: Duration::from_secs(5),
        confirm_timeout: Duration::from_secs(10),
        publish_window: 200,
        // Some claims receive 200 messages before they settle one.
        prefetch: 300,
        reconnect_max: Duration::from_millis(500),
    }
}

pub(super) async fn start(settings: BrokerSettings) -> Result<RabbitMq, BrokerError> {
    start_observed(settings, Arc::new(UnobservedLinks)).await
}

pub(super) async fn start_observed(
    settings: BrokerSettings,
    observer: Arc<dyn AmqpObserver>,
) -> Result<RabbitMq, BrokerError> {
    RabbitMq::start(settings, Arc::new(SystemClock), observer).await
}
