//! Logging in and out as recorded, and what ends a session.

use crate::support::{Answer, Rest, keys, recorded_answer, with_bot};
use serde_json::{Value, json};
use std::time::Duration;
use world::mattermost::Options;

const PASSWORD: &str = "Passw0rd!1";

async fn log_in(rest: &Rest, login_id: &str, password: &str) -> Answer {
    let body = json!({"login_id": login_id, "password": password});
    rest.post("/users/login", body).await
}

#[track_caller]
fn assert_refused_as(recording: &str, answer: &Answer) {
    let (status, recorded) = recorded_answer(recording);
    assert_eq!(answer.status, status, "{recording}: {}", answer.text);
    let got = answer.json();
    for field in ["id", "message", "detailed_error", "status_code"] {
        assert_eq!(got[field], recorded[field], "{recording}: {field}");
    }
}

fn token(answer: &Answer) -> String {
    let token = answer.headers.get("token").expect("a header Token");
    token.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn login_gives_a_session_and_logout_ends_it() {
    let (chat, rest) = with_bot(Options::default()).await;
    chat.set_password("carol", PASSWORD);
    let answer = log_in(&rest, "carol", PASSWORD).await;
    let (status, recorded) = recorded_answer("login-200");
    assert_eq!(answer.status, status);
    assert_eq!(keys(&answer.json()), keys(&recorded));
    let session = rest.with_token(&token(&answer));
    assert_eq!(session.get("/users/me").await.json()["username"], "carol");
    let answer = session.post("/users/logout", Value::Null).await;
    assert_eq!(answer.json(), recorded_answer("oauth-logout-200").1);
    assert_refused_as("session-revoked-401", &session.get("/users/me").await);
    chat.unexpected().assert_none();
}

#[tokio::test]
async fn sessions_are_revoked_and_expire_alone() {
    let (chat, rest) = with_bot(Options::default()).await;
    chat.set_password("carol", PASSWORD);
    let session = rest.with_token(&token(&log_in(&rest, "carol@example.org", PASSWORD).await));
    chat.revoke_sessions("carol");
    assert_eq!(session.get("/users/me").await.status, 401);
    let session = rest.with_token(&token(&log_in(&rest, "carol", PASSWORD).await));
    chat.expire_sessions_in(Duration::from_secs(60));
    assert_eq!(session.get("/users/me").await.status, 200);
    chat.clock().advance(Duration::from_secs(61));
    assert_eq!(session.get("/users/me").await.status, 401);
    assert_eq!(chat.sessions("carol"), Vec::<String>::new());
    assert_eq!(rest.get("/users/me").await.status, 200, "the bot's token");
}

#[tokio::test]
async fn the_eleventh_login_is_refused_with_the_right_password_too() {
    let (chat, rest) = with_bot(Options::default()).await;
    chat.set_password("carol", PASSWORD);
    assert_refused_as("login-bot-401", &log_in(&rest, "meetrelay", "x").await);
    assert_refused_as("login-401", &log_in(&rest, "nobody", PASSWORD).await);
    for _ in 0..10 {
        assert_refused_as("login-401", &log_in(&rest, "carol", "wrong").await);
    }
    assert_refused_as(
        "login-too-many-401",
        &log_in(&rest, "carol", PASSWORD).await,
    );
    chat.set_password("carol", PASSWORD);
    chat.require_second_factor("carol");
    let answer = log_in(&rest, "carol", PASSWORD).await;
    assert_eq!(
        answer.json()["id"],
        "mfa.validate_token.authenticate.app_error"
    );
    chat.set_disabled("carol", true);
    let answer = log_in(&rest, "carol", PASSWORD).await;
    assert_eq!(answer.json()["id"], "api.user.login.inactive.app_error");
    assert!(chat.sessions("carol").is_empty());
}
