//! A relay without a bot: it logs in with a name and a password.

use std::time::Duration;

use world::Fault;

use crate::harness::{PASSWORD, PATIENCE, Setup, World};

const REFUSED: &str = "Mattermost refuses the login";

async fn start() -> World {
    Setup::default().log_in_with(PASSWORD).start().await
}

#[tokio::test]
async fn relay_with_a_login_posts_edits_and_logs_out() {
    let mut world = start().await;
    let card = world.card_of("ana", "dev", "weekly sync").await;
    assert_eq!(card.user_id, world.chat.user("meetrelay").id);
    world
        .relay
        .await_metric(r#"meetrelay_ready{check="mattermost"} 1"#)
        .await;
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    world.card("dev", "ended").await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.chat.calls("users.login"), 1);
    assert_eq!(world.chat.sessions("meetrelay").len(), 1);
    world.relay.stop().await;
    assert_eq!(world.chat.calls("users.logout"), 1);
    assert_eq!(world.chat.sessions("meetrelay"), Vec::<String>::new());
    world.finish().await;
}

#[tokio::test]
async fn session_that_ends_under_many_jobs_is_replaced_by_exactly_one() {
    let world = start().await;
    let channels = ["dev", "weekly", "off-topic", "town-square"];
    for channel in channels {
        world.chat.say("ana", channel, "meet now: busy").await;
        world.card(channel, "busy").await;
    }
    assert_eq!(world.chat.calls("users.login"), 1);
    for (round, end) in ["revoked", "expired"].into_iter().enumerate() {
        if end == "revoked" {
            world.chat.revoke_sessions("meetrelay");
        } else {
            world.chat.expire_sessions_in(Duration::ZERO);
        }
        let rooms = world.conference.rooms();
        for room in &rooms {
            let name = format!("Guest {end}");
            let id = format!("u-{end}");
            world.conference.join(&room.room_id, &name, &id).unwrap();
        }
        for channel in channels {
            world
                .see(
                    &format!("the guest in {channel} after it was {end}"),
                    |chat| {
                        let mut posts = chat.posts(channel).into_iter();
                        posts.find(|post| {
                            let shown = format!("{:?}", post.attachments());
                            shown.contains(&format!("Guest {end}"))
                        })
                    },
                )
                .await;
        }
        let logins = u64::try_from(round).unwrap() + 2;
        assert_eq!(world.chat.calls("users.login"), logins, "{end}");
    }
    for channel in channels {
        assert_eq!(world.cards(channel).len(), 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn wrong_password_is_told_once_locks_nothing_and_heals_after_a_restart() {
    let mut world = Setup::default().log_in_with("wrong-horse").start().await;
    world.relay.await_log(REFUSED).await;
    world.chat.say("ana", "dev", "meet now: patience").await;
    world.room().await;
    // The job of the card wants to call again and again meanwhile.
    let again = "job will be tried again";
    world.relay.await_logged(again, 5).await;
    world
        .relay
        .await_metric(r#"meetrelay_ready{check="mattermost"} 0"#)
        .await;
    world
        .relay
        .await_metric(r#"meetrelay_ready{check="queue"} 1"#)
        .await;
    assert_eq!(world.relay.log().matches(REFUSED).count(), 1);
    assert_eq!(world.chat.calls("users.login"), 1);
    assert_eq!(
        world.chat.failed_logins("meetrelay"),
        1,
        "ten lock the account"
    );
    assert!(world.relay.log().contains("mattermost.login_id"));
    world.relay.stop().await;
    world.chat.set_password("meetrelay", "wrong-horse");
    world.relay.start_again().await;
    world.card("dev", "patience").await;
    world.finish().await;
}

#[tokio::test]
async fn every_account_that_cannot_log_in_is_told_with_its_reason() {
    let mut world = start().await;
    world.relay.await_log("logged in to Mattermost").await;
    world.chat.require_second_factor("meetrelay");
    world.relay.stop().await;
    world.relay.start_again().await;
    world.relay.await_log("second factor").await;
    world.relay.stop().await;
    world.chat.set_disabled("meetrelay", true);
    world.relay.start_again().await;
    world.relay.await_log("deactivated").await;
    assert_eq!(world.chat.calls("users.login"), 3);
    world.finish().await;
}

#[tokio::test]
async fn login_that_meets_an_outage_is_tried_until_it_works() {
    let mut world = start().await;
    world.relay.await_log("logged in to Mattermost").await;
    world.relay.kill().await;
    world.chat.faults().set("users.login", Fault::Drop);
    world.relay.start_again().await;
    world.chat.say("ana", "dev", "meet now: late").await;
    world
        .chat
        .wait_for_calls("users.login", 4, PATIENCE)
        .await
        .unwrap();
    world.chat.faults().clear();
    world.card("dev", "late").await;
    assert_eq!(world.relay.log().matches(REFUSED).count(), 0);
    // A killed relay cannot log out: its session stays until it expires.
    assert_eq!(world.chat.sessions("meetrelay").len(), 2);
    world.finish().await;
}
