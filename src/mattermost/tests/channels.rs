//! The account's own channels, and the posts that people write in them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::ConversationKind;

const SINCE: i64 = 1_795_246_300_000;

fn listed(changes: &Value) -> Value {
    let mut channel = json!({
        "id": CHANNEL, "type": "O", "name": "dev", "delete_at": 0,
        "team_id": "gcjef398gtn8tgpenzupciyyow", "last_post_at": 1_795_246_430_372_i64,
    });
    let changes = changes.as_object().unwrap().clone();
    channel.as_object_mut().unwrap().extend(changes);
    channel
}

/// A post of a person, with changes.
fn written(id: &str, changes: &Value) -> Value {
    let mut post = json!({
        "id": id, "create_at": SINCE + 5, "update_at": SINCE + 5, "edit_at": 0, "delete_at": 0,
        "user_id": user(), "channel_id": CHANNEL, "root_id": "", "message": "meet now",
        "type": "", "props": {},
    });
    let changes = changes.as_object().unwrap().clone();
    post.as_object_mut().unwrap().extend(changes);
    post
}

fn list(posts: &[Value]) -> StubReply {
    let posts: serde_json::Map<String, Value> = posts
        .iter()
        .map(|post| (post["id"].as_str().unwrap().to_owned(), post.clone()))
        .collect();
    StubReply::json(200, &json!({ "order": [], "posts": posts }))
}

#[tokio::test]
async fn public_channels_of_every_team_are_listed_with_their_newest_posts() {
    let channels = json!([
        listed(&json!({})),
        listed(&json!({ "id": "private1", "type": "P" })),
        listed(&json!({ "id": "direct1", "type": "D", "team_id": "", "name": "a__b" })),
        listed(&json!({ "id": "group1", "type": "G", "team_id": "" })),
        listed(&json!({ "id": "gone1", "delete_at": 1 })),
    ]);
    let bench = bench(vec![
        recorded("users-me-teams-200"),
        StubReply::json(200, &channels),
    ])
    .await;
    let found = bench.client.own_channels().await.unwrap();
    assert_eq!(found.channels.len(), 1);
    let dev = &found.channels[0];
    assert_eq!((dev.id.as_str(), dev.name.as_str()), (CHANNEL, "dev"));
    assert_eq!(dev.team.as_str(), "gcjef398gtn8tgpenzupciyyow");
    assert_eq!(dev.team_name, "eng");
    assert_eq!(dev.last_post_at.millis(), 1_795_246_430_372);
    assert_eq!(
        bench.stub.lines(),
        [
            "GET /api/v4/users/me/teams",
            "GET /api/v4/users/me/teams/gcjef398gtn8tgpenzupciyyow/channels"
        ]
    );
}

#[tokio::test]
async fn team_without_channels_of_ours_has_none() {
    let id = "app.channel.get_channels.not_found.app_error";
    for (status, id) in [(404, id), (403, "api.context.permissions.app_error")] {
        let none = StubReply::json(status, &json!({ "id": id, "status_code": status }));
        let bench = bench(vec![recorded("users-me-teams-200"), none]).await;
        let found = bench.client.own_channels().await.unwrap();
        assert_eq!(found.channels, [], "{status}");
    }
}

#[tokio::test]
async fn only_unedited_posts_of_people_are_returned_oldest_first() {
    let posts = [
        written("later", &json!({ "create_at": SINCE + 9 })),
        written("first", &json!({})),
        written(
            "reply",
            &json!({ "create_at": SINCE + 7, "root_id": "old" }),
        ),
        written(
            "old",
            &json!({ "create_at": SINCE, "update_at": SINCE + 9 }),
        ),
        written("edited", &json!({ "edit_at": SINCE + 8 })),
        written("deleted", &json!({ "delete_at": SINCE + 8 })),
        written("system", &json!({ "type": "system_join_channel" })),
        written("bot", &json!({ "props": { "from_bot": "true" } })),
        written("hook", &json!({ "props": { "from_webhook": "true" } })),
        written("other", &json!({ "channel_id": "other" })),
        json!({ "id": "broken" }),
    ];
    let bench = bench(vec![list(&posts)]).await;
    let since = Timestamp::from_millis(SINCE);
    let found = bench.client.written_posts(&channel(), since).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(ids, ["first", "reply", "later"]);
    assert_eq!(found[0].text, "meet now");
    assert_eq!(found[0].user, user());
    assert_eq!(
        bench.stub.lines(),
        [format!(
            "GET /api/v4/channels/{CHANNEL}/posts?since={SINCE}"
        )]
    );
}

#[tokio::test]
async fn recorded_posts_of_a_bot_are_not_written_by_a_person() {
    let bench = bench(vec![recorded("channel-posts-200")]).await;
    let since = Timestamp::from_millis(1);
    let found = bench.client.written_posts(&channel(), since).await;
    assert_eq!(found.unwrap(), []);
}

#[tokio::test]
async fn f23_webhooks_that_call_a_relay_are_read() {
    let hook = |url: &str, words: &[&str], when: i64, channel: &str| {
        json!({ "token": "secret", "team_id": "t1", "channel_id": channel, "trigger_words": words,
            "trigger_when": when, "callback_urls": [url], "delete_at": 0 })
    };
    let hooks = json!([
        hook(
            "https://relay.example.org/mattermost/outgoing",
            &["meet"],
            0,
            ""
        ),
        hook(
            "http://10.0.0.5:8080/sub/mattermost/outgoing/",
            &["sync"],
            1,
            CHANNEL
        ),
        hook("https://jira.example.org/hook", &["bug"], 0, ""),
    ]);
    let refused =
        json!({ "id": "api.context.permissions.app_error", "message": "x", "status_code": 403 });
    let replies = vec![
        recorded("outgoing-list-200"),
        StubReply::json(200, &hooks),
        StubReply::json(403, &refused),
    ];
    let bench = bench(replies).await;
    let team = "t1".parse().unwrap();
    assert_eq!(bench.client.outgoing_hooks(&team).await.unwrap(), []);
    let read = bench.client.outgoing_hooks(&team).await.unwrap();
    let words: Vec<_> = read
        .iter()
        .map(|hook| (hook.words.join(","), hook.is_prefix, hook.channel.is_some()))
        .collect();
    let expected = [
        ("meet".to_owned(), false, false),
        ("sync".to_owned(), true, true),
    ];
    assert_eq!(words, expected);
    let lines = bench.stub.lines();
    assert_eq!(
        lines[0],
        "GET /api/v4/hooks/outgoing?team_id=t1&page=0&per_page=200"
    );
    assert!(matches!(
        bench.client.outgoing_hooks(&team).await,
        Err(ChatError::Forbidden { .. })
    ));
}

#[tokio::test]
async fn address_of_a_channel_is_the_one_that_people_know_or_none() {
    let place = Conversation {
        server: "main".parse().unwrap(),
        team: None,
        team_name: "acme".to_owned(),
        channel: channel(),
        channel_name: "weekly".to_owned(),
        thread: None,
        kind: ConversationKind::Channel,
    };
    let known = "https://chat.example.org/sub/acme/channels/weekly";
    for (site, expected) in [("https://chat.example.org/sub", Some(known)), ("", None)] {
        let config = StubReply::json(200, &json!({ "SiteURL": site, "Version": "11.6.0" }));
        let bench = bench(vec![config]).await;
        let address = bench.client.channel_address(&place).await;
        assert_eq!(address.as_deref(), expected);
    }
}
