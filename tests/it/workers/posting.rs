//! Cards are posted once, whatever the POST meets.

use tokio::time::Instant;

use super::peers::Fate;
use super::*;
use meetrelay::ports::{ChatError, Duty, Lease};

#[tokio::test]
async fn throttled_post_waits_for_the_hinted_delay() {
    let house = House::new().await;
    let after = Some(700 * MILLIS);
    let throttled = Fate::Refused(ChatError::Throttled { after });
    house.peers.world().fates.push_back(throttled);
    let _workers = house.start();
    let id = house.ask(1).await;
    house.until(id, is_carded).await;
    let tried_at = house.peers.world().tried_at.clone();
    let waited = tried_at[1] - tried_at[0];
    assert_eq!(tried_at.len(), 2);
    assert!(waited >= 700 * MILLIS, "{waited:?}");
}

#[tokio::test]
async fn post_whose_answer_was_lost_is_found_again() {
    let house = House::new().await;
    house.peers.world().fates.push_back(Fate::Lost);
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house
        .until(id, |meeting| {
            is_carded(meeting) && meeting.posts.values().all(|row| row.tidy_at.is_none())
        })
        .await;
    let world = house.peers.world();
    assert_eq!(world.posts.len(), 1);
    assert_eq!(world.tried_at.len(), 1, "one POST was enough");
    assert_eq!(
        meeting.post(&PostKey::Card).unwrap().post.as_ref(),
        Some(&world.posts[0].id)
    );
}

#[tokio::test]
async fn lease_held_elsewhere_is_no_attempt() {
    let mut house = House::new().await;
    house.settings.retry.attempts_max = 1;
    let now = house.deps.clock.now();
    let held = 600 * MILLIS;
    let lease = house
        .store
        .take_lease(Duty::Posts(meeting(1)), "another", now, held)
        .await;
    assert!(matches!(lease, Ok(Lease::Taken { .. })));
    let began = Instant::now();
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house.until(id, is_carded).await;
    assert!(began.elapsed() >= held - 50 * MILLIS);
    assert!(meeting.given_up.is_empty());
    assert_eq!(house.peers.world().posts.len(), 1);
}
