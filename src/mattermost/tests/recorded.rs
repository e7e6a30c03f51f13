//! Every recorded answer to a call that the relay makes, with the class that it must get.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::http::stub::{Recorded, class};

async fn class_of(file: &str) -> String {
    let path = format!("{file}.http");
    let line = Recorded::read(&path).request[0].clone();
    let (method, target) = line.split_once(' ').unwrap();
    let segments: Vec<&str> = target.split(['/', '?']).skip(1).collect();
    let needs_own = matches!(
        (method, &segments[..]),
        ("POST", ["api", "v4", ..]) | ("GET", ["api", "v4", "channels", _, "posts", ..])
    );
    let mut replies = Vec::new();
    if needs_own {
        replies.push(me());
    }
    replies.push(StubReply::recorded(&path));
    // The answer to reading the post when changing it is forbidden.
    replies.push(recorded("channel-get-dm-403"));
    let bench = bench(replies).await;
    let client = &bench.client;
    let ok = || "ok".to_owned();
    match (method, &segments[..]) {
        ("POST", ["api", "v4", "posts"]) => class(client.create_post(new_post()).await, |_| ok()),
        ("PUT", ["api", "v4", "posts", ..]) => class(
            client.patch_post(&post_id(), "k", new_post().content).await,
            |()| ok(),
        ),
        ("GET", ["api", "v4", "posts", ..]) | ("GET", ["api", "v4", "nosuch"]) => {
            class(client.read_post(&post_id()).await, |_| ok())
        }
        ("GET", ["api", "v4", "users", "me"]) => class(client.own_account().await, |_| ok()),
        ("GET", ["api", "v4", "users", "me", "teams"]) => {
            // The next answer, of the team's channels, is a 403.
            class(client.own_channels().await, |found| {
                found.channels.len().to_string()
            })
        }
        ("GET", ["api", "v4", "users", _]) => class(client.account(&user()).await, |_| ok()),
        ("GET", ["api", "v4", "channels", _]) => {
            class(client.channel_kind(&channel()).await, |kind| {
                format!("{kind:?}")
            })
        }
        ("GET", ["api", "v4", "channels", _, "members", _]) => {
            class(client.is_channel_admin(&channel(), &user()).await, |is| {
                is.to_string()
            })
        }
        ("GET", ["api", "v4", "channels", _, "posts", ..]) => {
            let found = client
                .find_posts(&channel(), "k", Timestamp::from_millis(0))
                .await;
            class(found, |found| found.len().to_string())
        }
        ("POST", ["api", "v4", "channels", "direct"]) => {
            class(client.direct_channel(&user()).await, |_| ok())
        }
        ("POST", ["api", "v4", "channels", _, "members"]) => {
            class(client.join_channel(&channel()).await, |()| ok())
        }
        ("POST", ["hooks", "commands", id]) => {
            let hook = ResponseHook::parse(id).unwrap();
            class(client.answer_command(&hook, "x").await, |()| ok())
        }
        _ => panic!("{file}: no call for {line}"),
    }
}

/// File and class. Recorded answers to creating posts count as posts of others, because they do not have the requested
/// key.
const CLASSES: &[(&str, &str)] = &[
    ("mattermost-11/rest/bot-disabled-401", "Unauthorized"),
    ("mattermost-11/rest/bot-token-revoked-401", "Unauthorized"),
    ("mattermost-11/rest/session-revoked-401", "Unauthorized"),
    ("mattermost-11/rest/users-me-401-bad-token", "Unauthorized"),
    ("mattermost-11/rest/users-me-401-no-token", "Unauthorized"),
    ("mattermost-11/rest/users-me-bot-200", "ok"),
    ("mattermost-11/rest/oauth-users-me-200", "ok"),
    ("mattermost-11/rest/channel-add-member-201", "ok"),
    (
        "mattermost-11/rest/channel-add-member-before-team-404",
        "Forbidden",
    ),
    ("mattermost-11/rest/channel-get-200", "Public"),
    ("mattermost-11/rest/channel-get-archived-200", "Archived"),
    ("mattermost-11/rest/channel-get-dm-403", "Forbidden"),
    (
        "mattermost-11/rest/channel-get-public-not-member-200",
        "Public",
    ),
    ("mattermost-11/rest/channel-member-200", "false"),
    ("mattermost-11/rest/channel-member-404", "false"),
    ("mattermost-11/rest/channel-member-admin-200", "true"),
    (
        "mattermost-11/rest/channel-member-bot-outside-403",
        "Forbidden",
    ),
    ("mattermost-11/rest/channel-posts-200", "0"),
    ("mattermost-11/rest/dm-create-201", "ok"),
    ("mattermost-11/rest/post-create-201", "Refused"),
    (
        "mattermost-11/rest/post-create-duplicate-pending-id-201",
        "Refused",
    ),
    ("mattermost-11/rest/post-create-403-not-member", "Forbidden"),
    (
        "mattermost-11/rest/post-create-unknown-channel-403",
        "Forbidden",
    ),
    ("mattermost-11/rest/post-create-413", "Refused"),
    ("mattermost-11/rest/post-create-archived-400", "Suspended"),
    ("mattermost-11/rest/post-create-bad-json-400", "Refused"),
    ("mattermost-11/rest/post-create-too-long-400", "Refused"),
    ("mattermost-11/rest/post-create-nul-500", "Unavailable"),
    (
        "mattermost-11/rest/post-create-pending-in-flight-500",
        "Unavailable",
    ),
    ("mattermost-11/rest/post-get-deleted-404", "NotFound"),
    ("mattermost-11/rest/post-patch-200", "ok"),
    ("mattermost-11/rest/post-patch-message-only-200", "ok"),
    ("mattermost-11/rest/post-patch-403-not-author", "Forbidden"),
    ("mattermost-11/rest/post-patch-archived-400", "Suspended"),
    ("mattermost-11/rest/post-patch-deleted-403", "Forbidden"),
    ("mattermost-11/rest/post-patch-unknown-403", "Forbidden"),
    ("mattermost-11/rest/post-reply-201", "Refused"),
    ("mattermost-11/rest/post-reply-with-files-201", "Refused"),
    ("mattermost-11/rest/post-reply-deleted-root-400", "NotFound"),
    ("mattermost-11/rest/post-reply-to-reply-400", "NotFound"),
    ("mattermost-11/rest/post-reply-unknown-root-400", "NotFound"),
    ("mattermost-11/rest/post-reply-other-channel-400", "Refused"),
    ("mattermost-11/rest/ratelimit-429", "Throttled"),
    ("mattermost-11/rest/ratelimit-headers-200", "ok"),
    ("mattermost-11/rest/response-url-ok", "ok"),
    ("mattermost-11/rest/response-url-bad-json-400", "Refused"),
    ("mattermost-11/rest/response-url-sixth-use-400", "Refused"),
    ("mattermost-11/rest/response-url-expired-404", "NotFound"),
    ("mattermost-11/rest/response-url-unknown-404", "NotFound"),
    ("mattermost-11/rest/unknown-route-404", "Refused"),
    ("mattermost-11/rest/users-me-teams-200", "0"),
    ("mattermost-11/rest/user-get-200", "ok"),
    ("mattermost-11/rest/user-get-404", "NotFound"),
    ("mattermost-11/rest/user-get-system-admin-200", "ok"),
    ("mattermost/rest/dm-create", "ok"),
    ("mattermost/rest/post-create-201", "Refused"),
    ("mattermost/rest/post-create-403-not-member", "Forbidden"),
    (
        "mattermost/rest/post-create-duplicate-pending-id",
        "Refused",
    ),
    ("mattermost/rest/post-patch-200", "ok"),
    ("mattermost/rest/post-reply-201", "Refused"),
    ("mattermost/rest/post-reply-to-reply-400", "NotFound"),
    ("mattermost/rest/response-url-0", "ok"),
    ("mattermost/rest/response-url-5", "Refused"),
    ("mattermost/rest/users-me-401", "Unauthorized"),
    ("mattermost/rest/users-me-bot", "ok"),
];

#[tokio::test]
async fn every_recorded_answer_gets_its_class() {
    let mut wrong = Vec::new();
    for (file, expected) in CLASSES {
        let made = class_of(file).await;
        if made != *expected {
            wrong.push(format!("{file}: {made}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Recorded requests that the relay's account never makes: those of administrators, of users' clients, and of features
/// that the relay does not use. Incoming webhooks have their classes in `notices`.
const NOT_ASKED: &[&str] = &[
    "POST /api/v4/bots",
    "/tokens",
    "/api/v4/commands",
    "/commands/autocomplete_suggestions",
    "/api/v4/hooks/",
    "/actions/",
    "/api/v4/files",
    "POST /hooks/",
    "/api/v4/users/login",
    "/api/v4/users/logout",
    "/api/v4/users/ids",
    "/api/v4/oauth/",
    "/oauth/",
    "/.well-known/",
    "/api/v4/config/client",
    "/api/v4/system/ping",
    "/api/v4/reactions",
    "/api/v4/posts/ephemeral",
    "/thread",
    "/posts/search",
    "/api/v4/teams/",
];

/// The recorded exchanges of both servers, without `.http`.
fn exchanges() -> Vec<String> {
    let found: Vec<_> = ["mattermost/rest", "mattermost-11/rest"]
        .iter()
        .flat_map(|folder| {
            let names = Recorded::names(folder);
            names
                .into_iter()
                .map(move |name| format!("{folder}/{}", name.strip_suffix(".http").unwrap()))
        })
        .collect();
    assert!(found.len() >= CLASSES.len(), "{}", found.len());
    found
}

#[test]
fn no_recorded_answer_is_forgotten() {
    for name in exchanges() {
        let line = Recorded::read(&format!("{name}.http")).request[0].clone();
        let is_asked = CLASSES.iter().any(|(file, _)| *file == name);
        let is_not_asked =
            !line.contains("/hooks/commands/") && NOT_ASKED.iter().any(|call| line.contains(call));
        assert!(is_asked != is_not_asked, "{name}: {line}");
    }
}

#[tokio::test]
async fn any_recorded_answer_to_any_call_is_understood_or_refused_and_reveals_no_secret() {
    let hook = ResponseHook::parse("1w3ncsn8wj8z3qmzkf91xdxuka").unwrap();
    let mut wrong = Vec::new();
    for name in exchanges() {
        let path = format!("{name}.http");
        let mut replies = vec![me()];
        replies.extend((0..32).map(|_| StubReply::recorded(&path)));
        let bench = bench(replies).await;
        let client = &bench.client;
        // The first answer is the bot's own account, which later calls compare with.
        client.own_account().await.unwrap();
        let since = Timestamp::from_millis(0);
        let content = new_post().content;
        let said = [
            format!("{:?}", client.own_account().await),
            format!("{:?}", client.create_post(new_post()).await),
            format!(
                "{:?}",
                client.patch_post(&post_id(), "k", content.clone()).await
            ),
            format!("{:?}", client.delete_post(&post_id()).await),
            format!("{:?}", client.read_post(&post_id()).await),
            format!("{:?}", client.find_posts(&channel(), "k", since).await),
            format!("{:?}", client.own_channels().await),
            format!("{:?}", client.written_posts(&channel(), since).await),
            format!("{:?}", client.account(&user()).await),
            format!("{:?}", client.channel_kind(&channel()).await),
            format!("{:?}", client.is_channel_admin(&channel(), &user()).await),
            format!("{:?}", client.join_channel(&channel()).await),
            format!(
                "{:?}",
                client.direct_message(&user(), "k", "x", since).await
            ),
            format!("{:?}", client.answer_command(&hook, "x").await),
        ];
        assert!(bench.stub.seen().len() > said.len() / 2, "{name}");
        let recorded = String::from_utf8_lossy(&Recorded::read(&path).body).into_owned();
        let mut secrets = vec![TOKEN.to_owned(), "1w3ncsn8wj8z3qmzkf91xdxuka".to_owned()];
        for key in ["token", "access_token", "refresh_token", "client_secret"] {
            let quoted = format!("\"{key}\":\"");
            secrets.extend(
                recorded
                    .split(&quoted)
                    .skip(1)
                    .filter_map(|rest| rest.split('"').next())
                    .filter(|secret| secret.len() > 8)
                    .map(str::to_owned),
            );
        }
        for said in said {
            if secrets.iter().any(|secret| said.contains(secret)) {
                wrong.push(format!("{name}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_post_answered_for_a_known_pending_id_is_the_post() {
    // The recorded duplicate, if it were ours.
    let double = "mattermost-11/rest/post-create-duplicate-pending-id-201.http";
    let mut post: Value = serde_json::from_slice(&Recorded::read(double).body).unwrap();
    post["props"]["meetrelay"] = json!({ "key": "m1:card" });
    let bench = bench(vec![me(), StubReply::json(201, &post)]).await;
    let view = bench.client.create_post(new_post()).await.unwrap();
    assert_eq!(view.id.as_str(), "7g4ecf3totg9xkna31ksbqhhmr");
}
