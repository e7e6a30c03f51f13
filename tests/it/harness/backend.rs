//! The queue behind the relay under test: its own file, or RabbitMQ.
//!
//! The tests of the whole relay run once for each: `MEETRELAY_TEST_QUEUE=rabbitmq` chooses RabbitMQ.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meetrelay::clock::SystemClock;
use meetrelay::ports::Queue;
use meetrelay::queue::rabbitmq::{BrokerSettings, Declare, LinkStates, RabbitMq, UnobservedLinks};
use meetrelay::queue::{EmbeddedQueue, EmbeddedSettings};
use world::broker::Broker;

use super::PATIENCE;

/// Chooses the back end of a run.
const VARIABLE: &str = "MEETRELAY_TEST_QUEUE";

/// Whose queue the relay uses.
#[derive(Clone)]
pub enum BackEnd {
    /// The relay's own file.
    Embedded,
    /// A virtual host of the broker that all tests share.
    Shared(&'static Broker, String),
    /// A virtual host of a broker that this test may disturb.
    Own(Arc<Broker>, String),
}

impl BackEnd {
    /// The one that this run is about.
    pub async fn of_this_run() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("embedded") => Self::Embedded,
            Ok("rabbitmq") => {
                let broker = Broker::shared().await;
                Self::Shared(broker, broker.new_vhost().await)
            }
            Ok(other) => panic!("{VARIABLE} is \"embedded\" or \"rabbitmq\", not {other:?}"),
        }
    }

    /// A new broker, for tests that stop, freeze or kill it.
    pub async fn own() -> Self {
        let broker = Broker::start().await.unwrap();
        let vhost = broker.new_vhost().await;
        Self::Own(Arc::new(broker), vhost)
    }

    /// The broker, if there is one, and the virtual host.
    pub fn broker(&self) -> Option<(&Broker, &str)> {
        match self {
            Self::Embedded => None,
            Self::Shared(broker, vhost) => Some((broker, vhost)),
            Self::Own(broker, vhost) => Some((broker, vhost)),
        }
    }

    /// What the relay is told about it, as environment variables.
    pub fn settings(&self) -> Vec<(String, String)> {
        let Some((broker, vhost)) = self.broker() else {
            return Vec::new();
        };
        let settings = [
            ("URL", broker.url(vhost)),
            ("RECONNECT_MAX", "500ms".to_owned()),
            ("HEARTBEAT", "2s".to_owned()),
            ("CALL_TIMEOUT", "2s".to_owned()),
        ];
        settings
            .map(|(key, value)| (format!("MEETRELAY__QUEUE__{key}"), value))
            .into()
    }

    /// Opens the queue itself, for tests of the workers; the embedded one lies in `directory`.
    pub async fn open(&self, directory: &Path) -> Arc<dyn Queue> {
        let Some((broker, vhost)) = self.broker() else {
            let path = directory.join("queue.db");
            let bytes_max = 1 << 30;
            let settings = EmbeddedSettings { path, bytes_max };
            return Arc::new(EmbeddedQueue::open(settings, Arc::new(SystemClock)).unwrap());
        };
        let second = Duration::from_secs(1);
        let settings = BrokerSettings {
            url: broker.url(vhost).into(),
            shown: format!("the test broker's {vhost}"),
            ca_file: None,
            declare: Declare::Create,
            connect_timeout: 5 * second,
            heartbeat: 2 * second,
            call_timeout: 5 * second,
            confirm_timeout: 10 * second,
            publish_window: 128,
            prefetch: 128,
            reconnect_max: second,
        };
        let started = RabbitMq::start(settings, Arc::new(SystemClock), Arc::new(UnobservedLinks));
        let queue = started.await.unwrap();
        let mut links = queue.link();
        let both = |links: &LinkStates| links.publisher.is_usable() && links.consumer.is_usable();
        let up = tokio::time::timeout(PATIENCE, links.wait_for(both)).await;
        drop(up.expect("both links come up").unwrap());
        Arc::new(queue)
    }

    /// What lies in it after the test, as (where, text); the virtual host is removed.
    pub async fn clear(&self) -> Vec<(String, String)> {
        let Some((broker, vhost)) = self.broker() else {
            return Vec::new();
        };
        let messages = broker.messages(vhost).await;
        broker.remove_vhost(vhost).await;
        messages
    }
}
