//! Everything that takes part, started and registered with each other.

use std::path::{Path, PathBuf};
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::Mutex;
use world::broker::Broker;
use world::mattermost::{FakeMattermost, Options as ChatOptions, TriggerWhen};
use world::plugnmeet::{FakePlugNmeet, Options as ConferenceOptions};
use world::ports::free_ports;
use world::postgres::Postgres;
use world::relay::{RelayCommand, program_beside_us};

use super::door::Door;
use super::relay::{Clock, Relay};
use super::{Arguments, QueueKind, StoreKind};

/// The content type of a form in outgoing webhooks.
const FORM: &str = "application/x-www-form-urlencoded";
/// The first word of every start by post.
const WORDS: [&str; 2] = ["meet", "meet:"];
/// Signs links: every replica needs the same, also while the store is away.
const SIGNING_SECRET: &str = "CANARY-signing-secret-of-the-chaos-run";

/// A server with what is ours in it.
pub struct Part<T> {
    pub server: Mutex<T>,
    /// Its virtual host or database.
    pub name: String,
    pub password: String,
}

/// Everything that takes part. Whoever makes trouble for a part holds its lock meanwhile.
pub struct Stage {
    pub chat: FakeMattermost,
    pub conference: FakePlugNmeet,
    pub chat_trouble: Mutex<()>,
    pub conference_trouble: Mutex<()>,
    pub relays: Vec<Mutex<Relay>>,
    /// The relays' clocks, in their order.
    pub clocks: Vec<Mutex<Clock>>,
    pub broker: Option<Part<Broker>>,
    pub postgres: Option<Part<Postgres>>,
    /// What must stand in no output.
    pub secrets: Vec<String>,
    pub folder: PathBuf,
    failures: StdMutex<Vec<String>>,
    _door: Door,
}

impl Stage {
    /// Starts everything and waits until every relay is ready.
    pub async fn set(arguments: &Arguments) -> anyhow::Result<Self> {
        let conference = FakePlugNmeet::start(ConferenceOptions {
            time_scale: 0.1,
            end_delay: Duration::from_millis(200),
            departure_timeout: Duration::from_secs(1),
            ..ConferenceOptions::default()
        })
        .await?;
        let chat = FakeMattermost::start(ChatOptions {
            integration_timeout: Duration::from_secs(10),
            ..ChatOptions::default()
        })
        .await?;
        let bot_token = chat.add_bot("meetrelay", "meetrelay");
        chat.join_team("meetrelay");
        let ports: Vec<[u16; 2]> = (0..arguments.replicas).map(|_| free_ports()).collect();
        let door = Door::open(ports.iter().map(|[public, _]| *public).collect()).await?;
        let url = door.url();
        let outgoing = format!("{url}/mattermost/outgoing");
        let hook =
            chat.register_outgoing_hook("", &WORDS, TriggerWhen::ExactMatch, &outgoing, FORM);
        let command = chat.register_command("plugnmeet", &format!("{url}/mattermost/command"));
        let (broker, postgres) = servers(arguments).await?;
        let mut environment = Vec::new();
        let mut secrets = vec![
            world::plugnmeet::CANARY.to_owned(),
            conference.options().api_secret.clone(),
            bot_token.clone(),
            hook.clone(),
            command.clone(),
        ];
        if let Some(broker) = &broker {
            let url = broker.server.lock().await.url(&broker.name);
            environment.extend(
                [
                    ("URL", url.as_str()),
                    ("HEARTBEAT", "2s"),
                    ("CALL_TIMEOUT", "2s"),
                    ("RECONNECT_MAX", "1s"),
                ]
                .map(|(key, value)| (format!("MEETRELAY__QUEUE__{key}"), value.to_owned())),
            );
            secrets.push(broker.password.clone());
        }
        if let Some(postgres) = &postgres {
            let url = postgres.server.lock().await.url(&postgres.name);
            environment.push(("MEETRELAY__STORE__URL".to_owned(), url));
            secrets.push(postgres.password.clone());
        }
        let parent = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = parent.join(format!("meetrelay-chaos-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let program = match &arguments.relay {
            Some(program) => program.clone(),
            None => program_beside_us()?,
        };
        let (mut relays, mut clocks) = (Vec::new(), Vec::new());
        for (number, [public, admin]) in ports.into_iter().enumerate() {
            let data = folder.join(format!("data-{number}"));
            let config = folder.join(format!("relay-{number}.toml"));
            let text = configuration(&Configured {
                public,
                admin,
                url: &url,
                data: &data,
                chat: &chat.url(),
                hook: &hook,
                command: &command,
                bot_token: &bot_token,
                conference: &conference,
            });
            std::fs::write(&config, text)?;
            let clock = Clock::new(folder.join(format!("clock-{number}")));
            let mut environment = environment.clone();
            environment.push(clock.variable());
            clocks.push(Mutex::new(clock));
            let command = RelayCommand {
                program: program.clone(),
                config,
                log: folder.join(format!("relay-{number}.log")),
                environment,
            };
            relays.push(Relay::new(number, admin, data, command));
        }
        for relay in &mut relays {
            relay.start();
            relay.await_ready().await;
            anyhow::ensure!(
                relay.wrong.is_empty(),
                "{:?} ({})",
                relay.wrong,
                folder.display()
            );
        }
        Ok(Self {
            chat,
            conference,
            chat_trouble: Mutex::default(),
            conference_trouble: Mutex::default(),
            relays: relays.into_iter().map(Mutex::new).collect(),
            clocks,
            broker,
            postgres,
            secrets,
            folder,
            failures: StdMutex::default(),
            _door: door,
        })
    }

    /// Notes that a part could not be brought back.
    pub fn note_failure(&self, part: &str, done: anyhow::Result<()>) {
        if let Err(error) = done {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.push(format!("{part} did not come back: {error:#}"));
        }
    }

    /// The parts that could not be brought back.
    pub fn failures(&self) -> Vec<String> {
        let failures = self.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn servers(
    arguments: &Arguments,
) -> anyhow::Result<(Option<Part<Broker>>, Option<Part<Postgres>>)> {
    let broker = match arguments.queue {
        QueueKind::Embedded => None,
        QueueKind::Rabbitmq => {
            let broker = Broker::start().await.map_err(anyhow::Error::msg)?;
            let name = broker.new_vhost().await;
            let password = broker.password().to_owned();
            let server = Mutex::new(broker);
            Some(Part {
                server,
                name,
                password,
            })
        }
    };
    let postgres = match arguments.store {
        StoreKind::Sqlite => None,
        StoreKind::Postgres => {
            let postgres = Postgres::start().await.map_err(anyhow::Error::msg)?;
            let name = postgres.new_database().await;
            let password = postgres.password().to_owned();
            let server = Mutex::new(postgres);
            Some(Part {
                server,
                name,
                password,
            })
        }
    };
    Ok((broker, postgres))
}

struct Configured<'a> {
    public: u16,
    admin: u16,
    url: &'a str,
    data: &'a Path,
    chat: &'a str,
    hook: &'a str,
    command: &'a str,
    bot_token: &'a str,
    conference: &'a FakePlugNmeet,
}

/// A relay with short times, so that an outage of seconds is a long one. None is above 10 s: beyond that RabbitMQ's
/// next delay is a minute.
fn configuration(configured: &Configured<'_>) -> String {
    let Configured {
        public,
        admin,
        url,
        data,
        chat,
        hook,
        command,
        bot_token,
        conference,
    } = configured;
    let options = conference.options();
    format!(
        r#"[server]
listen = "127.0.0.1:{public}"
admin_listen = "127.0.0.1:{admin}"
public_url = "{url}"
data_dir = {data:?}
signing_secret = "{SIGNING_SECRET}"
drain_timeout = "10s"
[mattermost]
url = "{chat}"
outgoing_tokens = ["{hook}"]
command_tokens = ["{command}"]
bot_token = "{bot_token}"
starts_per_minute = 1000
call_timeout = "2s"
tidy_after = "3s"
catch_up_every = "5s"
[plugnmeet]
url = "{conference}"
api_key = "{key}"
api_secret = "{secret}"
call_timeout = "4s"
poll_first_after = "2s"
poll_every = "2s"
end_again_after = "2s"
artifact_polls = ["1s", "3s", "6s", "9s"]
[retry]
initial = "200ms"
max = "2s"
unavailable_max = "2s"
[breaker]
probe_every = "500ms"
[sweep]
every = "1s"
wake_after = ["3s", "6s", "10s"]
[log]
format = "json"
"#,
        conference = conference.url(),
        key = options.api_key,
        secret = options.api_secret,
    )
}
