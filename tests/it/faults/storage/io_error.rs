//! Disks that fail (Q13, Q15). What is real: the binary, its files, and what SQLite makes of the error; a failed sync
//! leaves everything that was written in the file, the commit's mark too. What is simulated: the error itself, by a
//! layer before the C library. What a kernel may do besides, forgetting the pages that it could not write, is not; the
//! relay counts on it all the same and writes everything again before it goes on (src/queue/embedded/trouble.rs).

use super::disk::{EIO, Faults};
use super::{ask, each_has_one_card, is_accepted, on_files, ready};

async fn nothing_is_acknowledged_until_it_was_opened_again(operation: &str) {
    let faults = Faults::new();
    let world = faults.under(on_files()).start().await;
    let mut accepted = vec!["before".to_owned()];
    assert!(is_accepted(&ask(&world, "before").await));
    each_has_one_card(&world, &accepted).await;
    faults.begin(operation, EIO, "queue.db");
    for number in 0..5 {
        let answer = ask(&world, &format!("failing-{number}")).await;
        assert!(matches!(&answer, Ok((503, _))), "{answer:?}");
    }
    let cannot = "the queue's file cannot be relied on";
    world.relay.await_log(cannot).await;
    ready(&world, 503).await;
    world.relay.await_log("cannot be opened again").await;
    faults.end();
    world
        .relay
        .await_log("the queue's file was opened again")
        .await;
    ready(&world, 200).await;
    assert_eq!(world.relay.log().matches(cannot).count(), 1, "said once");
    for number in 0..3 {
        let channel = format!("after-{number}");
        assert!(is_accepted(&ask(&world, &channel).await));
        accepted.push(channel);
    }
    each_has_one_card(&world, &accepted).await;
    // What was refused may have been written all the same: then it is done, and once.
    for number in 0..5 {
        assert!(world.cards(&format!("failing-{number}")).len() <= 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn q13_write_error_stops_every_acknowledgement() {
    nothing_is_acknowledged_until_it_was_opened_again("write").await;
}

#[tokio::test]
async fn q15_failed_sync_stops_every_acknowledgement_until_the_file_was_opened_again() {
    nothing_is_acknowledged_until_it_was_opened_again("sync").await;
}

/// What was accepted before is there although the process dies while nothing can be synced.
#[tokio::test]
async fn q15_relay_killed_after_a_failed_sync_has_everything_that_it_accepted() {
    let faults = Faults::new();
    let mut world = faults.under(on_files()).start().await;
    world.chat.stop().await;
    let mut accepted = Vec::new();
    for number in 0..10 {
        let channel = format!("room-{number}");
        assert!(is_accepted(&ask(&world, &channel).await));
        accepted.push(channel);
    }
    faults.begin("sync", EIO, "queue.db");
    assert!(!is_accepted(&ask(&world, "refused").await));
    world.relay.kill().await;
    faults.end();
    world.relay.start_again().await;
    world.chat.start_again().await.unwrap();
    each_has_one_card(&world, &accepted).await;
    assert!(world.cards("refused").len() <= 1);
    world.finish().await;
}
