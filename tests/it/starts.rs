//! Starts and ends, and who hears what.

use world::mattermost::{Model, TriggerWhen};

use crate::harness::{Setup, World, eventually};

#[tokio::test]
async fn second_phrase_in_a_channel_is_told_in_one_line_at_most_once_a_minute() {
    let world = World::start().await;
    world.card_of("ana", "dev", "first").await;
    world.chat.say("bob", "dev", "meet now: second").await;
    let lines = |chat: &Model| -> usize {
        let posts = chat.posts("dev");
        posts
            .iter()
            .filter(|post| post.message.contains("already") && post.attachments().is_empty())
            .count()
    };
    world
        .see("the line", |chat| (lines(chat) == 1).then_some(()))
        .await;
    world.chat.say("carol", "dev", "meet now: third").await;
    world
        .relay
        .await_log("the channel got a line about the running meeting a moment ago")
        .await;
    world
        .see("still one line", |chat| (lines(chat) == 1).then_some(()))
        .await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn hook_whose_token_is_not_configured_is_refused() {
    let world = World::start().await;
    let base = world.relay.ports.public_url();
    // Every registration has a token of its own, and nobody told the relay of this one.
    let callback = format!("{base}/mattermost/outgoing");
    world.chat.register_outgoing_hook(
        "weekly",
        &["standup"],
        TriggerWhen::ExactMatch,
        &callback,
        "application/json",
    );
    world.chat.say("ana", "weekly", "standup now").await;
    world
        .see("the refusal", |_| {
            let deliveries = world.chat.deliveries();
            deliveries
                .iter()
                .any(|d| matches!(&d.answer, Ok((401, _))))
                .then_some(())
        })
        .await;
    assert!(world.cards("weekly").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn form_and_json_hooks_that_fire_for_one_post_make_one_meeting() {
    let world = Setup::default().more_doors().start().await;
    world.card_of("ana", "weekly", "both hooks").await;
    world
        .see("both deliveries", |_| {
            let deliveries = world.chat.deliveries();
            let accepted = deliveries
                .iter()
                .filter(|d| matches!(&d.answer, Ok((200, _))));
            (accepted.count() == 2).then_some(())
        })
        .await;
    world.relay.await_log("\"duplicate event ignored\"").await;
    assert_eq!(world.cards("weekly").len(), 1);
    assert_eq!(world.conference.rooms().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn command_by_get_starts_a_meeting() {
    let world = Setup::default().more_doors().start().await;
    let answer = world
        .chat
        .command("bob", "dev", "/meeting start By get", None)
        .await;
    assert!(answer.text.contains("/join/"), "{answer:?}");
    world.card("dev", "By get").await;
    world.finish().await;
}

#[tokio::test]
async fn each_thread_has_a_meeting_of_its_own_and_new_makes_another() {
    let world = World::start().await;
    let root = world.chat.say("ana", "dev", "about the release").await;
    let in_thread = |line: &'static str| world.chat.command("bob", "dev", line, Some(&root));
    world
        .chat
        .command("bob", "dev", "/plugnmeet start Outside", None)
        .await;
    let outside = world.card("dev", "Outside").await;
    assert_eq!(outside.root_id, "");
    in_thread("/plugnmeet start Inside").await;
    let inside = world.card("dev", "Inside").await;
    assert_eq!(inside.root_id, root);
    in_thread("/plugnmeet start Again").await;
    world
        .see("the offer of the thread's own meeting", |chat| {
            let said = chat.ephemerals("bob");
            said.iter()
                .any(|e| e.text.contains("**Inside** is running here already"))
                .then_some(())
        })
        .await;
    let listed = in_thread("/plugnmeet list").await;
    assert!(
        listed.text.contains("Inside") && !listed.text.contains("Outside"),
        "{listed:?}"
    );
    in_thread("/plugnmeet start --new Another").await;
    let another = world.card("dev", "Another").await;
    assert_eq!(another.root_id, root);
    assert_eq!(world.cards("dev").len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn card_of_a_thread_whose_root_is_deleted_stands_in_the_channel() {
    let world = World::start().await;
    let root = world.chat.say("ana", "dev", "soon gone").await;
    world.conference.stop().await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet start Homeless", Some(&root))
        .await;
    world.chat.delete_post(&root);
    world.conference.resume().await.unwrap();
    let card = world.card("dev", "Homeless").await;
    assert_eq!(card.root_id, "");
    world.finish().await;
}

#[tokio::test]
async fn group_message_gets_a_personal_link_and_no_post_of_the_bot() {
    let world = World::start().await;
    let channel = world.chat.group_channel(&["ana", "bob", "carol"]);
    let answer = world
        .chat
        .command("ana", &channel, "/plugnmeet start Trio", None)
        .await;
    assert!(answer.text.contains("/join/"), "{answer:?}");
    assert!(!answer.text.contains("card"), "{answer:?}");
    world.room().await;
    assert_eq!(world.chat.calls("posts.create"), 0);
    world.finish().await;
}

#[tokio::test]
async fn commands_are_answered_while_neither_peer_answers_a_call() {
    let world = Setup::default()
        .set("MATTERMOST__CALL_TIMEOUT", "30s")
        .set("PLUGNMEET__CALL_TIMEOUT", "30s")
        .start()
        .await;
    let hang = world::Fault::Stall(std::time::Duration::from_secs(10));
    world.conference.faults().set("", hang.clone());
    world.chat.faults().set("", hang);
    let command = async |line: &str| {
        let line = format!("/plugnmeet {line}");
        let answer = world.chat.command("bob", "dev", &line, None).await;
        assert_eq!(answer.status, 200, "{line}: {answer:?}");
    };
    // What it asks for keeps both peers busy.
    let asked = world.chat.calls("");
    command("start Unhurried").await;
    let answered = || {
        let requests = world.conference.requests().into_iter();
        let of_conference = requests.filter(|one| one.status.is_some()).count();
        (world.chat.requests().len(), of_conference)
    };
    let before = eventually("a call under way at each peer", async || {
        let is_busy = world.chat.calls("") > asked && world.conference.count("room.create") > 0;
        is_busy.then(answered)
    })
    .await;
    for line in ["start Unhurried", "list", "help", "end"] {
        command(line).await;
    }
    assert_eq!(answered(), before, "no call was answered meanwhile");
    world.chat.faults().clear();
    world.conference.faults().clear();
    world.finish().await;
}

#[tokio::test]
async fn list_and_help_answer_at_once() {
    let world = World::start().await;
    world.card_of("ana", "dev", "listed").await;
    let listed = world
        .chat
        .command("bob", "dev", "/plugnmeet list", None)
        .await;
    assert!(listed.text.contains("listed"), "{listed:?}");
    let help = world
        .chat
        .command("bob", "dev", "/plugnmeet help", None)
        .await;
    for word in ["start", "end", "list", "--new"] {
        assert!(help.text.contains(word), "{word}: {}", help.text);
    }
    world.finish().await;
}

#[tokio::test]
async fn end_where_nothing_runs_is_told_to_the_person() {
    let world = World::start().await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    world
        .see("the answer", |chat| {
            let said = chat.ephemerals("bob");
            said.iter().any(|e| e.text.contains("ref ")).then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn end_before_there_is_a_room_cancels_the_meeting() {
    let world = World::start().await;
    world.conference.stop().await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet start Oops", None)
        .await;
    world
        .chat
        .command("bob", "dev", "/plugnmeet end", None)
        .await;
    world
        .relay
        .await_log("\"event.kind\":\"end_requested\",\"source\"")
        .await;
    world.conference.resume().await.unwrap();
    world
        .see("the cancelled card", |chat| {
            let posts = chat.posts("dev");
            posts.into_iter().find(|post| {
                let text = format!("{:?}", post.attachments());
                text.contains("before its room was ready")
            })
        })
        .await;
    assert!(
        world
            .conference
            .rooms()
            .iter()
            .all(|room| !room.is_running())
    );
    world.finish().await;
}

#[tokio::test]
async fn own_posts_and_floods_start_nothing() {
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "2")
        .start()
        .await;
    for number in 0..4 {
        world
            .chat
            .say("ana", "dev", &format!("meet now: number {number}"))
            .await;
    }
    world.card("dev", "number").await;
    world
        .see("two of them refused", |_| {
            (world.chat.deliveries().len() == 4).then_some(())
        })
        .await;
    let http = crate::harness::client();
    let metrics = http.get(format!("{}/metrics", world.relay.ports.admin_url()));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let refused = r#"webhooks_rejected_total{reason="rate_limited",source="outgoing_webhook"} 2"#;
    assert!(metrics.contains(refused), "{metrics}");
    world
        .chat
        .say("meetrelay", "weekly", "meet now: loop")
        .await;
    world.relay.await_log("own_post").await;
    assert!(world.cards("weekly").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn own_user_is_known_after_a_restart_without_mattermost() {
    let mut world = World::start().await;
    let kept = "SELECT value FROM settings WHERE name = 'bot_user_id'";
    eventually("the bot's id in the store", async || {
        let kept = world.store.select(&world.data(), kept).await;
        (!kept.is_empty()).then_some(())
    })
    .await;
    world.chat.say("meetrelay", "dev", "meet now: loop").await;
    world.relay.await_log("own_post").await;
    world.relay.stop().await;
    world.chat.stop().await;
    let before = world.relay.log().matches("own_post").count();
    world.relay.start_again().await;
    world.chat.say("meetrelay", "dev", "meet now: loop").await;
    world.relay.await_logged("own_post", before + 1).await;
    world.chat.start_again().await.unwrap();
    assert!(world.cards("dev").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn alias_variables_set_tokens_and_the_address_for_browsers() {
    let token = "aliasaliasaliasaliasaliasa";
    let world = Setup::default()
        .variable("MATTERMOST_OUTGOING_TOKEN", token)
        .variable("PLUGNMEET_EXTERNAL_URL", "https://meet.example.org")
        .start()
        .await;
    let base = world.relay.ports.public_url();
    let (channel, bob) = (world.chat.channel("dev").id, world.chat.user("bob").id);
    let form = |text: &str| {
        let fields = [
            ("token", token),
            ("channel_id", &channel),
            ("channel_name", "dev"),
            ("user_id", &bob),
            ("user_name", "bob"),
            ("post_id", "ppppppppppppppppppppppppp1"),
            ("command", "/plugnmeet"),
            ("trigger_id", "t1"),
            ("text", text),
        ];
        fields.map(|(name, value)| (name, value.to_owned()))
    };
    let http = crate::harness::client();
    let outgoing = format!("{base}/mattermost/outgoing");
    let answer = http.post(outgoing).form(&form("hello")).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    let command = format!("{base}/mattermost/command");
    let answer = http.post(command).form(&form("start Alias")).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = answer.text().await.unwrap();
    let at = answer.find(&format!("{base}/join/")).expect("the own link");
    let link = &answer[at..at + answer[at..].find(')').unwrap()];
    world.card("dev", "Alias").await;
    world.room().await;
    let sent = http.post(link).form(&[("x", "")]).send().await.unwrap();
    let location = sent.headers()["location"].to_str().unwrap();
    assert!(
        location.starts_with("https://meet.example.org/"),
        "elsewhere"
    );
    world.finish().await;
}

#[tokio::test]
async fn relay_without_mattermost_serves_and_takes_no_trigger() {
    let world = Setup::default()
        .variable("MATTERMOST_ENABLED", "false")
        .start()
        .await;
    world.chat.say("ana", "dev", "meet now").await;
    world
        .see("the refusal", |_| {
            let deliveries = world.chat.deliveries();
            deliveries
                .iter()
                .any(|d| matches!(&d.answer, Ok((401, _))))
                .then_some(())
        })
        .await;
    assert!(world.conference.rooms().is_empty());
    assert!(world.chat.requests().is_empty(), "nothing is called");
    world.finish().await;
}
