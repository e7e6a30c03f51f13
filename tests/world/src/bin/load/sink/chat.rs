//! Mattermost's part: REST v4 as far as the relay calls it, and response URLs.

use std::time::Instant;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{State, lock};
use crate::plan::{id, number};

/// A post as it is found again.
pub(super) struct Posted {
    /// The meeting's number.
    number: u32,
    create_at: i64,
    props: Value,
}

/// What is read of a post that is made or changed.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    root_id: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    props: Value,
}

impl Sent {
    /// Which post it is: the part behind the meeting in the relay's key.
    fn kind(&self) -> Option<&str> {
        let key = self.props.get("meetrelay")?.get("key")?.as_str()?;
        key.split_once(':').map(|(_, kind)| kind)
    }

    fn shows_end(&self) -> bool {
        self.message.contains("** ended")
    }
}

impl State {
    pub(super) fn chat(&self, method: &str, path: &[&str], body: &Bytes) -> Option<(u16, String)> {
        let bot = id('b', self.run, 0);
        let answer = match (method, path) {
            ("GET", ["users", "me"]) => {
                json!({"id": bot, "username": "meetrelay", "roles": "system_user"})
            }
            // None, so that nothing is caught up with.
            ("GET", ["users", "me", "teams"]) => json!([]),
            ("GET", ["users", user]) => json!({"id": user, "username": format!("user{user}")}),
            ("GET", ["config", "client"]) => {
                json!({"Version": "11.6.0", "MaxPostSize": "16383", "TeammateNameDisplay": "username"})
            }
            ("GET", ["channels", channel]) => json!({"id": channel, "type": "O"}),
            ("POST", ["channels", channel, "members"]) => {
                json!({"channel_id": channel, "user_id": bot})
            }
            ("GET", ["channels", channel, "posts"]) => self.posts_in(channel, &bot),
            ("GET", ["posts", post]) => self.read(post, &bot)?,
            ("POST", ["posts"]) => {
                return self.create(body, &bot).map(|made| (201, made.to_string()));
            }
            ("PUT", ["posts", post, "patch"]) => self.patch(post, body, &bot)?,
            _ => return None,
        };
        Some((200, answer.to_string()))
    }

    /// A late answer to a command: only second starts have any, whose immediate answer could not tell in time.
    pub(super) fn late_answer(&self, hook: &str) -> Option<(u16, String)> {
        let number = number('a', self.run, hook)?;
        self.ledger.note(number, |entry| entry.again_answers += 1)?;
        Some((200, "ok".to_owned()))
    }

    fn create(&self, body: &Bytes, bot: &str) -> Option<Value> {
        let sent: Sent = serde_json::from_slice(body).ok()?;
        let now = jiff::Timestamp::now().as_millisecond();
        let number = number('c', self.run, &sent.channel_id)?;
        if sent.kind()? == "card" {
            self.ledger.note(number, |entry| {
                entry.cards += 1;
                entry.card_at.get_or_insert_with(Instant::now);
                entry.shows_end = sent.shows_end();
            })?;
        }
        let mut posts = lock(&self.posts);
        let post = id('p', self.run, u32::try_from(posts.len()).ok()?);
        let props = json!({"meetrelay": sent.props.get("meetrelay")});
        posts.push(Posted {
            number,
            create_at: now,
            props,
        });
        Some(json!({
            "id": post, "channel_id": sent.channel_id, "user_id": bot, "root_id": sent.root_id,
            "create_at": now, "update_at": now, "delete_at": 0, "message": sent.message, "props": sent.props,
        }))
    }

    fn patch(&self, post: &str, body: &Bytes, bot: &str) -> Option<Value> {
        let sent: Sent = serde_json::from_slice(body).ok()?;
        let index = usize::try_from(number('p', self.run, post)?).ok()?;
        let number = lock(&self.posts).get(index)?.number;
        if sent.kind()? == "card" {
            self.ledger
                .note(number, |entry| entry.shows_end = sent.shows_end())?;
        }
        Some(json!({
            "id": post, "channel_id": id('c', self.run, number), "user_id": bot, "root_id": "", "create_at": 1,
            "update_at": 1, "delete_at": 0, "message": sent.message, "props": sent.props,
        }))
    }

    /// A person's post that asked for a meeting, of which the relay wants the thread, or one of the relay's.
    fn read(&self, post: &str, bot: &str) -> Option<Value> {
        if let Some(asked) = number('q', self.run, post) {
            let now = jiff::Timestamp::now().as_millisecond();
            return Some(json!({
                "id": post, "channel_id": id('c', self.run, asked), "user_id": id('u', self.run, asked),
                "root_id": "", "create_at": now, "delete_at": 0, "props": {},
            }));
        }
        let index = usize::try_from(number('p', self.run, post)?).ok()?;
        let posts = lock(&self.posts);
        let found = posts.get(index)?;
        Some(json!({
            "id": post, "channel_id": id('c', self.run, found.number), "user_id": bot, "root_id": "",
            "create_at": found.create_at, "delete_at": 0, "props": found.props,
        }))
    }

    /// Rarely asked: only when the answer to a post never came.
    fn posts_in(&self, channel: &str, bot: &str) -> Value {
        let asked = number('c', self.run, channel);
        let posts = lock(&self.posts);
        let found: Map<String, Value> = (0u32..)
            .zip(posts.iter())
            .filter(|(_, post)| Some(post.number) == asked)
            .map(|(index, post)| {
                let id = id('p', self.run, index);
                let value = json!({
                    "id": id, "channel_id": channel, "user_id": bot, "root_id": "",
                    "create_at": post.create_at, "delete_at": 0, "props": post.props,
                });
                (id, value)
            })
            .collect();
        json!({"order": found.keys().collect::<Vec<_>>(), "posts": found})
    }
}
