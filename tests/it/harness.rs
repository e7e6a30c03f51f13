//! The world of one test: both fakes, and the real binary as a child process between them.

mod backend;
mod delivery_method;
mod eventually;
mod meeting;
mod reconcile;
mod relay;
mod store;
mod stranger;

use std::path::{Path, PathBuf};
use std::time::Duration;

use meetrelay::envelope::EnvelopeSigner;
use tempfile::TempDir;
use world::mattermost::{FakeMattermost, Model, Options as ChatOptions, Post, TriggerWhen};
use world::plugnmeet::{CANARY, FakePlugNmeet, Options as ConferenceOptions, RoomView};

pub use backend::BackEnd;
pub use delivery_method::DeliveryConfig;
pub use eventually::{
    eventually, eventually_within, page_with, slow_peer_takes, stays_true_for, within,
};
pub use meeting::{is_over, link_in, shown};
pub use reconcile::accepted;
pub use relay::{Ports, Relay, reqwest_client as client};
pub use store::StoreEnd;
pub use stranger::make_room;

/// How long a test waits for a state before it fails: far beyond what a slow machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The password of the person `meetrelay`, where the relay logs in.
pub const PASSWORD: &str = "right-horse-battery-staple";
/// The form's content type in outgoing webhooks.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// What the tests' administrator has registered as trigger words.
const WORDS: [&str; 6] = ["meet", "Meet", "MEET", "meet:", "Meet:", "MEET:"];

/// Everything that a test needs.
pub struct World {
    pub chat: FakeMattermost,
    pub conference: FakePlugNmeet,
    pub relay: Relay,
    pub back_end: BackEnd,
    pub store: StoreEnd,
    /// The token of the hook that the tests' administrator registered.
    pub outgoing_token: String,
    /// The token of `/plugnmeet`.
    pub command_token: String,
    /// What gets the relay into the chat, and the chat into the relay.
    secrets: Vec<String>,
    /// Events cannot be looked up in the store any more: the test has spoiled it.
    pub is_store_spoiled: bool,
    folder: TempDir,
}

/// What is set up differently for a test.
#[derive(Default)]
pub struct Setup {
    chat: ChatOptions,
    conference: ConferenceOptions,
    settings: Vec<(String, String)>,
    more: String,
    is_bot_outside: bool,
    has_more_doors: bool,
    back_end: Option<BackEnd>,
    store: Option<StoreEnd>,
    delivery_method: DeliveryConfig,
}

impl Setup {
    /// Other options of the chat server.
    pub fn chat(mut self, options: ChatOptions) -> Self {
        self.chat = options;
        self
    }

    /// Other options of plugNmeet; what it waits for stays short.
    pub fn conference(mut self, options: ConferenceOptions) -> Self {
        self.conference = options;
        self
    }

    /// One setting, as the environment variable `MEETRELAY__<key>`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings
            .push((format!("MEETRELAY__{key}"), value.to_owned()));
        self
    }

    /// One environment variable by its whole name.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// More of the configuration's file.
    pub fn configured(mut self, more: &str) -> Self {
        self.more.push_str(more);
        self
    }

    /// The bot is in the team but in no channel, as after a first installation.
    pub fn bot_outside(mut self) -> Self {
        self.is_bot_outside = true;
        self
    }

    /// The relay logs in with this password, as the person `meetrelay`; without a bot.
    pub fn log_in_with(self, password: &str) -> Self {
        self.delivery_method(DeliveryConfig::Login(password.to_owned()))
    }

    /// Another way into the chat than a bot.
    pub fn delivery_method(mut self, delivery_method: DeliveryConfig) -> Self {
        self.delivery_method = delivery_method;
        self
    }

    /// The channel `weekly` has a hook of its own that sends JSON, and `/meeting` is a command by GET.
    pub fn more_doors(mut self) -> Self {
        self.has_more_doors = true;
        self
    }

    /// Another queue than the one that this run is about.
    pub fn back_end(mut self, back_end: BackEnd) -> Self {
        self.back_end = Some(back_end);
        self
    }

    /// Another store than the one that this run is about.
    pub fn store(mut self, store: StoreEnd) -> Self {
        self.store = Some(store);
        self
    }

    /// Starts both fakes and the relay, and waits until it is ready.
    pub async fn start(self) -> World {
        let folder = tempfile::tempdir().unwrap();
        let mut options = self.conference;
        options.time_scale = 0.05;
        options.end_delay = Duration::from_millis(200);
        options.departure_timeout = Duration::from_millis(300);
        let conference = FakePlugNmeet::start(options).await.unwrap();
        let chat = FakeMattermost::start(self.chat).await.unwrap();
        let prepared = self.delivery_method.prepare(&chat);
        if self.delivery_method.has_account() {
            chat.join_team("meetrelay");
        }
        if self.delivery_method.has_account() && !self.is_bot_outside {
            for channel in ["town-square", "off-topic", "dev", "weekly", "secret"] {
                chat.join("meetrelay", channel);
            }
        }
        let ports = relay::Ports::free();
        let base = ports.public_url();
        let outgoing = format!("{base}/mattermost/outgoing");
        let command = format!("{base}/mattermost/command");
        let when = TriggerWhen::ExactMatch;
        let mut hooks = vec![chat.register_outgoing_hook("", &WORDS, when, &outgoing, FORM)];
        let mut commands = vec![chat.register_command("plugnmeet", &command)];
        if self.has_more_doors {
            let json = "application/json";
            hooks.push(chat.register_outgoing_hook("weekly", &WORDS, when, &outgoing, json));
            commands.push(chat.register_get_command("meeting", &command));
        }
        let config = folder.path().join("meetrelay.toml");
        let text = relay::config(&relay::Settings {
            ports: &ports,
            data: &folder.path().join("data"),
            chat: &chat.url(),
            hooks: &hooks,
            commands: &commands,
            delivery_method: &prepared.lines,
            conference: &conference.url(),
            options: conference.options(),
        });
        std::fs::write(&config, text + &self.more).unwrap();
        let log = folder.path().join("relay.log");
        let back_end = match self.back_end {
            Some(chosen) => chosen,
            None => BackEnd::of_this_run().await,
        };
        let store = match self.store {
            Some(chosen) => chosen,
            None => StoreEnd::of_this_run().await,
        };
        let settings = [back_end.settings(), store.settings(), self.settings].concat();
        let relay = Relay::start(config, log, ports, settings).await;
        World {
            chat,
            conference,
            relay,
            back_end,
            outgoing_token: hooks[0].clone(),
            command_token: commands[0].clone(),
            secrets: [prepared.secrets, hooks, commands].concat(),
            store,
            is_store_spoiled: false,
            folder,
        }
    }
}

impl World {
    /// The usual world.
    pub async fn start() -> Self {
        Setup::default().start().await
    }

    /// The relay's data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Signs messages as the relay does, which runs and has made its signing secret itself.
    pub async fn signer(&self) -> EnvelopeSigner {
        let query = "SELECT value FROM settings WHERE name = 'signing_secret'";
        let secret = self.store.select(&self.data(), query).await.remove(0);
        EnvelopeSigner::new(&secret.into(), &[])
    }

    /// Waits for something in the chat.
    pub async fn see<T>(&self, what: &str, look: impl FnMut(&Model) -> Option<T>) -> T {
        match self.chat.wait_for(what, PATIENCE, look).await {
            Ok(found) => found,
            Err(error) => panic!(
                "{error}\nthe relay's last words:\n{}",
                self.relay.last_words()
            ),
        }
    }

    /// Waits for the one card in a channel whose message contains `words`.
    pub async fn card(&self, channel: &str, words: &str) -> Post {
        self.see(&format!("a card with {words:?}"), |chat| {
            cards(chat, channel)
                .into_iter()
                .find(|post| post.message.contains(words))
        })
        .await
    }

    /// All cards in a channel, oldest first.
    pub fn cards(&self, channel: &str) -> Vec<Post> {
        self.chat
            .posts(channel)
            .into_iter()
            .filter(is_card)
            .collect()
    }

    /// Waits for the room behind the newest request.
    pub async fn room(&self) -> RoomView {
        self.rooms(1).await.pop().unwrap()
    }

    /// Waits until plugNmeet has had `count` rooms.
    pub async fn rooms(&self, count: usize) -> Vec<RoomView> {
        let what = format!("{count} rooms");
        let looking = self.conference.wait_for(&what, PATIENCE, |fake| {
            let rooms = fake.rooms();
            (rooms.len() >= count).then_some(rooms)
        });
        looking.await
    }

    /// The bot's token, in a world with a bot.
    pub fn bot_token(&self) -> String {
        self.secrets[0].clone()
    }

    /// Whatever gets the relay into the chat and must not stand in `text`.
    pub fn assert_no_way_in(&self, text: &str) {
        for secret in &self.secrets {
            assert!(!text.contains(secret), "it holds {secret}:\n{text}");
        }
    }

    /// Ends the test: every accepted event has come out, the relay is stopped, nothing unexpected came, no secret
    /// went out. A relay that does not run any more, or whose store was spoiled, is not asked what came out.
    pub async fn finish(mut self) {
        if self.relay.is_running() && !self.is_store_spoiled {
            reconcile::await_settled(&self.relay, &self.store, &self.data()).await;
            reconcile::assert_sound(&self.relay).await;
        }
        self.relay.stop().await;
        self.chat.unexpected().assert_none();
        self.conference.unexpected().assert_none();
        let messages = self.back_end.clear().await;
        let rows = self.store.clear().await;
        self.assert_no_secrets(&[messages, rows].concat());
    }

    /// No secret in logs, queue, store or anything that the chat server was sent.
    fn assert_no_secrets(&self, stored: &[(String, String)]) {
        let options = self.conference.options();
        let sessions = self.chat.session_tokens();
        let mut secrets = vec![CANARY, &options.api_secret];
        secrets.extend(self.secrets.iter().map(String::as_str));
        secrets.extend(sessions.iter().map(String::as_str));
        if let Some((broker, _)) = self.back_end.broker() {
            secrets.push(broker.password());
        }
        if let Some((postgres, _)) = self.store.postgres() {
            secrets.push(postgres.password());
        }
        for (place, text) in stored {
            for secret in &secrets {
                assert!(!text.contains(secret), "{place} holds a secret ({secret})");
            }
        }
        for path in files(self.folder.path()) {
            if path.ends_with("meetrelay.toml") || path.ends_with("admin-token") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for secret in &secrets {
                assert!(
                    !contains(&bytes, secret),
                    "{} holds a secret ({secret})",
                    path.display()
                );
            }
        }
        for request in self.chat.requests() {
            let may_hold = |secret: &str| {
                request.operation == "users.login" && self.secrets.iter().any(|own| own == secret)
            };
            for secret in &secrets {
                let is_there = contains(request.body.as_bytes(), secret) && !may_hold(secret);
                assert!(
                    !is_there,
                    "{} {} holds a secret",
                    request.method, request.path
                );
            }
        }
    }
}

fn is_card(post: &Post) -> bool {
    !post.attachments().is_empty() && !post.is_deleted()
}

fn cards(chat: &Model, channel: &str) -> Vec<Post> {
    chat.posts(channel).into_iter().filter(is_card).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            // A relay that was killed leaves its socket.
            found.push(path);
        }
    }
    found
}
