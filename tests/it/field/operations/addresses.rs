//! Values that were copied with something around them: tokens (row 14) and addresses (rows 17 and 30).

use world::mattermost::Model;

use crate::harness::{FORM, World, client};

/// What `check` says, with these variables.
async fn check(world: &World, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = world.relay.command();
    let output = command
        .arg("check")
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code(), said)
}

#[tokio::test]
async fn f14_tokens_of_an_env_file_are_taken_or_told() {
    const OUTGOING: &str = "MEETRELAY__MATTERMOST__OUTGOING_TOKENS";
    let world = World::start().await;
    let token = &world.outgoing_token;
    let (code, said) = check(&world, &[(OUTGOING, &format!("\"{token}\",\"{token}\""))]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("does not look like"), "{said}");
    let (code, said) = check(&world, &[(OUTGOING, "tok1")]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("Warning: MEETRELAY__MATTERMOST__OUTGOING_TOKENS: mattermost.outgoing_tokens: does not look like a Mattermost token"),
        "{said}"
    );
    for wrong in ["tok1;tok2", "tok1 tok2"] {
        let (code, said) = check(&world, &[(OUTGOING, wrong)]).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("first,second"), "{said}");
        assert!(!said.contains("tok1"), "it tells a token: {said}");
    }
    world.finish().await;
}

#[tokio::test]
async fn f17_addresses_work_as_people_write_them_or_are_told() {
    let mut world = World::start().await;
    let base = world.relay.ports.public_url();
    let chat = world.chat.url();
    world.relay.stop().await;
    world.relay.configure(|text| {
        text.replace(
            &format!("public_url = \"{base}\""),
            &format!("public_url = \"{base}//\""),
        )
        .replace(
            &format!("url = \"{chat}\""),
            &format!("url = \"{chat}/api/v4\""),
        )
    });
    let told = format!("write \"{}/\"", chat.trim_end_matches('/'));
    let (code, said) = check(&world, &[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("mattermost.url: ends in /api/v4/"), "{said}");
    assert!(said.contains(&told), "{said}");
    for path in [
        "mattermost/outgoing",
        "mattermost/command",
        "plugnmeet/webhook",
    ] {
        assert!(
            said.contains(&format!(" {base}/{path}\n")),
            "{path}: {said}"
        );
    }
    world.relay.start_again().await;
    world.relay.await_log("ends in /api/v4/").await;

    let post = world.chat.say("ana", "dev", "no word of a hook").await;
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("token", &world.outgoing_token)
        .append_pair("channel_id", &world.chat.channel("dev").id)
        .append_pair("channel_name", "dev")
        .append_pair("user_id", &world.chat.user("ana").id)
        .append_pair("user_name", "ana")
        .append_pair("post_id", &post)
        .append_pair("text", "meet now: doubled")
        .finish();
    let say = async |path: &str, form: &str| {
        let asked = client().post(format!("{base}{path}"));
        let asked = asked.header("content-type", FORM).body(form.to_owned());
        asked.send().await.unwrap().status().as_u16()
    };
    assert_eq!(say("//mattermost/outgoing", &form).await, 200);
    let card = world.card("dev", "doubled").await;
    let text = format!("{} {:?}", card.message, card.attachments());
    assert!(text.contains(&format!("{base}/join/")), "{text}");
    // The token is a wrong one: the route was found.
    for path in ["/mattermost/command/", "/mattermost///outgoing//"] {
        assert_eq!(say(path, "token=x").await, 401, "{path}");
    }
    for path in ["/relay/mattermost/outgoing", "/MATTERMOST/CANARY"] {
        assert_eq!(say(path, &form).await, 404, "{path}");
    }
    let log = world.relay.log();
    let lost = "was sent to a path that the relay does not have";
    assert_eq!(log.matches(lost).count(), 1, "once a minute");
    assert!(log.contains("\"/.../mattermost/outgoing\""), "{log}");
    world.finish().await;
}

#[tokio::test]
async fn f30_cards_of_running_meetings_show_the_new_address_after_a_restart() {
    let mut world = World::start().await;
    let old = world.relay.ports.public_url();
    let new = old.replace("127.0.0.1", "localhost");
    let card = world.card_of("ana", "dev", "moved").await;
    let shows = |url: &str| {
        let (card, link) = (card.id.clone(), format!("{url}/join/"));
        move |chat: &Model| {
            let post = chat.post(&card)?;
            let text = format!("{} {:?}", post.message, post.attachments());
            text.contains(&link).then_some(())
        }
    };
    world.see("the old address", shows(&old)).await;
    world.relay.await_log("\"room_created\"").await;
    const AGAIN: &str = "the cards of running meetings are written again";
    for (url, again) in [(&new, 1), (&new, 1), (&old, 2)] {
        world.relay.stop().await;
        world.relay.configure(|text| {
            let lines = text
                .lines()
                .map(|line| match line.starts_with("public_url") {
                    true => format!("public_url = \"{url}\"\n"),
                    false => format!("{line}\n"),
                });
            lines.collect()
        });
        world.relay.start_again().await;
        world.see("the address in force", shows(url)).await;
        // A relay that is stopped before it says so begins again at its next start.
        world.relay.await_logged(AGAIN, again).await;
    }
    let log = world.relay.log();
    let again = log.matches(AGAIN).count();
    assert_eq!(again, 2, "once for each address that is another: {log}");
    assert_eq!(world.cards("dev").len(), 1);
    world.finish().await;
}
