//! Every way in which plugNmeet loses an end, or what came before it, ends with a true card
//! (src/plugnmeet/README.md, "Sessions that never end" and "Lost webhooks").

use serde_json::json;
use world::Fault;
use world::mattermost::Post;
use world::plugnmeet::{Backend, Phase, RoomView};

use crate::harness::{PATIENCE, Setup, World, client, make_room, shown};

/// A meeting with its card and its room.
struct Begun {
    world: World,
    card: Post,
    room: RoomView,
}

impl Begun {
    /// A meeting that ana started, and that ana is in.
    async fn with_ana() -> Self {
        let begun = Self::empty(Setup::default()).await;
        let room = &begun.room.room_id;
        begun.world.conference.join(room, "Ana", "u-ana").unwrap();
        begun.until(|text| text.contains("Ana")).await;
        begun.world.conference.settle_webhooks(PATIENCE).await;
        begun
    }

    /// A meeting that ana started, and that nobody is in.
    async fn empty(setup: Setup) -> Self {
        let world = setup.start().await;
        world.chat.say("ana", "dev", "meet now: lost ends").await;
        let card = world.card("dev", "lost ends").await;
        let room = world.room().await;
        let begun = Self { world, card, room };
        begun.until(|text| text.contains("Join the meeting")).await;
        begun.world.conference.settle_webhooks(PATIENCE).await;
        begun
    }

    /// Waits until the card shows it.
    async fn until(&self, is_so: impl Fn(&str) -> bool) -> String {
        self.world.until(&self.card, is_so).await
    }

    async fn until_ended(&self) -> String {
        self.world.until_over(&self.card).await
    }

    /// Waits until the relay asked so often whether the room runs.
    async fn until_polled(&self, times: u64) {
        let fake = &self.world.conference;
        let asked = fake.count("room.active");
        let more = |fake: &world::plugnmeet::FakePlugNmeet| {
            (fake.count("room.active") >= asked + times).then_some(())
        };
        fake.wait_for("polls", PATIENCE, more).await;
    }

    fn now(&self) -> String {
        shown(&self.world.chat.post(&self.card.id).unwrap())
    }

    async fn finish(self) {
        assert_eq!(self.world.cards("dev").len(), 1);
        self.world.finish().await;
    }
}

const MISSED_END: &str = "meetrelay_reconcile_repairs_total{kind=\"missed_end\"} 1";

#[tokio::test]
async fn emptied_redis_and_restart_that_silence_a_room_do_not_keep_its_card_alive() {
    let begun = Begun::with_ana().await;
    begun.world.conference.lose_redis().await.unwrap();
    let room = &begun.room.room_id;
    begun.world.conference.join(room, "Bob", "u-bob").unwrap();
    begun.until_polled(2).await;
    assert!(begun.now().contains("Join the meeting"), "it still runs");
    assert!(begun.world.conference.end_room(room));
    let text = begun.until_ended().await;
    assert!(text.contains("about") && text.contains("Ana"), "{text}");
    begun.world.relay.await_metric(MISSED_END).await;
    begun.world.relay.await_log("no webhook reported it").await;
    begun.finish().await;
}

#[tokio::test]
async fn server_that_stops_right_after_our_end_is_told_again_until_it_says_so() {
    let begun = Begun::with_ana().await;
    begun.world.conference.lose_next_end();
    let end = "/plugnmeet end";
    begun.world.chat.command("ana", "dev", end, None).await;
    begun.until_ended().await;
    let ended = |fake: &world::plugnmeet::FakePlugNmeet| {
        (fake.room(&begun.room.sid)?.phase == Phase::Ended).then_some(())
    };
    let fake = &begun.world.conference;
    fake.wait_for("the true end", PATIENCE, ended).await;
    assert!(fake.count("room.end") >= 2);
    // Its own word replaces what a poll may have seen before.
    begun
        .until(|text| text.contains("ended") && !text.contains("about"))
        .await;
    begun.finish().await;
}

#[tokio::test]
async fn session_that_comes_back_to_life_after_our_end_is_ended_for_good() {
    let begun = Begun::with_ana().await;
    let fake = &begun.world.conference;
    fake.lose_next_end();
    let end = "/plugnmeet end";
    begun.world.chat.command("ana", "dev", end, None).await;
    let lost = |fake: &world::plugnmeet::FakePlugNmeet| {
        (fake.room(&begun.room.sid)?.phase != Phase::Running).then_some(())
    };
    fake.wait_for("the lost end", PATIENCE, lost).await;
    let sid = make_room(&begun.world, &begun.room.room_id).await;
    let ended = |fake: &world::plugnmeet::FakePlugNmeet| {
        (fake.room(&sid)?.phase == Phase::Ended).then_some(())
    };
    fake.wait_for("its end", PATIENCE, ended).await;
    begun.until_ended().await;
    begun.finish().await;
}

#[tokio::test]
async fn old_session_that_never_ends_does_not_keep_the_card_alive() {
    let begun = Begun::with_ana().await;
    let fake = &begun.world.conference;
    assert!(fake.lose_room_state(&begun.room.room_id));
    let newer = make_room(&begun.world, &begun.room.room_id).await;
    assert_ne!(newer, begun.room.sid);
    assert_eq!(fake.room(&begun.room.sid).unwrap().phase, Phase::Replaced);
    assert!(fake.end_room(&begun.room.room_id));
    begun.until_ended().await;
    let old = fake.room(&begun.room.sid).unwrap();
    assert_eq!((old.phase, old.ended), (Phase::Replaced, None));
    begun.finish().await;
}

#[tokio::test]
async fn room_whose_state_nats_lost_ends_its_card_and_is_ended_by_our_end() {
    let begun = Begun::with_ana().await;
    let fake = &begun.world.conference;
    assert!(fake.lose_room_state(&begun.room.room_id));
    let end = "/plugnmeet end";
    begun.world.chat.command("ana", "dev", end, None).await;
    let text = begun.until_ended().await;
    assert!(text.contains("Ana"), "{text}");
    begun.finish().await;
}

#[tokio::test]
async fn events_that_a_stalled_relay_made_plugnmeet_drop_are_made_up_for_by_asking() {
    let mut begun = Begun::with_ana().await;
    begun.world.relay.signal("STOP").await;
    let fake = &begun.world.conference;
    let room = begun.room.room_id.clone();
    fake.leave(&room, "u-ana");
    assert!(fake.end_room(&room));
    let ended = |fake: &world::plugnmeet::FakePlugNmeet| fake.room(&room)?.ended;
    fake.wait_for("the end", PATIENCE, ended).await;
    fake.lose_queued_webhooks(&room);
    begun.world.relay.signal("CONT").await;
    let text = begun.until_ended().await;
    assert!(text.contains("Ana"), "{text}");
    begun.finish().await;
}

#[tokio::test]
async fn end_that_was_told_three_times_to_a_dead_relay_is_found_by_asking() {
    let mut begun = Begun::with_ana().await;
    begun.world.relay.kill().await;
    let fake = &begun.world.conference;
    assert!(fake.end_room(&begun.room.room_id));
    let ended = |fake: &world::plugnmeet::FakePlugNmeet| fake.room(&begun.room.sid)?.ended;
    fake.wait_for("the end", PATIENCE, ended).await;
    fake.settle_webhooks(PATIENCE).await;
    begun.world.relay.start_again().await;
    let text = begun.until_ended().await;
    assert!(text.contains("about"), "{text}");
    begun.world.relay.await_metric(MISSED_END).await;
    begun.finish().await;
}

#[tokio::test]
async fn restart_of_plugnmeet_in_the_middle_changes_nothing() {
    let begun = Begun::with_ana().await;
    let fake = &begun.world.conference;
    fake.stop().await;
    begun
        .world
        .relay
        .await_log("\"reason\":\"unreachable\"")
        .await;
    assert!(begun.now().contains("Join the meeting"));
    fake.resume().await.unwrap();
    begun.until_polled(1).await;
    let room = &begun.room.room_id;
    fake.join(room, "Bob", "u-bob").unwrap();
    begun.until(|text| text.contains("Bob")).await;
    assert!(fake.end_room(room));
    let text = begun.until_ended().await;
    assert!(!text.contains("about"), "it was told: {text}");
    begun.finish().await;
}

#[tokio::test]
async fn killed_livekit_leaves_a_card_that_runs_until_the_room_ends() {
    let begun = Begun::with_ana().await;
    let fake = &begun.world.conference;
    let room = &begun.room.room_id;
    assert!(fake.lose_livekit(room));
    begun.until_polled(2).await;
    assert!(begun.now().contains("Join the meeting"), "it can be joined");
    fake.skew_clock(3600);
    assert!(fake.sweep_empty_room(room));
    fake.skew_clock(0);
    let text = begun.until_ended().await;
    assert!(text.contains("Ana"), "{text}");
    begun.finish().await;
}

#[tokio::test]
async fn room_that_nobody_entered_is_told_as_missed() {
    let begun = Begun::empty(Setup::default()).await;
    let fake = &begun.world.conference;
    fake.skew_clock(3600);
    assert!(fake.sweep_empty_room(&begun.room.room_id));
    fake.skew_clock(0);
    let text = begun.until(|text| text.contains("nobody came")).await;
    assert!(!text.contains("Join the meeting"), "{text}");
    begun.finish().await;
}

#[tokio::test]
async fn room_finished_alone_ends_the_card() {
    let begun = Begun::with_ana().await;
    let fake = &begun.world.conference;
    fake.lose_webhooks("session_ended", None);
    assert!(fake.end_room(&begun.room.room_id));
    begun.until_ended().await;
    begun.finish().await;
}

#[tokio::test]
async fn plugnmeet_without_any_webhook_still_opens_and_ends_a_card() {
    let begun = Begun::empty(Setup::default()).await;
    let fake = &begun.world.conference;
    fake.configure_webhooks(None, false);
    let room = &begun.room.room_id;
    fake.join(room, "Ana", "u-ana").unwrap();
    begun.until_polled(2).await;
    let text = begun.now();
    assert!(
        text.contains("nobody seen yet"),
        "nothing untrue is said of Ana: {text}"
    );
    assert!(fake.end_room(room));
    let text = begun.until_ended().await;
    assert!(!text.contains("nobody came"), "{text}");
    begun.finish().await;
}

#[tokio::test]
async fn create_that_failed_half_way_and_was_repeated_gives_one_room_and_a_true_end() {
    let world = World::start().await;
    world.conference.set_down(Backend::Nats, true);
    world.chat.say("ana", "dev", "meet now: half way").await;
    let tried =
        |fake: &world::plugnmeet::FakePlugNmeet| (fake.count("room.create") > 0).then_some(());
    world.conference.wait_for("a try", PATIENCE, tried).await;
    world.conference.set_down(Backend::Nats, false);
    let room = world.room().await;
    let card = world.card("dev", "half way").await;
    let begun = Begun { world, card, room };
    begun.until(|text| text.contains("Join the meeting")).await;
    let rooms = begun.world.conference.rooms();
    assert_eq!(rooms.len(), 1);
    assert!(begun.world.conference.end_room(&begun.room.room_id));
    begun.until(|text| text.contains("nobody came")).await;
    begun.finish().await;
}

#[tokio::test]
async fn lock_that_a_killed_server_left_behind_only_delays_the_room() {
    let world = World::start().await;
    let body = json!({
        "status": false, "status_code": "INTERNAL_SERVER_ERROR",
        "msg": "timeout waiting to acquire lock for room x, operation is currently locked",
    });
    let answer = Fault::Answer {
        status: 200,
        body: body.to_string(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
    };
    world.conference.faults().next("room.create", 1, answer);
    world.chat.say("ana", "dev", "meet now: locked").await;
    let room = world.room().await;
    let card = world.card("dev", "locked").await;
    let begun = Begun { world, card, room };
    begun.until(|text| text.contains("Join the meeting")).await;
    assert!(begun.world.conference.end_room(&begun.room.room_id));
    begun.until_ended().await;
    begun.finish().await;
}

#[tokio::test]
async fn joining_while_back_ends_are_away_ends_nothing() {
    let begun = Begun::with_ana().await;
    let fake = &begun.world.conference;
    let text = begun.now();
    let (_, rest) = text.split_once("/join/").unwrap();
    let token: String = rest
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect();
    let page = format!("{}/join/{token}", begun.world.relay.ports.public_url());
    for backend in [Backend::Database, Backend::Nats, Backend::Redis] {
        fake.forget_cache();
        fake.set_down(backend, true);
        let posted = client()
            .post(&page)
            .header("content-type", crate::harness::FORM)
            .body("name=Bob")
            .send()
            .await;
        // The token is minted or not; "room is not active" for a live room is no end.
        drop(posted);
        begun.until_polled(1).await;
        fake.set_down(backend, false);
        assert!(begun.now().contains("Join the meeting"), "{backend:?}");
    }
    assert!(fake.end_room(&begun.room.room_id));
    begun.until_ended().await;
    begun.finish().await;
}
