//! Credentials that change while the relay works.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn identity(bench: &Bench, credential: Credential) -> Identity {
    let secret = SecretString::from(SECRET);
    bench.client.identity(credential, secret).unwrap()
}

fn token(text: &str) -> Credential {
    Credential::Token(SecretString::from(text))
}

fn login(password: &str) -> Credential {
    Credential::Login {
        login_id: "carol".to_owned(),
        password: SecretString::from(password),
    }
}

fn shown(bench: &Bench) -> Vec<String> {
    let seen = bench.stub.seen();
    let header = |seen: &crate::http::stub::Seen| seen.header("authorization").map(str::to_owned);
    seen.iter().filter_map(header).collect()
}

#[tokio::test]
async fn calls_after_a_change_carry_the_new_token_and_ask_again_who_they_are() {
    let bench = bench(vec![me(), me(), me()]).await;
    bench.client.own().await.unwrap();
    let next = identity(&bench, token("the-new-token"));
    bench.client.replace_identity(next).await;
    bench.client.own().await.unwrap();
    bench.client.own().await.unwrap();
    assert_eq!(
        shown(&bench),
        [format!("Bearer {TOKEN}"), "Bearer the-new-token".to_owned()]
    );
}

#[tokio::test]
async fn refused_token_is_over_when_another_one_comes() {
    let bench = bench(vec![recorded("session-revoked-401"), me()]).await;
    let refused = bench.client.own_account().await;
    assert!(matches!(refused, Err(ChatError::Unauthorized { .. })));
    let next = identity(&bench, token("the-new-token"));
    bench.client.replace_identity(next).await;
    bench.client.own_account().await.unwrap();
}

#[tokio::test]
async fn session_goes_on_while_its_password_stays_and_is_logged_out_when_it_changes() {
    let session = recorded("login-200");
    let done = StubReply::json(200, &json!({"status": "OK"}));
    let replies = vec![session.clone(), me(), me(), done, session, me()];
    let bench = bench_with_login(replies).await;
    bench.client.own_account().await.unwrap();
    let same = identity(&bench, login(PASSWORD));
    bench.client.replace_identity(same).await;
    bench.client.own_account().await.unwrap();
    let next = identity(&bench, login("another password"));
    bench.client.replace_identity(next).await;
    bench.client.own_account().await.unwrap();
    assert_eq!(
        bench.stub.lines(),
        [
            "POST /api/v4/users/login",
            "GET /api/v4/users/me",
            "GET /api/v4/users/me",
            "POST /api/v4/users/logout",
            "POST /api/v4/users/login",
            "GET /api/v4/users/me",
        ]
    );
}

#[tokio::test]
async fn token_that_is_not_allowed_in_a_header_changes_nothing() {
    let bench = bench(vec![me()]).await;
    let secret = SecretString::from(SECRET);
    let refused = bench.client.identity(token("two\nlines"), secret);
    assert_eq!(refused.unwrap_err().key, "bot_token");
    bench.client.own_account().await.unwrap();
    assert_eq!(shown(&bench), [format!("Bearer {TOKEN}")]);
}
