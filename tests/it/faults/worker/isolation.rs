//! One peer's trouble is its own: rows W13 and W14, and Mattermost's rate limit.

use std::time::Duration;

use tokio::time::Instant;
use world::Fault;
use world::mattermost::{ChannelKind, Model, Options, RateLimit};

use crate::harness::{PATIENCE, Setup, World, eventually};

const SECOND: Duration = Duration::from_secs(1);

/// Somebody asks for a meeting in each of `count` channels of their own, one after the other.
async fn ask(world: &World, count: usize) {
    let before = world.chat.deliveries().len();
    for number in 0..count {
        let name = room(number);
        let people = ["ana", "meetrelay"];
        world
            .chat
            .add_channel(&name, &name, ChannelKind::Public, &people);
        world.chat.say("ana", &name, "meet now").await;
        let is_told = |_: &Model| (world.chat.deliveries().len() > before + number).then_some(());
        world.see("the trigger's answer", is_told).await;
    }
}

fn room(number: usize) -> String {
    format!("room-{number:02}")
}

/// Waits for a card in each of them.
async fn all_carded(world: &World, count: usize) {
    let has_card = |chat: &Model, number: usize| {
        let posts = chat.posts(&room(number));
        posts.iter().any(|post| !post.attachments().is_empty())
    };
    let all = |chat: &Model| {
        (0..count)
            .all(|number| has_card(chat, number))
            .then_some(())
    };
    world.see("a card in every channel", all).await;
}

fn unavailable() -> Fault {
    Fault::Answer {
        status: 503,
        body: "away".to_owned(),
        headers: vec![],
    }
}

#[tokio::test]
async fn w13_slow_plugnmeet_takes_its_own_slots_and_delays_no_card() {
    let world = Setup::default()
        .set("PLUGNMEET__CONCURRENCY", "3")
        // A call that the relay gave up looks like one under way.
        .set("PLUGNMEET__CALL_TIMEOUT", "30s")
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("SWEEP__EVERY", "1h")
        .start()
        .await;
    let (card, brisk) = world.meeting("dev", "brisk").await;
    // The poll of that room is slow from now on, too.
    world
        .conference
        .faults()
        .set("room.", Fault::Stall(10 * SECOND));
    ask(&world, 6).await;
    let slow = world.conference.wait_for("slow calls", PATIENCE, |fake| {
        let slow = under_way(fake);
        (slow.len() == 3).then_some(slow)
    });
    let slow = slow.await;
    world.join(&brisk, "Bob");
    let has_bob = |chat: &Model| {
        let post = chat.post(&card.id)?;
        post.attachments()[0]
            .to_string()
            .contains("Bob")
            .then_some(())
    };
    world.see("the other meeting's card go on", has_bob).await;
    let requests = world.conference.requests();
    let lines: Vec<_> = requests
        .iter()
        .map(|request| (&request.at, &request.path, &request.body, request.status))
        .collect();
    // It waited for none of the slow calls, and no further one was begun beside them.
    assert_eq!(under_way(&world.conference), slow, "{lines:#?}");
    world.conference.faults().clear();
    all_carded(&world, 6).await;
    world.finish().await;
}

/// The numbers of the calls that plugNmeet has not answered.
fn under_way(fake: &world::plugnmeet::FakePlugNmeet) -> Vec<u64> {
    let requests = fake.requests().into_iter();
    let unanswered = requests.filter(|request| request.status.is_none());
    unanswered.map(|request| request.number).collect()
}

#[tokio::test]
async fn w13_slow_mattermost_delays_no_room() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("MATTERMOST__CALL_TIMEOUT", "10s")
        .start()
        .await;
    world
        .chat
        .faults()
        .set("posts.create", Fault::Stall(3 * SECOND));
    let began = Instant::now();
    ask(&world, 12).await;
    world
        .conference
        .wait_for("every room", PATIENCE, |fake| {
            (fake.rooms().len() == 12).then_some(())
        })
        .await;
    let posted = world.chat.requests();
    let posted = posted
        .iter()
        .filter(|r| r.operation == "posts.create")
        .count();
    assert!(
        posted <= 8,
        "{posted} posts were answered after {:?}",
        began.elapsed()
    );
    world.chat.faults().clear();
    all_carded(&world, 12).await;
    world.finish().await;
}

#[tokio::test]
async fn w14_after_an_outage_one_probe_goes_first_and_never_more_than_the_limit_at_once() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("MATTERMOST__CONCURRENCY", "4")
        .set("BREAKER__FAILURES", "2")
        .start()
        .await;
    world.chat.faults().set("", unavailable());
    ask(&world, 20).await;
    world.relay.await_log("the peer is unavailable").await;
    let known = world.chat.requests().len();
    let at = eventually("probes", async || {
        let later = world.chat.requests().split_off(known);
        (later.len() > 12).then(|| {
            later
                .iter()
                .map(|request| request.at_ms)
                .collect::<Vec<_>>()
        })
    })
    .await;
    // A probe is a job, which may call more than once. Calls of others, of which one may fall into this time, are none.
    let mut probes = at.clone();
    probes.dedup_by(|later, earlier| *later - *earlier < 150);
    let gaps = i64::try_from(probes.len()).unwrap() - 1;
    let lasted = probes.last().unwrap() - probes[0];
    assert!(lasted >= (gaps - 1) * 290, "one probe each 300 ms: {at:?}");
    world.chat.faults().clear();
    let stall = Duration::from_millis(200);
    world.chat.faults().set("posts.create", Fault::Stall(stall));
    all_carded(&world, 20).await;
    let mut at: Vec<i64> = world
        .chat
        .requests()
        .iter()
        .filter(|request| request.operation == "posts.create" && request.status == Some(201))
        .map(|request| request.at_ms)
        .collect();
    at.sort_unstable();
    assert_eq!(at.len(), 20, "each card was posted once");
    assert!(at[1] - at[0] >= 190, "the first one went alone: {at:?}");
    for window in at.windows(5) {
        assert!(window[4] - window[0] >= 190, "more than 4 at once: {at:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn w14_what_waited_is_done_oldest_first() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("MATTERMOST__CONCURRENCY", "1")
        .set("PLUGNMEET__CONCURRENCY", "1")
        .set("BREAKER__FAILURES", "1")
        // One probe, and then nothing until the peer is available again.
        .set("BREAKER__PROBE_EVERY", "4s")
        .start()
        .await;
    world.chat.faults().set("", unavailable());
    ask(&world, 12).await;
    world
        .conference
        .wait_for("every room", PATIENCE, |fake| {
            (fake.rooms().len() == 12).then_some(())
        })
        .await;
    world.relay.await_log("the peer is unavailable").await;
    world.chat.faults().clear();
    all_carded(&world, 12).await;
    let mut order: Vec<(i64, usize)> = (0..12)
        .map(|number| (world.cards(&room(number))[0].create_at, number))
        .collect();
    order.sort_unstable();
    let mut order: Vec<usize> = order.into_iter().map(|(_, number)| number).collect();
    // What failed in the outage waits its own pause; two may be tried before the breaker opens.
    order.retain(|number| *number > 1);
    assert!(order.is_sorted(), "{order:?}");
    world.finish().await;
}

#[tokio::test]
async fn w14_no_call_goes_out_that_the_rate_limit_has_no_room_for() {
    let world = Setup::default()
        .chat(Options {
            rate_limit: Some(RateLimit {
                per_second: 4,
                max_burst: 3,
            }),
            ..Options::default()
        })
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("MATTERMOST__CONCURRENCY", "2")
        .start()
        .await;
    ask(&world, 6).await;
    all_carded(&world, 6).await;
    let requests = world.chat.requests();
    let refused: Vec<_> = requests.iter().filter(|r| r.status == Some(429)).collect();
    assert!(requests.len() >= 10 && refused.is_empty(), "{refused:?}");
    world.finish().await;
}

#[tokio::test]
async fn w14_a_configured_rate_is_never_exceeded() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("MATTERMOST__CALLS_PER_SECOND", "5")
        .start()
        .await;
    ask(&world, 6).await;
    all_carded(&world, 6).await;
    let mut at: Vec<i64> = world.chat.requests().iter().map(|r| r.at_ms).collect();
    at.sort_unstable();
    assert!(at.len() >= 10);
    let spread = at[at.len() - 1] - at[0];
    let least = (at.len() as i64 - 1) * 200;
    assert!(spread >= least - 100, "{} calls in {spread} ms", at.len());
    world.finish().await;
}
