//! Work that nobody waits for, beside work that somebody waits for.

use world::mattermost::{ChannelKind, Options, RateLimit};

use crate::harness::Setup;

/// Channels with posts that the relay has not read.
const CHANNELS: usize = 120;
/// People who start a meeting meanwhile, each in a channel of their own.
const PEOPLE: usize = 6;

#[tokio::test]
async fn f15_cards_go_before_reading_in_the_background() {
    let options = Options {
        rate_limit: Some(RateLimit {
            per_second: 10,
            max_burst: 60,
        }),
        ..Options::default()
    };
    let mut world = Setup::default().chat(options).start().await;
    world.relay.kill().await;
    for number in 0..CHANNELS {
        let name = format!("channel-{number}");
        world
            .chat
            .add_channel(&name, &name, ChannelKind::Public, &["ana"]);
        world.chat.join("meetrelay", &name);
        world.chat.say("ana", &name, "nothing for the relay").await;
    }
    let earlier = world.chat.calls("channels.posts");
    world.relay.start_again().await;
    world
        .relay
        .eventually("reading in the background", async || {
            (world.chat.calls("channels.posts") >= earlier + 25).then_some(())
        })
        .await;
    for number in 0..PEOPLE {
        let channel = format!("channel-{number}");
        world
            .chat
            .say("ana", &channel, &format!("meet now: no {number}"))
            .await;
    }
    for number in 0..PEOPLE {
        world
            .card(&format!("channel-{number}"), &format!("no {number}"))
            .await;
    }
    let read = world.chat.calls("channels.posts") - earlier;
    assert!(
        read < u64::try_from(CHANNELS).unwrap(),
        "the background had not finished: {read}"
    );
    let metrics = world.relay.metrics().await;
    let limited = "meetrelay_retries_scheduled_total{queue=\"chat\",reason=\"rate_limited\"} 0";
    assert!(metrics.contains(limited), "a card waited:\n{metrics}");
    world.finish().await;
}
