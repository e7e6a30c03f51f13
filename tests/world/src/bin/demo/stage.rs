//! Both fakes and the relay, started and registered with each other.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use meetrelay::admin::Readiness;
use meetrelay::app::{App, AppContext};
use meetrelay::config::{self, Environment, Sources};
use meetrelay::shutdown::Shutdown;
use meetrelay::telemetry::Metrics;
use world::broker::Broker;
use world::mattermost::{FakeMattermost, Options as ChatOptions, TriggerWhen};
use world::plugnmeet::{FakePlugNmeet, Options as ConferenceOptions};

/// The content type of a form in outgoing webhooks.
const FORM: &str = "application/x-www-form-urlencoded";

/// Everything that plays a part.
pub struct Stage {
    pub chat: FakeMattermost,
    pub conference: FakePlugNmeet,
    relay: App,
    broker: Option<Broker>,
    folder: std::path::PathBuf,
}

impl Stage {
    /// Starts everything; the chat's page on `port` if it is free, else on a free one. `queue` is the
    /// relay's `queue.url`, or `rabbitmq` for a broker of our own.
    pub async fn set(port: u16, queue: &str) -> anyhow::Result<Self> {
        let conference = FakePlugNmeet::start(ConferenceOptions {
            departure_timeout: Duration::from_secs(2),
            ..ConferenceOptions::default()
        })
        .await?;
        let chat = start_chat(port).await?;
        let bot_token = chat.add_bot("meetrelay", "meetrelay");
        chat.join_team("meetrelay");
        let (public, admin) = (free_port()?, free_port()?);
        let base = format!("http://127.0.0.1:{public}");
        // Mattermost compares the whole first word, so "meet: title" needs a word with the colon.
        let words = ["meet", "Meet", "MEET", "meet:", "Meet:", "MEET:"];
        let callback = format!("{base}/mattermost/outgoing");
        let hook =
            chat.register_outgoing_hook("", &words, TriggerWhen::ExactMatch, &callback, FORM);
        let command = chat.register_command("plugnmeet", &format!("{base}/mattermost/command"));
        let folder = std::env::temp_dir().join(format!("meetrelay-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let broker = match queue {
            "rabbitmq" => Some(Broker::start().await.map_err(anyhow::Error::msg)?),
            _ => None,
        };
        let queue = match &broker {
            Some(broker) => broker.url(&broker.new_vhost().await),
            None => queue.to_owned(),
        };
        let options = conference.options();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{public}\"\nadmin_listen = \"127.0.0.1:{admin}\"\n\
             public_url = \"{base}\"\ndata_dir = \"{data}\"\n\
             [mattermost]\nurl = \"{chat}\"\noutgoing_tokens = [\"{hook}\"]\n\
             command_tokens = [\"{command}\"]\nbot_token = \"{bot_token}\"\n\
             [plugnmeet]\nurl = \"{conference}\"\napi_key = \"{key}\"\napi_secret = \"{secret}\"\n\
             [queue]\nurl = {queue:?}\n",
            data = folder.join("data").display(),
            chat = chat.url(),
            conference = conference.url(),
            key = options.api_key,
            secret = options.api_secret,
        );
        let file = folder.join("meetrelay.toml");
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        let config = config::load(&Sources::of(Some(file), Environment::default()))?.config;
        let metrics = Arc::new(Metrics::new()?);
        let surroundings = AppContext {
            readiness: Arc::new(Readiness::new(Arc::clone(&metrics))),
            shutdown: Shutdown::new(config.server.drain_timeout),
            metrics,
        };
        let relay = App::start(&config, &config.essentials()?, surroundings).await?;
        Ok(Self {
            chat,
            conference,
            relay,
            broker,
            folder,
        })
    }

    /// Where the relay listens.
    pub fn relay_url(&self) -> String {
        format!("http://{}", self.relay.public_address())
    }

    /// Stops the relay as SIGTERM does, and removes what it wrote.
    pub async fn strike(self) -> anyhow::Result<()> {
        self.relay.stop().await;
        drop(self.broker);
        std::fs::remove_dir_all(&self.folder).with_context(|| self.folder.display().to_string())
    }
}

async fn start_chat(port: u16) -> anyhow::Result<FakeMattermost> {
    let at = |port| ChatOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        ..ChatOptions::default()
    };
    match FakeMattermost::start(at(port)).await {
        Err(_) if port != 0 => FakeMattermost::start(at(0)).await,
        started => started,
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
