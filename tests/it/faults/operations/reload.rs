//! SIGHUP (O3): all of a changed configuration or nothing, and a word about it.

use crate::harness::{Setup, World};

#[tokio::test]
async fn o3_invalid_file_leaves_everything_as_it_is_and_says_what_is_wrong() {
    let mut world = World::start().await;
    let gauge = "meetrelay_config_last_reload_successful";
    world.relay.await_metric(&format!("{gauge} 1")).await;
    let [unknown, missing] = [
        |text: String| text.replace("[retry]", "[retry]\nattempts = 3"),
        |text: String| text.replace("api_secret", "# api_secret"),
    ];
    let good = std::cell::RefCell::new(String::new());
    world.relay.configure(|text| {
        good.replace(text.clone());
        unknown(text)
    });
    assert!(!world.relay.reload().await);
    world.relay.await_metric(&format!("{gauge} 0")).await;
    let checked = world.relay.cli(&["check"]).await;
    assert_eq!(checked.status.code(), Some(2));
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    let complaint = said.lines().last().unwrap();
    assert!(complaint.contains("unknown key retry.attempts"), "{said}");
    let told = complaint.replace('"', "\\\"");
    assert!(world.relay.log().contains(&told), "{told} is not logged");
    world.card_of("ana", "dev", "as before").await;
    // A file that could not be served is none to be taken over either.
    world.relay.configure(|_| missing(good.borrow().clone()));
    assert!(!world.relay.reload().await);
    // Nor is one that is gone.
    world.relay.configure(|_| good.borrow().clone());
    assert!(world.relay.reload().await);
    world.relay.await_metric(&format!("{gauge} 1")).await;
    world.card_of("ana", "weekly", "and after").await;
    world.finish().await;
}

#[tokio::test]
async fn o3_key_that_needs_a_restart_is_named_and_the_others_are_taken_over() {
    let mut world = World::start().await;
    world.relay.configure(|text| {
        text.replace("level = \"debug\"", "level = \"info\"")
            .replace("[sweep]\nevery = \"300ms\"", "[sweep]\nevery = \"400ms\"")
    });
    assert!(world.relay.reload().await);
    let log = world.relay.log();
    let named: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("needs a restart"))
        .collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(named[0].contains("\"key\":\"sweep.every\""), "{named:?}");
    let debug = || world.relay.log().matches("\"level\":\"DEBUG\"").count();
    let before = debug();
    world.card_of("ana", "dev", "quietly").await;
    assert_eq!(debug(), before, "log.level is taken over");
    world.finish().await;
}

#[tokio::test]
async fn o3_refused_bot_token_holds_cards_back_until_a_reload_brings_a_good_one() {
    let mut world = World::start().await;
    let old = world.bot_token();
    world.chat.revoke_token(&old);
    world.chat.say("ana", "dev", "meet now: locked out").await;
    world
        .relay
        .await_log("job waits until a person has acted")
        .await;
    let away = "meetrelay_ready{check=\"mattermost\"} 0";
    let new = world.chat.add_token("meetrelay");
    world.relay.configure(|text| text.replace(&old, &new));
    assert!(world.relay.reload().await);
    world.card("dev", "locked out").await;
    assert_eq!(world.cards("dev").len(), 1);
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    // Looked at after the reload, when who the relay is was asked again.
    world.chat.revoke_token(&new);
    assert!(world.relay.reload().await);
    world.relay.await_metric(away).await;
    let log = world.relay.log();
    assert!(!log.contains(&old) && !log.contains(&new));
    world.finish().await;
}

#[tokio::test]
async fn o3_secrets_from_files_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, "the-first\n").unwrap();
    let mut world = Setup::default()
        .variable("MATTERMOST_OUTGOING_TOKEN_FILE", file.to_str().unwrap())
        .start()
        .await;
    let url = format!("{}/mattermost/outgoing", world.relay.ports.public_url());
    let status = async |token: &str| {
        let form = [("token", token), ("text", "hello")];
        let answer = crate::harness::client().post(&url).form(&form).send().await;
        answer.unwrap().status().as_u16()
    };
    assert_ne!(status("the-first").await, 401);
    std::fs::write(&file, "the-second\n").unwrap();
    assert!(world.relay.reload().await);
    assert_eq!(status("the-first").await, 401);
    assert_ne!(status("the-second").await, 401);
    world.finish().await;
}
