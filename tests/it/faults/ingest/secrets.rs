//! Secrets that come in go nowhere (I18).

use super::door::{COMMAND, Door, FORM, JSON, OUTGOING, WEBHOOK};
use super::raw::{post, request};

#[tokio::test]
async fn i18_tokens_in_query_body_and_headers_stand_in_no_output() {
    let door = Door::open().await;
    let world = &door.world;
    let (hook, command) = (&world.outgoing_token, &world.command_token);
    let mut heard = String::new();
    for request in [
        request(
            "GET",
            &format!("{COMMAND}?token={command}&text=CANARY"),
            "",
            "",
        ),
        request(
            "GET",
            &format!("{COMMAND}?token={command}&token=%zz"),
            "",
            "",
        ),
        request("POST", &format!("{OUTGOING}?token={hook}"), "", ""),
        request("GET", &format!("/nowhere?token={hook}"), "", ""),
        request("GET", &format!("/join/{hook}"), "", ""),
        request(
            "GET",
            "/healthz",
            &format!("Authorization: Bearer {hook}\r\nCookie: CANARY={hook}\r\n"),
            "",
        ),
        post(OUTGOING, FORM, format!("token={hook}&channel_id=CANARY/")),
        post(
            OUTGOING,
            JSON,
            format!(r#"{{"token":"{hook}","channel_id":["CANARY"]}}"#),
        ),
        post(OUTGOING, JSON, format!(r#"{{"token":"{hook}" CANARY"#)),
        post(OUTGOING, "text/CANARY", format!("token={hook}")),
        post(
            COMMAND,
            FORM,
            format!(
                "token={command}&response_url=http://CANARY.example/{command}&channel_id=c1&user_id=u1&text=help"
            ),
        ),
        request(
            "POST",
            WEBHOOK,
            &format!("Content-Type: {JSON}\r\nHash-Token: CANARY.{hook}\r\n"),
            "CANARY",
        ),
    ] {
        heard.push_str(&door.say(request).await.text);
    }
    door.assert_quiet("the answers", &heard);
    // And one that is taken, and becomes a dead letter.
    world.refuse_cards();
    let typed = "/plugnmeet start Weekly";
    let answer = world.chat.command("ana", "dev", typed, None).await;
    let link = answer.text.split("/join/").nth(1).expect("a link");
    let link = link.split([')', ' ', '\n']).next().unwrap().to_owned();
    let id = world.relay.dead_letter().await;
    let meetings = world.relay.cli_ok(&["meetings", "list", "--json"]).await;
    let meeting = first_id(&meetings);
    let outputs = [
        ("the log", world.relay.log()),
        ("the metrics", world.relay.metrics().await),
        (
            "dead-letters list",
            serde_json::Value::from(world.relay.dead_letters().await).to_string(),
        ),
        (
            "dead-letters list, for people",
            world.relay.cli_ok(&["dead-letters", "list"]).await,
        ),
        (
            "dead-letters show",
            world.relay.cli_ok(&["dead-letters", "show", &id]).await,
        ),
        (
            "meetings show",
            world.relay.cli_ok(&["meetings", "show", &meeting]).await,
        ),
        ("config show", world.relay.cli_ok(&["config", "show"]).await),
    ];
    let deliveries = world.chat.deliveries();
    let response = &deliveries.last().expect("the command").response_id;
    assert!(response.len() > 10, "{response}");
    let options = world.conference.options();
    for (what, text) in &outputs {
        door.assert_quiet(what, text);
        world.assert_no_way_in(text);
        for secret in [response, &link, &options.api_secret] {
            assert!(
                !text.contains(secret.as_str()),
                "{what} holds {secret}:\n{text}"
            );
        }
    }
    assert!(
        outputs[0].1.contains("\"answered\""),
        "it is the log of every request"
    );
    world.chat.faults().clear();
    door.world.finish().await;
}

/// Of a listing, whatever it is wrapped in.
fn first_id(listing: &str) -> String {
    let (_, rest) = listing.split_once("\"id\":").expect("at least one");
    rest.split('"').nth(1).unwrap().to_owned()
}
