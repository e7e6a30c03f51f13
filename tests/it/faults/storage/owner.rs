//! Two relays on one data directory (Q16).

use super::{ask, each_has_one_card, is_accepted, on_files};

#[tokio::test]
async fn q16_second_relay_on_one_directory_is_refused_until_the_first_is_gone() {
    let mut world = on_files().start().await;
    let second = world.relay.cli(&["serve"]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.contains("queue.db is in use by another process") && said.contains("server.data_dir"),
        "{said}"
    );
    assert!(
        is_accepted(&ask(&world, "first").await),
        "the first goes on"
    );
    world.relay.kill().await;
    // The lock went with its process, however that ended.
    world.relay.start_again().await;
    let again = world.relay.cli(&["serve"]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(is_accepted(&ask(&world, "second").await));
    each_has_one_card(&world, &["first".to_owned(), "second".to_owned()]).await;
    world.finish().await;
}
