//! Posts: repeated keys, patches, lists.

use crate::support::{SOON, recorded_answer, with_bot};
use serde_json::json;
use std::time::Duration;
use world::mattermost::Options;

#[tokio::test]
async fn repeated_pending_id_gives_the_first_post_back_for_30_seconds() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let post = |message: &'static str| {
        rest.post(
            "/posts",
            json!({"channel_id": weekly, "message": message, "pending_post_id": "relay:dd"}),
        )
    };
    let first = post("first").await.json();
    let second = post("second").await;
    assert_eq!(second.status, 201);
    assert_eq!(
        (&second.json()["id"], second.json()["message"].as_str()),
        (&first["id"], Some("first"))
    );
    assert_eq!(second.json()["pending_post_id"], "");

    // The key is global: another user gets the first post too.
    let other = rest.with_token(&chat.add_bot("otherbot", ""));
    chat.join("otherbot", "dev");
    let body = json!({"channel_id": chat.channel("dev").id, "message": "x", "pending_post_id": "relay:dd"});
    assert_eq!(other.post("/posts", body).await.json()["id"], first["id"]);

    chat.clock().advance(Duration::from_millis(28_500));
    assert_eq!(post("third").await.json()["id"], first["id"]);
    chat.clock().advance(Duration::from_millis(2_500));
    assert_ne!(post("fourth").await.json()["id"], first["id"]);
    assert_eq!(chat.posts("weekly").len(), 2);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn second_post_while_the_first_is_being_saved_gets_500() {
    let (chat, rest) = with_bot(Options::default()).await;
    let body = json!({"channel_id": chat.channel("weekly").id, "message": "race", "pending_post_id": "relay:race"});
    chat.set_saving_takes(Duration::from_millis(400));
    let slow = tokio::spawn({
        let (rest, body) = (rest.clone(), body.clone());
        async move { rest.post("/posts", body).await }
    });
    chat.wait_for_calls("posts.create", 1, SOON).await.unwrap();
    // The first one claims its key within the time it takes to be saved.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = rest.post("/posts", body).await;
    let (status, recorded) = recorded_answer("post-create-pending-in-flight-500");
    assert_eq!(
        (refused.status, &refused.json()["id"]),
        (status, &recorded["id"])
    );
    assert_eq!(slow.await.unwrap().status, 201);
    assert_eq!(chat.posts("weekly").len(), 1);
}

#[tokio::test]
async fn failed_create_forgets_its_pending_id() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let bad = json!({"channel_id": weekly, "message": "a\u{0}", "pending_post_id": "relay:nul"});
    assert_eq!(rest.post("/posts", bad).await.status, 500);
    let good = json!({"channel_id": weekly, "message": "a", "pending_post_id": "relay:nul"});
    assert_eq!(rest.post("/posts", good).await.json()["message"], "a");
}

#[tokio::test]
async fn stored_card_looks_as_recorded() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let card = json!([{"fallback": "Weekly sync: live", "color": "#2e7d32", "title": "Weekly sync",
        "title_link": "http://127.0.0.1:29911/join/x", "text": "Started 14:02 UTC by Ana",
        "fields": [{"title": "People", "value": "3", "short": true}], "footer": "plugNmeet"}]);
    let body = json!({"channel_id": weekly, "message": "", "props": {"attachments": card, "relay_meeting": "01"}});
    let props = rest.post("/posts", body).await.json()["props"].clone();
    let mut recorded = recorded_answer("post-create-201").1["props"].clone();
    recorded["attachments"][0]
        .as_object_mut()
        .unwrap()
        .remove("actions");
    assert_eq!(props, recorded);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn patch_replaces_all_props_and_marks_only_visible_changes_as_edited() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let body = json!({"channel_id": weekly, "message": "v1", "props": {"attachments": [{"text": "a"}], "relay_meeting": "03"}});
    let id = rest.post("/posts", body).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/posts/{id}/patch");

    let kept = rest.put(&path, json!({"message": "v2"})).await.json();
    let recorded = recorded_answer("post-patch-message-only-200").1;
    assert_eq!(
        kept["props"], recorded["props"],
        "a message-only patch keeps props"
    );
    assert_eq!(kept["edit_at"], kept["update_at"]);

    let same = rest.put(&path, json!({"message": "v2"})).await.json();
    assert!(same["update_at"].as_i64() > kept["update_at"].as_i64());
    assert_eq!(
        same["edit_at"], kept["edit_at"],
        "the same message is no edit"
    );

    let other = rest
        .put(
            &path,
            json!({"props": {"attachments": [{"text": "a"}], "relay_meeting": "04"}}),
        )
        .await
        .json();
    assert_eq!(other["edit_at"], kept["edit_at"], "another prop is no edit");

    let emptied = rest
        .put(
            &path,
            json!({"props": {"relay_meeting": "03", "attachments": []}}),
        )
        .await
        .json();
    assert_eq!(
        emptied["props"],
        recorded_answer("post-patch-200").1["props"]
    );
    assert_eq!(emptied["edit_at"], emptied["update_at"]);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn edit_time_limit_refuses_a_late_change_of_the_message_only() {
    let options = Options {
        edit_time_limit: Some(Duration::from_secs(60)),
        ..Options::default()
    };
    let (chat, rest) = with_bot(options).await;
    let weekly = chat.channel("weekly").id;
    let id = rest
        .post("/posts", json!({"channel_id": weekly, "message": "v1"}))
        .await
        .json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/posts/{id}/patch");
    assert_eq!(rest.put(&path, json!({"message": "v2"})).await.status, 200);
    chat.clock().advance(Duration::from_secs(61));
    let late = rest.put(&path, json!({"message": "v3"})).await;
    assert_eq!(
        (late.status, late.json()["id"].as_str()),
        (
            400,
            Some("api.post.update_post.permissions_time_limit.app_error")
        )
    );
    assert_eq!(
        rest.put(&path, json!({"props": {"a": "b"}})).await.status,
        200
    );
    assert_eq!(chat.post(&id).unwrap().message, "v2");
    let config = rest.get("/config/client?format=old").await.json();
    assert_eq!(config["PostEditTimeLimit"], "60");
}

#[tokio::test]
async fn since_gives_older_posts_that_were_edited_or_deleted_later() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let old = chat.say("alice", "weekly", "old").await;
    let edited = chat.say("alice", "weekly", "edited").await;
    let deleted = chat.say("alice", "weekly", "deleted").await;
    chat.clock().advance(Duration::from_secs(5));
    let since = chat.clock().now_ms() - 1;
    chat.edit_post(&edited, "edited later");
    chat.delete_post(&deleted);
    let reply = chat.reply("bob", &old, "reply").await;
    let list = rest
        .get(&format!("/channels/{weekly}/posts?since={since}"))
        .await
        .json();
    assert_eq!(
        list["order"],
        json!([reply, deleted, edited, old]),
        "newest first; a reply moves its root"
    );
    assert_eq!(
        list["posts"][&deleted]["message"], "",
        "a deleted post tells no content"
    );
    assert!(list["posts"][&deleted]["delete_at"].as_i64() > Some(0));
    assert_eq!(list["posts"][&old]["reply_count"], 1);

    let page = rest
        .get(&format!("/channels/{weekly}/posts?page=0&per_page=2"))
        .await
        .json();
    assert_eq!(
        page["order"],
        json!([reply, edited]),
        "pages leave deleted posts out"
    );
    assert_eq!(page["prev_post_id"], json!(old));
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn deleted_root_takes_its_replies_along() {
    let (chat, rest) = with_bot(Options::default()).await;
    let weekly = chat.channel("weekly").id;
    let root = rest
        .post("/posts", json!({"channel_id": weekly, "message": "root"}))
        .await
        .json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let reply = chat.reply("bob", &root, "reply").await;
    let deleted = rest.call("DELETE", &format!("/posts/{root}"), None).await;
    assert_eq!(
        (deleted.status, deleted.json()),
        (200, json!({"status": "OK"}))
    );
    assert_eq!(rest.get(&format!("/posts/{reply}")).await.status, 404);
    assert!(chat.thread(&root).is_empty() && chat.posts("weekly").is_empty());
}

#[tokio::test]
async fn bot_writes_direct_messages_in_its_own_channel() {
    let (chat, rest) = with_bot(Options::default()).await;
    let (bot, alice) = (chat.user("meetrelay").id, chat.user("alice").id);
    let direct = rest
        .post("/channels/direct", json!([bot, alice]))
        .await
        .json();
    assert_eq!(
        rest.post("/channels/direct", json!([alice, bot]))
            .await
            .json()["id"],
        direct["id"]
    );
    let sent = rest
        .post(
            "/posts",
            json!({"channel_id": direct["id"], "message": "invite @meetrelay"}),
        )
        .await;
    assert_eq!(sent.status, 201);
    assert_eq!(
        chat.direct_messages("alice")[0].message,
        "invite @meetrelay"
    );
    assert!(chat.direct_messages("bob").is_empty());
    let others = json!([alice, chat.user("bob").id]);
    assert_eq!(rest.post("/channels/direct", others).await.status, 403);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn own_channels_of_a_team_are_told_with_direct_ones_and_without_archived_ones() {
    let (chat, rest) = with_bot(Options::default()).await;
    chat.join("meetrelay", "dev");
    chat.join("meetrelay", "secret");
    chat.direct_channel("meetrelay", "ana");
    chat.archive("dev");
    let teams = rest.get("/users/me/teams").await.json();
    let team = teams[0]["id"].as_str().unwrap().to_owned();
    let post = chat.say("ana", "weekly", "hello").await;
    let mine = rest.get(&format!("/users/me/teams/{team}/channels")).await;
    let (_, recorded) = recorded_answer("channel-get-200");
    let mine = mine.json();
    let mine = mine.as_array().unwrap();
    let kinds: Vec<&str> = mine.iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert!(["O", "P", "D"].iter().all(|kind| kinds.contains(kind)));
    let weekly = mine.iter().find(|c| c["name"] == "weekly").unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(weekly), keys(&recorded));
    assert_eq!(weekly["last_post_at"], chat.post(&post).unwrap().create_at);
    let stranger = rest.with_token(&chat.add_bot("stranger", ""));
    let refused = stranger
        .get(&format!("/users/me/teams/{team}/channels"))
        .await;
    assert_eq!(refused.status, 403);
    chat.join_team("stranger");
    let none = stranger
        .get(&format!("/users/me/teams/{team}/channels"))
        .await;
    assert_eq!(none.status, 404);
    chat.unexpected().assert_none();
}
