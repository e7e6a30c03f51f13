//! A relay at whose door bad requests knock, and proof that they left nothing behind.

use crate::harness::{Setup, World};

use super::raw::{self, Answer};

pub const OUTGOING: &str = "/mattermost/outgoing";
pub const COMMAND: &str = "/mattermost/command";
pub const WEBHOOK: &str = "/plugnmeet/webhook";
pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";

/// Bad input may make the relay hold so much more at most: buffers of a few connections, and bodies within the room
/// for them.
const MEMORY_MAX: u64 = 48 * 1024 * 1024;
/// What tells that something was taken.
const TAKEN: [&str; 5] = [
    "meetrelay_events_accepted_total{source=\"mattermost\"}",
    "meetrelay_events_accepted_total{source=\"plugnmeet\"}",
    "meetrelay_triggers_accepted_total",
    "meetrelay_queue_depth",
    "meetrelay_dead_letters",
];

/// The relay, and how it was before.
pub struct Door {
    pub world: World,
    before: Vec<String>,
    memory: u64,
}

impl Door {
    pub async fn open() -> Self {
        Self::of(Setup::default()).await
    }

    pub async fn of(setup: Setup) -> Self {
        let world = setup.start().await;
        let before = taken(&world).await;
        let memory = world.relay.peak_memory();
        Self {
            world,
            before,
            memory,
        }
    }

    pub async fn say(&self, request: impl AsRef<[u8]>) -> Answer {
        raw::say(&self.world.relay, request.as_ref()).await
    }

    /// Says it and expects this status, an end of the connection and no word of what came in.
    pub async fn refuses(&self, what: &str, request: impl AsRef<[u8]>, status: u16) -> Answer {
        let answer = self.say(request).await;
        let text = &answer.text;
        assert_eq!(answer.status, status, "{what}: {text:.2000}");
        assert!(answer.is_closed, "{what}: the connection is ended");
        assert_eq!(answer.count(), 1, "{what}: {text:.2000}");
        assert!(text.len() < 4000, "{what}: a short text: {text:.2000}");
        self.assert_quiet(what, text);
        answer
    }

    /// No token and nothing that came in stands there.
    pub fn assert_quiet(&self, what: &str, text: &str) {
        let tokens = [&self.world.outgoing_token, &self.world.command_token];
        for word in tokens.into_iter().map(String::as_str).chain(["CANARY"]) {
            assert!(!text.contains(word), "{what}: it repeats {word}: {text}");
        }
    }

    /// A post of ana's that fires nothing, for a webhook that a test sends itself.
    pub async fn a_post(&self, channel: &str) -> String {
        let text = "no word of a hook";
        self.world.chat.say("ana", channel, text).await
    }

    /// The body of an outgoing webhook that asks for a meeting, with other fields in their places.
    pub fn form(&self, other: &[(&str, &str)]) -> String {
        let chat = &self.world.chat;
        let (channel, user) = (chat.channel("dev").id, chat.user("ana").id);
        let token = self.world.outgoing_token.clone();
        let fields = [
            ("token", token.as_str()),
            ("channel_id", &channel),
            ("channel_name", "dev"),
            ("user_id", &user),
            ("user_name", "ana"),
            ("post_id", "p1"),
            ("text", "meet now: from bad input"),
        ];
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            let other = other.iter().find(|(known, _)| *known == name);
            form.append_pair(name, other.map_or(value, |(_, other)| other));
        }
        for (name, value) in other {
            if !fields.iter().any(|(known, _)| known == name) {
                form.append_pair(name, value);
            }
        }
        form.finish()
    }

    /// Nothing came of it.
    pub async fn took_nothing(&self) {
        assert_eq!(taken(&self.world).await, self.before, "nothing was taken");
        let held = self.world.relay.peak_memory().saturating_sub(self.memory);
        assert!(held < MEMORY_MAX, "it held {held} bytes more");
        assert_eq!(self.world.chat.calls("posts.create"), 0);
        assert!(self.world.conference.rooms().is_empty());
    }

    /// Nothing came of it, and others are served as ever.
    pub async fn ends(self) {
        self.took_nothing().await;
        let chat = &self.world.chat;
        let asked = chat.command("ana", "dev", "/plugnmeet start After all", None);
        let answer = asked.await;
        assert!(answer.text.contains("/join/"), "{answer:?}");
        self.world.card("dev", "After all").await;
        assert_eq!(self.world.cards("dev").len(), 1);
        self.world.finish().await;
    }
}

async fn taken(world: &World) -> Vec<String> {
    let metrics = world.relay.metrics().await;
    let is_of_it = |line: &&str| TAKEN.iter().any(|name| line.starts_with(name));
    let lines: Vec<_> = metrics
        .lines()
        .filter(is_of_it)
        .map(str::to_owned)
        .collect();
    assert!(lines.len() > TAKEN.len(), "{metrics}");
    lines
}
