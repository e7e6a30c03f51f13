//! The fake plugNmeet against the recordings of the real one (tests/vectors/plugnmeet/recorded).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod api;
mod artifacts;
mod lifecycle;
mod outages;
mod receiver;
mod recorded;
mod retries;
mod webhooks;

use std::time::Duration;

use world::plugnmeet::{FakePlugNmeet, Options};

/// No wait of these tests needs longer, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(20);

/// A fake fifty times as fast as the real one, without planted secrets.
async fn fast() -> FakePlugNmeet {
    start(Options {
        time_scale: 0.02,
        canaries: false,
        ..Options::default()
    })
    .await
}

async fn start(options: Options) -> FakePlugNmeet {
    FakePlugNmeet::start(options).await.unwrap()
}
