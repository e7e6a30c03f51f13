//! The page and what its script calls.

use crate::support::{Integration, SOON, with_bot};
use serde_json::json;
use world::mattermost::{ActionOutcome, DemoAction, DemoPanel, Options, TriggerWhen};

#[tokio::test]
async fn page_is_self_contained_and_guarded() {
    let (chat, rest) = with_bot(Options::default()).await;
    chat.say("bob", "weekly", "`</script><b>`").await;
    let page = rest.get("/").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        !page.text.contains("http://") && !page.text.contains("https://"),
        "no external assets"
    );
    assert_eq!(
        page.text.matches("</script>").count(),
        2,
        "no post ends the script element"
    );
    for asset in ["/demo/chat.css", "/demo/chat.js"] {
        assert!(page.text.contains(asset));
        assert_eq!(rest.get(asset).await.status, 200);
    }
}

#[tokio::test]
async fn typed_lines_send_the_real_requests() {
    let (chat, rest) = with_bot(Options::default()).await;
    let integration = Integration::start().await;
    chat.register_outgoing_hook(
        "",
        &["meet"],
        TriggerWhen::ExactMatch,
        &integration.url,
        "application/json",
    );
    chat.register_command("plugnmeet", &integration.url);
    let send = |text: &'static str| {
        rest.post(
            "/demo/send",
            json!({"user": "alice", "channel": "weekly", "text": text}),
        )
    };
    assert_eq!(send("meet now: weekly sync").await.status, 200);
    assert!(integration.received(1).await.contains("weekly sync"));
    integration.will_answer("200 OK", "application/json", r#"{"text":"your **link**"}"#);
    assert_eq!(send("/plugnmeet start").await.status, 200);
    let unknown = send("/nosuch").await;
    assert!(
        unknown.status == 400
            && unknown.json()["error"]
                .as_str()
                .unwrap()
                .contains("not found")
    );

    let state = rest
        .get("/demo/state?user=alice&channel=weekly")
        .await
        .json();
    let posts = state["view"]["posts"].as_array().unwrap();
    let shown = posts.last().unwrap();
    assert_eq!(
        (shown["only_you"].as_bool(), shown["html"].as_str()),
        (Some(true), Some("<p>your <strong>link</strong></p>\n"))
    );
    let of_bob = rest.get("/demo/state?user=bob&channel=weekly").await.json();
    assert_eq!(
        of_bob["view"]["posts"].as_array().unwrap().len(),
        posts.len() - 1
    );
    assert_eq!(
        rest.get("/demo/state?user=carol&channel=secret")
            .await
            .status,
        404,
        "not hers to see"
    );
    assert!(chat.requests().is_empty(), "the page stands in no log");
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn state_waits_for_news() {
    let (chat, rest) = with_bot(Options::default()).await;
    let now = rest
        .get("/demo/state?user=alice&channel=weekly")
        .await
        .json()["version"]
        .as_u64()
        .unwrap();
    let waiting = tokio::spawn({
        let rest = rest.clone();
        async move {
            rest.get(&format!(
                "/demo/state?user=alice&channel=weekly&after={now}"
            ))
            .await
            .json()
        }
    });
    tokio::task::yield_now().await;
    chat.say("bob", "weekly", "news").await;
    let state = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    let posts = state["view"]["posts"].as_array().unwrap();
    assert!(
        posts.last().unwrap()["html"]
            .as_str()
            .unwrap()
            .contains("news")
    );
}

#[tokio::test]
async fn panel_actions_run_in_the_demos_process() {
    let (chat, rest) = with_bot(Options::default()).await;
    let shared = chat.clone();
    let end = DemoAction::call("End the meeting", move || {
        let chat = shared.clone();
        async move {
            chat.say("bob", "weekly", "ended by the panel").await;
            Ok(ActionOutcome::Told("Ended.".to_owned()))
        }
    });
    let broken = DemoAction::call("Break", || async { Err(anyhow::anyhow!("no room")) });
    chat.set_panel(DemoPanel {
        title: "plugNmeet (fake)".to_owned(),
        lines: vec!["no room yet".to_owned()],
        actions: vec![end.danger(), broken],
    });
    let state = rest
        .get("/demo/state?user=alice&channel=weekly")
        .await
        .json();
    assert_eq!(
        state["panel"]["actions"][0],
        json!({"label": "End the meeting", "is_danger": true})
    );
    let press = |index: u8, label: &'static str| {
        rest.post("/demo/action", json!({"index": index, "label": label}))
    };
    assert_eq!(
        press(0, "End the meeting").await.json(),
        json!({"told": "Ended."})
    );
    assert_eq!(chat.posts("weekly")[0].message, "ended by the panel");
    assert_eq!(press(1, "Break").await.json(), json!({"error": "no room"}));
    assert_eq!(press(0, "Something else").await.status, 400);
}
