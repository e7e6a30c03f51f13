//! Catching up with posts, beside the door.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meetrelay::domain::rule::Rules;
use meetrelay::domain::{MeetingId, Timestamp};
use meetrelay::ports::{MeetingFilter, Outgoing, OwnChannel, PublishError, WrittenPost};
use meetrelay::trigger::{MissedPosts, OwnUser};
use meetrelay::worker::{CatchUpSettings, begin_catching_up};

use super::refusing::Refusing;
use super::{House, MILLIS, SECOND};
use crate::harness::{eventually, stays_true_for};

fn settings(missed_posts: &MissedPosts) -> CatchUpSettings {
    CatchUpSettings {
        rules: Arc::new(Rules::built_in()),
        trigger_words: Rules::built_in().first_words(),
        own_user: OwnUser::unknown(),
        missed_posts: missed_posts.clone(),
        starts_per_minute: 5,
        start_deadline_max: 900 * SECOND,
        every: 3600 * SECOND,
    }
}

fn write(house: &House, id: &str, at: Timestamp) {
    let mut world = house.peers.world();
    let channel = OwnChannel {
        id: "c1".parse().unwrap(),
        name: "dev".to_owned(),
        team: "t1".parse().unwrap(),
        team_name: "eng".to_owned(),
        last_post_at: at,
    };
    world.channels = vec![channel.clone()];
    let post = WrittenPost {
        id: id.parse().unwrap(),
        user: "ana".parse().unwrap(),
        created_at: at,
        text: "meet now".to_owned(),
    };
    world.written.push((channel.id, post));
}

async fn meetings(house: &House) -> Vec<MeetingId> {
    let filter = MeetingFilter {
        limit: 10,
        ..MeetingFilter::default()
    };
    let found = house.deps.store.meetings(filter).await.unwrap();
    found.into_iter().map(|meeting| meeting.id).collect()
}

/// Waits until the channels were looked through so often.
async fn until_scanned(house: &House, times: u32) {
    eventually("a pass over the channels", async || {
        (house.peers.world().scans >= times).then_some(())
    })
    .await;
}

async fn until_one_meeting(house: &House) {
    eventually("the one meeting", async || {
        (meetings(house).await.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn trigger_that_was_not_taken_at_the_door_is_looked_for_at_once() {
    let mut house = House::new().await;
    let missed_posts = MissedPosts::default();
    house.settings.catch_up = Some(settings(&missed_posts));
    let now = house.deps.clock.now();
    begin_catching_up(house.deps.store.as_ref(), now)
        .await
        .unwrap();
    let workers = house.start();
    // Let the first pass go by: it finds nothing.
    until_scanned(&house, 1).await;
    write(&house, "post1", house.deps.clock.now());
    let is_missed = async || meetings(&house).await.is_empty();
    stays_true_for(300 * MILLIS, "nobody looks", is_missed).await;
    missed_posts.signal();
    until_one_meeting(&house).await;
    workers.drain(std::future::pending()).await;
}

#[tokio::test]
async fn nothing_counts_as_looked_at_while_the_queue_takes_nothing() {
    let mut house = House::new().await;
    let is_full = Arc::new(AtomicBool::new(true));
    let refuse = {
        let is_full = Arc::clone(&is_full);
        move |_: &Outgoing, is_from_outside| {
            let is_refused = is_from_outside && is_full.load(Ordering::SeqCst);
            is_refused.then(|| PublishError::Full("the disk".to_owned()))
        }
    };
    let queue = Refusing::new(&house.queue, Box::new(refuse));
    house.use_queue(queue);
    let mut catch_up = settings(&MissedPosts::default());
    catch_up.every = 100 * MILLIS;
    house.settings.catch_up = Some(catch_up);
    let began = house.deps.clock.now().minus(60 * SECOND);
    begin_catching_up(house.deps.store.as_ref(), began)
        .await
        .unwrap();
    write(&house, "post1", house.deps.clock.now().minus(30 * SECOND));
    let workers = house.start();
    until_scanned(&house, 4).await;
    assert_eq!(meetings(&house).await, []);
    is_full.store(false, Ordering::SeqCst);
    until_one_meeting(&house).await;
    workers.drain(std::future::pending()).await;
}
