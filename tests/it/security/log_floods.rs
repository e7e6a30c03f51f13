//! Floods of what anybody can send leave a line a minute in the log, and are counted.

use crate::harness::{FORM, World, client};

const FLOOD: usize = 500;

/// Sends one kind of request again and again; all are answered with this status.
async fn flood(request: impl Fn() -> reqwest::RequestBuilder, status: u16) {
    for _ in 0..FLOOD {
        let answer = request().send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
}

#[tokio::test]
async fn s9_floods_of_forged_requests_leave_one_line_each_and_are_counted() {
    let world = World::start().await;
    let base = world.relay.ports.public_url();
    let http = client();
    let post = |path: &str, kind: &'static str, body: &'static str| {
        let url = format!("{base}{path}");
        let http = http.clone();
        move || http.post(&url).header("content-type", kind).body(body)
    };
    let event = r#"{"event":"session_ended","id":"e","room":{"sid":"s","room_id":"r"}}"#;
    let forged = post("/plugnmeet/webhook", "application/json", event);
    flood(|| forged().header("hash-token", "forged"), 401).await;
    let token = "token=wrong&channel_id=c&user_id=u&post_id=p&text=meet+now";
    flood(post("/mattermost/outgoing", FORM, token), 401).await;
    flood(post("/mattermost/command", FORM, token), 401).await;
    flood(post("/relay/mattermost/outgoing", FORM, token), 404).await;
    let counted = FLOOD;
    for line in [
        format!(
            r#"meetrelay_webhooks_rejected_total{{reason="bad_signature",source="plugnmeet"}} {counted}"#
        ),
        format!(
            r#"meetrelay_webhooks_rejected_total{{reason="bad_token",source="outgoing_webhook"}} {counted}"#
        ),
        format!(
            r#"meetrelay_webhooks_rejected_total{{reason="bad_token",source="slash_command"}} {counted}"#
        ),
        format!(
            r#"meetrelay_http_requests_total{{code="4xx",method="other",route="other"}} {counted}"#
        ),
    ] {
        world.relay.await_metric(&line).await;
    }
    let log = world.relay.log();
    for line in [
        "webhook refused: check that plugnmeet.api_key",
        "outgoing webhook refused: its token",
        "command refused: its token",
        "was sent to a path that the relay does not have",
    ] {
        let count = log.matches(line).count();
        // On a machine so slow that the flood takes more than a minute there is a second one.
        assert!((1..=2).contains(&count), "{line:?} {count} times");
    }
    world.finish().await;
}
