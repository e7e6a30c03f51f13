//! A clock that begins in 1970 and is set later (O6); clocks of webhooks are rows I17's.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::Setup;

#[tokio::test]
async fn o6_relay_that_starts_in_1970_posts_cards_and_goes_on_when_the_clock_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offset");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // A minute after the beginning of time.
    let back = 60_000 - i64::try_from(now.as_millis()).unwrap();
    std::fs::write(&file, back.to_string()).unwrap();
    let world = Setup::default()
        .variable("MEETRELAY_CLOCK_FILE", file.to_str().unwrap())
        .start()
        .await;
    assert!(world.relay.log().contains("\"timestamp\":\"1970-01-01"));
    let card = world.card_of("ana", "dev", "long ago").await;
    // A time server is found: 56 years pass at once.
    std::fs::write(&file, "0").unwrap();
    let room = world.room().await;
    world.join(&room, "Ana");
    assert!(world.conference.end_room(&room.room_id));
    world
        .see("the end", |chat| {
            let post = chat.post(&card.id)?;
            (!post.attachments()[0]
                .to_string()
                .contains("Join the meeting"))
            .then_some(())
        })
        .await;
    world.card_of("ana", "weekly", "today").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}
