//! Sessions: one login for all, one resend, and no login that could lock the account.
#![allow(clippy::unwrap_used, reason = "tests")]

use futures_util::FutureExt;

use super::*;

/// The token of the recorded login.
const SESSION: &str = "Bearer 73x5dsz79pn59g35q9pt7o6u1o";

fn login() -> StubReply {
    recorded("login-200")
}

/// A login that returns another session.
fn login_as(token: &str) -> StubReply {
    let headers = [("Content-Type", "application/json"), ("Token", token)];
    let body = json!({ "id": BOT }).to_string();
    StubReply::new(200, &headers, &body)
}

fn expired() -> StubReply {
    recorded("session-revoked-401")
}

fn wrong() -> StubReply {
    recorded("login-401")
}

impl Bench {
    /// The last part of the path and the header `Authorization` of all requests.
    fn trace(&self) -> Vec<(String, Option<String>)> {
        let seen = self.stub.seen();
        let of = |seen: &crate::http::stub::Seen| {
            let last = seen.target.rsplit('/').next().unwrap().to_owned();
            (last, seen.header("authorization").map(str::to_owned))
        };
        seen.iter().map(of).collect()
    }

    fn logins(&self) -> usize {
        let trace = self.trace();
        trace.iter().filter(|(path, _)| path == "login").count()
    }
}

fn traced(parts: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    let owned =
        |(path, header): &(&str, Option<&str>)| ((*path).to_owned(), header.map(str::to_owned));
    parts.iter().map(owned).collect()
}

#[track_caller]
fn assert_not_logged_in<T: std::fmt::Debug>(result: Result<T, ChatError>) {
    let Err(ChatError::Unavailable { why, .. }) = result else {
        panic!("{result:?}");
    };
    assert!(why.contains("not logged in"), "{why}");
}

#[tokio::test]
async fn the_first_call_logs_in_and_later_ones_use_the_session() {
    let bench = bench_with_login(vec![login(), me(), me()]).await;
    assert!(
        bench.stub.seen().is_empty(),
        "nothing before the first call"
    );
    bench.client.own_account().await.unwrap();
    bench.client.own_account().await.unwrap();
    let expected = [
        ("login", None),
        ("me", Some(SESSION)),
        ("me", Some(SESSION)),
    ];
    assert_eq!(bench.trace(), traced(&expected));
    let login = &bench.stub.seen()[0];
    assert_eq!(login.line(), "POST /api/v4/users/login");
    let body = json!({"login_id": "carol", "password": PASSWORD});
    assert_eq!(login.json(), body);
    assert_eq!(login.header("cookie"), None);
    assert_eq!(login.header("x-requested-with"), None);
}

#[tokio::test]
async fn expired_session_is_renewed_once_and_the_call_sent_again() {
    let replies = vec![login(), me(), expired(), login_as("new"), me()];
    let bench = bench_with_login(replies).await;
    bench.client.own_account().await.unwrap();
    bench.client.own_account().await.unwrap();
    let new = Some("Bearer new");
    let expected = [
        ("login", None),
        ("me", Some(SESSION)),
        ("me", Some(SESSION)),
        ("login", None),
        ("me", new),
    ];
    assert_eq!(bench.trace(), traced(&expected));
}

#[tokio::test]
async fn many_callers_of_an_expired_session_share_one_login() {
    let mut replies = vec![login(), me()];
    replies.extend((0..8).map(|_| expired()));
    replies.push(login_as("new"));
    replies.extend((0..8).map(|_| me()));
    let bench = bench_with_login(replies).await;
    bench.client.own_account().await.unwrap();
    let calls = (0..8).map(|_| bench.client.own_account());
    let results = futures_util::future::join_all(calls).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(bench.logins(), 2);
    assert_eq!(bench.trace().len(), 2 + 8 + 1 + 8);
}

#[tokio::test]
async fn many_first_callers_share_one_login_and_its_failure() {
    let down = StubReply::new(502, &[], "down");
    let mut replies = vec![down, login()];
    replies.extend((0..5).map(|_| me()));
    let bench = bench_with_login(replies).await;
    let calls = (0..5).map(|_| bench.client.own_account());
    for result in futures_util::future::join_all(calls).await {
        let is_outage = matches!(result, Err(ChatError::Unavailable { .. }));
        assert!(is_outage, "{result:?}");
    }
    assert_eq!(bench.trace().len(), 1, "one login, no call");
    let calls = (0..5).map(|_| bench.client.own_account());
    let results = futures_util::future::join_all(calls).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(bench.logins(), 2);
}

#[tokio::test]
async fn a_cancelled_caller_leaves_the_login_to_the_others() {
    let bench = bench_with_login(vec![login(), me()]).await;
    {
        let call = bench.client.own_account();
        tokio::pin!(call);
        while bench.logins() == 0 {
            assert!((&mut call).now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    }
    bench.client.own_account().await.unwrap();
    assert_eq!(bench.logins(), 1);
}

#[tokio::test]
async fn second_401_after_a_fresh_login_is_unauthorized_and_bars_more_logins() {
    let bench = bench_with_login(vec![
        login(),
        expired(),
        login_as("new"),
        expired(),
        expired(),
    ]);
    let bench = bench.await;
    let result = bench.client.own_account().await;
    let is_refused = matches!(result, Err(ChatError::Unauthorized { .. }));
    assert!(is_refused, "{result:?}");
    assert_not_logged_in(bench.client.own_account().await);
    assert_eq!(bench.logins(), 2);
}

#[tokio::test]
async fn every_refused_login_says_what_to_change() {
    let answers = [
        ("login-401", "name or password is wrong"),
        ("login-bot-401", "mattermost.bot_token"),
        ("login-too-many-401", "reset its password"),
    ];
    for (file, words) in answers {
        let bench = bench_with_login(vec![recorded(file)]).await;
        let Err(ChatError::Unavailable { why, .. }) = bench.client.own_account().await else {
            panic!("{file}");
        };
        assert!(
            why.contains(words) && why.contains("app_error") | why.contains("invalid"),
            "{why}"
        );
        assert_not_logged_in(bench.client.own_account().await);
        assert_eq!(bench.trace().len(), 1, "{file}: nothing more was sent");
    }
}

#[tokio::test]
async fn answer_without_a_token_is_a_refused_login() {
    for reply in [
        StubReply::json(200, &json!({ "id": BOT })),
        login_as(""),
        login_as(&"x".repeat(300)),
    ] {
        let bench = bench_with_login(vec![reply]).await;
        assert_not_logged_in(bench.client.own_account().await);
        assert_not_logged_in(bench.client.own_account().await);
        assert_eq!(bench.logins(), 1);
    }
}

#[tokio::test]
async fn refused_logins_are_tried_again_ever_later_and_four_times_at_most() {
    let replies = (0..12).map(|_| wrong()).collect();
    let bench = bench_with_login(replies).await;
    let mut waits = Vec::new();
    for _ in 0..3 {
        assert_not_logged_in(bench.client.own_account().await);
        let before = bench.logins();
        let mut waited = 0;
        while bench.logins() == before {
            skip(Duration::from_secs(30)).await;
            waited += 30;
            assert_not_logged_in(bench.client.own_account().await);
        }
        waits.push(waited);
    }
    assert_eq!(waits, [60, 600, 3600]);
    for _ in 0..3 {
        skip(Duration::from_secs(24 * 3600)).await;
        assert_not_logged_in(bench.client.own_account().await);
    }
    assert_eq!(bench.logins(), 4, "Mattermost locks at ten");
}

/// Advances the paused clock between calls. During the calls time is real.
async fn skip(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_login_that_works_at_last_ends_the_refusals() {
    let replies = vec![wrong(), login(), me()];
    let bench = bench_with_login(replies).await;
    assert_not_logged_in(bench.client.own_account().await);
    skip(Duration::from_secs(61)).await;
    bench.client.own_account().await.unwrap();
}

#[tokio::test]
async fn session_that_works_again_is_used_while_logins_are_barred() {
    // The answer of a server whose own database is unavailable for a moment.
    let replies = vec![login(), me(), expired(), wrong(), expired(), me()];
    let bench = bench_with_login(replies).await;
    bench.client.own_account().await.unwrap();
    assert_not_logged_in(bench.client.own_account().await);
    assert_not_logged_in(bench.client.own_account().await);
    bench.client.own_account().await.unwrap();
    assert_eq!(bench.logins(), 2);
}

#[tokio::test]
async fn many_callers_of_a_session_refused_after_its_login_are_one_refusal() {
    let mut replies = vec![login()];
    replies.extend((0..4).map(|_| expired()));
    replies.push(login_as("new"));
    replies.extend((0..4).map(|_| expired()));
    replies.extend([login_as("newest"), me()]);
    let bench = bench_with_login(replies).await;
    let calls = (0..4).map(|_| bench.client.own_account());
    for result in futures_util::future::join_all(calls).await {
        let is_refused = matches!(result, Err(ChatError::Unauthorized { .. }));
        assert!(is_refused, "{result:?}");
    }
    skip(Duration::from_secs(61)).await;
    bench.client.own_account().await.unwrap();
    assert_eq!(bench.logins(), 3);
}

#[tokio::test]
async fn session_that_works_again_lifts_the_bar_and_never_locks_the_account() {
    let mut replies = vec![login(), me()];
    replies.extend((0..8).flat_map(|_| [expired(), wrong(), me()]));
    replies.push(expired());
    let bench = bench_with_login(replies).await;
    bench.client.own_account().await.unwrap();
    for _ in 0..8 {
        assert_not_logged_in(bench.client.own_account().await);
        bench.client.own_account().await.unwrap();
    }
    // Eight wrong passwords are enough.
    assert_not_logged_in(bench.client.own_account().await);
    assert_eq!(bench.logins(), 1 + 8, "Mattermost locks at ten");
}

#[tokio::test]
async fn outages_and_throttling_at_login_are_no_refusals() {
    let replies = vec![
        recorded("ratelimit-429"),
        StubReply::new(503, &[], ""),
        StubReply::new(404, &[], "<html>a proxy</html>"),
        StubReply::new(403, &[], "<html>a proxy</html>"),
        StubReply::new(302, &[("Location", "/login")], ""),
        StubReply::Raw(Vec::new()),
        login(),
        me(),
    ];
    let bench = bench_with_login(replies).await;
    let after = Some(Duration::from_secs(1));
    let client = &bench.client;
    assert_eq!(
        client.own_account().await,
        Err(ChatError::Throttled { after })
    );
    for _ in 0..4 {
        let result = client.own_account().await;
        let is_outage = matches!(result, Err(ChatError::Unavailable { .. }));
        assert!(is_outage, "{result:?}");
    }
    let result = client.own_account().await;
    let is_silence = matches!(result, Err(ChatError::Unreachable { .. }));
    assert!(is_silence, "{result:?}");
    client.own_account().await.unwrap();
}

#[tokio::test]
async fn f4_page_with_status_200_or_401_neither_logs_in_nor_ends_a_session() {
    let page = |status| StubReply::new(status, &[("Content-Type", "text/html")], "<html>sign in");
    let replies = vec![page(200), page(401), login(), me(), page(401), me()];
    let bench = bench_with_login(replies).await;
    for _ in 0..2 {
        bench.client.own_account().await.unwrap_err();
    }
    bench.client.own_account().await.unwrap();
    bench.client.own_account().await.unwrap_err();
    bench.client.own_account().await.unwrap();
    assert_eq!(bench.logins(), 3, "no login after a stranger's 401");
}

#[tokio::test]
async fn answering_a_command_needs_no_session() {
    let bench = bench_with_login(vec![StubReply::new(200, &[], "ok")]).await;
    let hook = ResponseHook::parse("h4yz9k1e7pgsmbu3xw6tqdro5n").unwrap();
    bench.client.answer_command(&hook, "x").await.unwrap();
    assert_eq!(bench.stub.only().header("authorization"), None);
}

#[tokio::test]
async fn logging_out_ends_the_session_and_further_logins() {
    let bench = bench_with_login(vec![login(), me(), recorded("oauth-logout-200")]).await;
    bench.client.own_account().await.unwrap();
    bench.client.log_out().await;
    bench.client.log_out().await;
    let result = bench.client.own_account().await;
    let is_over = matches!(result, Err(ChatError::Unavailable { .. }));
    assert!(is_over, "{result:?}");
    let trace = bench.trace();
    assert_eq!(trace.len(), 3);
    assert_eq!(trace[2], ("logout".to_owned(), Some(SESSION.to_owned())));
}

#[tokio::test]
async fn logging_out_without_a_session_calls_nobody() {
    let with_login = bench_with_login(Vec::new()).await;
    with_login.client.log_out().await;
    let with_token = bench(Vec::new()).await;
    with_token.client.log_out().await;
    assert!(with_login.stub.seen().is_empty() && with_token.stub.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_hangs_does_not_hold_up_the_end() {
    let bench = bench_with_login(vec![login(), me(), StubReply::Silence]).await;
    bench.client.own_account().await.unwrap();
    let began = std::time::Instant::now();
    bench.client.log_out().await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn no_error_and_no_debug_output_holds_the_password() {
    let bench = bench_with_login(vec![wrong()]).await;
    let error = bench.client.own_account().await.unwrap_err();
    let identity = format!("{:?}", bench.client.identity.load());
    let credential = Credential::Login {
        login_id: "carol".to_owned(),
        password: SecretString::from(PASSWORD),
    };
    let credential = format!("{credential:?}");
    for text in [
        error.to_string(),
        format!("{error:?}"),
        identity,
        credential,
    ] {
        assert!(!text.contains("CANARY"), "{text}");
    }
}
