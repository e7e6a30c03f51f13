//! Accounts, channels, and answers to slash commands.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn person(nickname: &str, first: &str, last: &str) -> StubReply {
    StubReply::json(
        200,
        &json!({ "id": user(), "username": "alice", "nickname": nickname, "first_name": first,
            "last_name": last, "roles": "system_user" }),
    )
}

fn shows(way: &str) -> StubReply {
    StubReply::json(
        200,
        &json!({ "TeammateNameDisplay": way, "Version": "11.6.0" }),
    )
}

#[tokio::test]
async fn names_are_shown_as_the_server_shows_them() {
    for (way, nickname, first, last, expected) in [
        ("username", "Al", "Alice", "Ardent", "alice"),
        ("nickname_full_name", "Al", "Alice", "Ardent", "Al"),
        ("nickname_full_name", " ", "Alice", "Ardent", "Alice Ardent"),
        ("nickname_full_name", "", "", "", "alice"),
        ("full_name", "Al", "Alice", "", "Alice"),
        ("full_name", "Al", "", "Ardent", "Ardent"),
        ("full_name", "Al", "", "", "alice"),
        ("something_new", "Al", "Alice", "Ardent", "alice"),
    ] {
        let bench = bench(vec![person(nickname, first, last), shows(way)]).await;
        let account = bench.client.account(&user()).await.unwrap();
        assert_eq!(account.display_name, expected, "{way}");
        assert!(!account.is_system_admin);
    }
}

#[tokio::test]
async fn the_format_of_names_is_read_once_and_blocks_nothing() {
    let unavailable = || StubReply::new(500, &[], "");
    let alice = || person("Al", "Alice", "Ardent");
    let replies = vec![alice(), unavailable(), alice(), shows("full_name"), alice()];
    let bench = bench(replies).await;
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(bench.client.account(&user()).await.unwrap().display_name);
    }
    assert_eq!(names, ["alice", "Alice Ardent", "Alice Ardent"]);
    let lines = bench.stub.lines();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[1], "GET /api/v4/config/client?format=old");
}

#[tokio::test]
async fn recorded_accounts_are_read() {
    let replies = vec![
        recorded("user-get-200"),
        recorded("config-client-bot-200"),
        recorded("user-get-system-admin-200"),
    ];
    let bench = bench(replies).await;
    let alice = bench.client.account(&user()).await.unwrap();
    assert_eq!(
        (alice.display_name.as_str(), alice.is_system_admin),
        ("alice", false)
    );
    let root = bench.client.account(&user()).await.unwrap();
    assert_eq!(
        (root.display_name.as_str(), root.is_system_admin),
        ("root", true)
    );
}

#[tokio::test]
async fn s8_deactivated_account_is_detected_and_is_not_an_admin() {
    let account = |delete_at: i64| {
        let user = json!({ "id": user(), "username": "root", "delete_at": delete_at,
            "roles": "system_user system_admin" });
        StubReply::json(200, &user)
    };
    let replies = vec![account(0), shows("username"), account(1_700_000_000_000)];
    let bench = bench(replies).await;
    for is_deactivated in [false, true] {
        let root = bench.client.account(&user()).await.unwrap();
        assert_eq!(root.is_deactivated, is_deactivated);
        assert_eq!(root.is_system_admin, !is_deactivated);
    }
}

#[tokio::test]
async fn kinds_of_channels_follow_from_their_type() {
    for (letter, kind) in [
        ("O", ChannelKind::Public),
        ("P", ChannelKind::Private),
        ("D", ChannelKind::Direct),
        ("G", ChannelKind::Direct),
        ("X", ChannelKind::Private),
    ] {
        let bench = bench(vec![StubReply::json(
            200,
            &json!({ "id": CHANNEL, "type": letter }),
        )])
        .await;
        assert_eq!(bench.client.channel_kind(&channel()).await, Ok(kind));
        assert_eq!(
            bench.stub.lines(),
            [format!("GET /api/v4/channels/{CHANNEL}")]
        );
    }
}

#[tokio::test]
async fn joining_adds_the_bot_itself() {
    let bench = bench(vec![me(), recorded("channel-add-member-201")]).await;
    bench.client.join_channel(&channel()).await.unwrap();
    let seen = bench.stub.seen();
    assert_eq!(
        seen[1].line(),
        format!("POST /api/v4/channels/{CHANNEL}/members")
    );
    assert_eq!(seen[1].json(), json!({ "user_id": BOT }));
}

fn member(roles: &str, is_admin: bool) -> StubReply {
    let member = json!({ "user_id": user(), "roles": roles, "scheme_admin": is_admin });
    StubReply::json(200, &member)
}

#[tokio::test]
async fn channel_admins_are_detected_by_role_or_scheme() {
    for (reply, expected) in [
        (recorded("channel-member-200"), false),
        (recorded("channel-member-admin-200"), true),
        (recorded("channel-member-404"), false),
        (member("", true), true),
        (member("channel_user channel_admin", false), true),
        (member("not_channel_admin", false), false),
    ] {
        let bench = bench(vec![reply]).await;
        assert_eq!(
            bench.client.is_channel_admin(&channel(), &user()).await,
            Ok(expected)
        );
        let line = format!("GET /api/v4/channels/{CHANNEL}/members/{}", user());
        assert_eq!(bench.stub.lines(), [line]);
    }
    let proxy = bench(vec![StubReply::new(404, &[], "not here")]).await;
    let result = proxy.client.is_channel_admin(&channel(), &user()).await;
    assert!(
        matches!(result, Err(ChatError::Unavailable { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_command_is_answered_without_token_and_only_ok_is_success() {
    let hook = ResponseHook::parse("6grft3guiiym9xcikaubmxt1qc").unwrap();
    let bench = bench(vec![recorded("response-url-ok")]).await;
    bench
        .client
        .answer_command(&hook, "late\0 one")
        .await
        .unwrap();
    let seen = bench.stub.only();
    assert_eq!(
        seen.line(),
        "POST /hooks/commands/6grft3guiiym9xcikaubmxt1qc"
    );
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(
        seen.json(),
        json!({ "response_type": "ephemeral", "username": "meetrelay", "text": "late one" })
    );

    let page = super::bench(vec![StubReply::new(200, &[], "<!doctype html>")]).await;
    let result = page.client.answer_command(&hook, "x").await;
    assert!(
        matches!(result, Err(ChatError::TurnedAway { .. })),
        "{result:?}"
    );
}
