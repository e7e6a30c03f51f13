#![allow(clippy::unwrap_used, reason = "tests")]

mod any;
mod calls;
mod downloads;
mod own_word;
mod recorded;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::MeetingId;
use crate::http::stub::{Observer, Stub, StubReply};
use crate::http::{CallObserver, HttpSettings};

/// The public sample secret that the recordings were made with.
const SECRET: &str = "zumyyYWqv7KR2kUqvYdq4z4sXg7XTBD2ljT6";

/// A client whose server sends these replies.
struct Bench {
    client: PlugNmeet,
    stub: Stub,
    observer: Arc<Observer>,
}

async fn bench(replies: Vec<StubReply>) -> Bench {
    bench_with(replies, |_| {}).await
}

async fn bench_with(replies: Vec<StubReply>, change: impl FnOnce(&mut PlugNmeetSettings)) -> Bench {
    let stub = Stub::start(replies).await;
    let observer = Arc::new(Observer::default());
    let http = HttpSettings {
        deadline: Duration::from_secs(20),
        ..HttpSettings::default()
    };
    let http = Http::new(http, Arc::clone(&observer) as Arc<dyn CallObserver>).unwrap();
    let mut settings = PlugNmeetSettings {
        url: stub.url.clone(),
        external_url: "https://meet.example.org/pnm".parse().unwrap(),
        api_key: "plugnmeet".to_owned(),
        api_secret: SecretString::from(SECRET),
        webhook_url: "https://relay.example.org/plugnmeet/webhook"
            .parse()
            .unwrap(),
        download_hosts: Vec::new(),
        room: RoomSettings::default(),
    };
    change(&mut settings);
    Bench {
        client: PlugNmeet::new(settings, http).unwrap(),
        stub,
        observer,
    }
}

fn room() -> RoomId {
    "mm-7c1e4k9q2xw8".parse().unwrap()
}

fn meeting() -> MeetingId {
    "018f3c1e-7a2b-7c3d-8e4f-5a6b7c8d9e0f".parse().unwrap()
}

fn new_room() -> NewRoom {
    NewRoom {
        room: room(),
        meeting: meeting(),
        title: "Stand-up – Équipe".to_owned(),
        logout_url: Some(
            "https://mm.example.org/eng/channels/town-square"
                .parse()
                .unwrap(),
        ),
    }
}

fn joiner() -> Joiner {
    Joiner {
        identity: "fy79m36rwf8a5jnquphm6j7ify".parse().unwrap(),
        name: "Ana Müller".to_owned(),
        is_moderator: true,
    }
}
