#![allow(clippy::unwrap_used, reason = "tests")]

mod any;
mod channels;
mod long_texts;
mod notices;
mod people;
mod posts;
mod recorded;
mod refusals;
mod rotation;
mod sessions;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::http::stub::{Observer, Stub, StubReply};
use crate::http::{CallObserver, HttpSettings};

const BOT: &str = "ino4fu74cbg9mpgakpsj1apn7c";
const CHANNEL: &str = "mpa8m9xzb3ymjdbmu6ynkqjznh";
const TOKEN: &str = "canary9token9canary9token9";
const PASSWORD: &str = "CANARY pass\"wörd";

/// A clock that always shows the same time.
struct StandingClock(AtomicI64);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A client whose server sends these replies.
struct Bench {
    client: Mattermost,
    stub: Stub,
    observer: Arc<Observer>,
}

async fn bench(replies: Vec<StubReply>) -> Bench {
    bench_at(replies, "", Duration::from_secs(20)).await
}

/// The same with a path behind the server's address, and with another deadline.
async fn bench_at(replies: Vec<StubReply>, path: &str, deadline: Duration) -> Bench {
    let credential = Credential::Token(SecretString::from(TOKEN));
    bench_with(replies, path, deadline, credential).await
}

/// The same with a session.
async fn bench_with_login(replies: Vec<StubReply>) -> Bench {
    let credential = Credential::Login {
        login_id: "carol".to_owned(),
        password: SecretString::from(PASSWORD),
    };
    bench_with(replies, "", Duration::from_secs(20), credential).await
}

async fn bench_with(
    replies: Vec<StubReply>,
    path: &str,
    deadline: Duration,
    credential: Credential,
) -> Bench {
    let stub = Stub::start(replies).await;
    let observer = Arc::new(Observer::default());
    let http = HttpSettings {
        deadline,
        ..HttpSettings::default()
    };
    let http = Http::new(http, Arc::clone(&observer) as Arc<dyn CallObserver>).unwrap();
    let settings = MattermostSettings {
        url: stub.url.join(path).unwrap(),
        credential,
        post_secret: SecretString::from("0123456789abcdef0123456789abcdef"),
    };
    let clock = Arc::new(StandingClock(AtomicI64::new(1_795_246_500_000)));
    Bench {
        client: Mattermost::new(settings, http, clock).unwrap(),
        stub,
        observer,
    }
}

fn recorded(name: &str) -> StubReply {
    StubReply::recorded(&format!("mattermost-11/rest/{name}.http"))
}

fn me() -> StubReply {
    recorded("users-me-bot-200")
}

fn channel() -> ChannelId {
    CHANNEL.parse().unwrap()
}

fn user() -> UserId {
    "6taiyi7pxiyudgedj17rdifoge".parse().unwrap()
}

fn post_id() -> PostId {
    "hmba7kp9zfyf3f57s5gs8upi5c".parse().unwrap()
}

fn new_post() -> NewPost {
    NewPost {
        channel: channel(),
        root: None,
        key: "m1:card".to_owned(),
        content: Rendered {
            message: "Ana started **Weekly sync**".to_owned(),
            ..Rendered::default()
        },
    }
}

/// One of our posts as the server returns it, with changes.
fn post_json(changes: &Value) -> Value {
    let mut post = json!({
        "id": post_id(), "create_at": 1_795_246_293_912_i64, "update_at": 1_795_246_293_912_i64,
        "delete_at": 0, "user_id": BOT, "channel_id": CHANNEL, "root_id": "",
        "props": { "from_bot": "true", "meetrelay": { "key": "m1:card" } },
    });
    post.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    post
}
